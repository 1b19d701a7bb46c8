"""What administrators do about other people: invite, rename, give another password, keep out, let in again.

Someone who is kept out, or whose password or role another person changed, loses every session at once: each request
looks at the account, and the rows of the sessions go too, since with a broken database they would be believed.
"""

from __future__ import annotations

import logging

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webadmin import audit, clock
from webadmin.accounts import devices
from webadmin.accounts.actor import Actor
from webadmin.accounts.models import User
from webadmin.accounts.passwords import hash_password, suggest_password
from webadmin.accounts.permissions import Permission, Role, check_role, require
from webadmin.accounts.users import add_user, check_name, find_user, thing_of
from webadmin.audit import Act
from webadmin.errors import N_, Conflict, NotFound, Unavailable

_log = logging.getLogger(__name__)


def get_person(session: Session, user_id: int) -> User:
    """The person with this id, kept out or not. Raises NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(N_("There is no such person."))
    return user


def get_person_named(session: Session, name: str) -> User:
    """The person of this name. Raises NotFound."""
    user = find_user(session, name)
    if user is None:
        raise NotFound(N_("There is no account named “%(name)s”."), name=name)
    return user


def invite(session: Session, actor: Actor, name: str, *, role: str = Role.ADMIN) -> tuple[User, str]:
    """Add a person; returns also the password for the first sign-in, which nothing can show again.

    Raises Forbidden, Invalid (name, role), Conflict when the name is taken.
    """
    password = suggest_password()
    user = add_user(session, actor, name, password, role=role)
    user.is_temporary = True
    return user, password


def change_person(session: Session, actor: Actor, user_id: int, *, name: str, role: str) -> User:
    """Give a person another name and role; another role ends their sessions.

    Raises Forbidden, NotFound, Invalid (name, role), Conflict.
    """
    require(actor, Permission.ADMINISTER)
    user, normal = get_person(session, user_id), check_name(name)
    if check_role(role) != Role.ADMIN:
        _require_another_admin(session, user)
    other = find_user(session, normal)
    if other is not None and other is not user:
        raise Conflict(N_("“%(name)s” has an account already."), hint=N_("Choose another name."), name=normal)
    was, now = (user.name, user.role), (normal, role)
    user.name, user.name_key, user.role = normal, normal.casefold(), role
    session.flush()
    new_name, new_role = ({"from": old, "to": new} if old != new else None for old, new in zip(was, now, strict=True))
    audit.record(session, actor, Act.PERSON_CHANGED, thing_of(user), name=new_name, role=new_role)
    if new_role:
        _end_sessions(user)
    return user


def deactivate(session: Session, actor: Actor, user_id: int) -> User:
    """Keep a person out from now on. Raises Forbidden, NotFound, Conflict for the last one."""
    require(actor, Permission.ADMINISTER)
    user = get_person(session, user_id)
    _require_another_admin(session, user)
    user.deactivated_at = user.deactivated_at or clock.now_text()
    audit.record(session, actor, Act.PERSON_DEACTIVATED, thing_of(user))
    _end_sessions(user)
    return user


def activate(session: Session, actor: Actor, user_id: int) -> User:
    """Let a person in again, with the password of before. Raises Forbidden, NotFound."""
    require(actor, Permission.ADMINISTER)
    user = get_person(session, user_id)
    user.deactivated_at = None
    audit.record(session, actor, Act.PERSON_ACTIVATED, thing_of(user))
    return user


def reset_password(session: Session, actor: Actor, user_id: int) -> tuple[User, str]:
    """Give a person a password for one sign-in and return it; nothing can show it again. Raises Forbidden, NotFound."""
    require(actor, Permission.ADMINISTER)
    user, password = get_person(session, user_id), suggest_password()
    user.password_hash, user.password_changed_at, user.is_temporary = hash_password(password), clock.now_text(), True
    audit.record(session, actor, Act.PASSWORD_RESET, thing_of(user))
    _end_sessions(user)
    return user, password


def sign_out(session: Session, actor: Actor, user_id: int) -> User:
    """End every session of a person. Raises Forbidden, NotFound, RuntimeUnavailable."""
    require(actor, Permission.ADMINISTER)
    user = get_person(session, user_id)
    devices.end_sessions(user.id)
    audit.record(session, actor, Act.SESSIONS_ENDED, thing_of(user))
    return user


def _end_sessions(user: User) -> None:
    try:
        devices.end_sessions(user.id)
    except Unavailable:
        # Who is kept out or has another password is refused by the account itself, at each request.
        _log.warning("the sessions of %s could not be removed", user.name, exc_info=True)


def _require_another_admin(session: Session, user: User) -> None:
    """Raises Conflict when nobody else could administrate. In a transaction for writing, two at once queue.

    Whoever has not chosen a password yet does not count: the one for the first sign-in ends by itself.
    """
    others = select(func.count()).where(
        User.role == Role.ADMIN, User.deactivated_at.is_(None), User.is_temporary.is_(False), User.id != user.id
    )
    if user.role == Role.ADMIN and user.deactivated_at is None and not session.scalar(others):
        raise Conflict(
            N_("“%(name)s” is the last administrator."), hint=N_("Make somebody else one first."), name=user.name
        )
