"""People: adding, listing, signing in, changing one's own password."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webadmin import audit, clock
from webadmin.accounts import tries
from webadmin.accounts.actor import Actor, ActorKind
from webadmin.accounts.models import User
from webadmin.accounts.passwords import NO_TEXT, check_password, hash_password, verify_password
from webadmin.accounts.permissions import Permission, Role, check_role, require
from webadmin.audit import Act
from webadmin.errors import N_, Conflict, Invalid, Message, Problem

NAME_MAX = 64
# A password that somebody else gave opens nothing after this time.
_TEMPORARY = timedelta(days=7)
# What is longer than this is no name in any spelling, and is not normalised.
_NAME_SENT_MAX = NAME_MAX * 4


@dataclass(frozen=True, slots=True)
class Device:
    """A browser in which somebody has signed in before: who, and the mark that it was given."""

    user_id: int
    mark: str


def any_users(session: Session) -> bool:
    """Whether the first account has been made."""
    return bool(session.scalar(select(exists().select_from(User))))


def list_users(session: Session) -> list[User]:
    """Everybody, by name."""
    return list(session.scalars(select(User).order_by(User.name_key)))


def get_user(session: Session, user_id: int) -> User | None:
    """The person with this id who may sign in, or None."""
    user = session.get(User, user_id)
    return user if user is not None and user.deactivated_at is None else None


def find_user(session: Session, name: str) -> User | None:
    """The person of this name in whatever case, kept out or not; None where there is none."""
    return _by_name(session, _normal_name(name[:_NAME_SENT_MAX]))


def add_user(session: Session, actor: Actor, name: str, password: str, *, role: str = Role.ADMIN) -> User:
    """Add a person. Raises Forbidden, Invalid (name, password, role), Conflict when the name is taken."""
    require(actor, Permission.ADMINISTER)
    check_role(role)
    normal = check_name(name)
    if _by_name(session, normal) is not None:
        raise Conflict(N_("“%(name)s” has an account already."), hint=N_("Choose another name."), name=normal)
    now = clock.now_text()
    user = User(
        name=normal,
        name_key=normal.casefold(),
        role=role,
        password_hash=hash_password(check_password(password, name=normal)),
        password_changed_at=now,
        created_at=now,
        created_by=actor.name,
    )
    session.add(user)
    session.flush()
    audit.record(session, actor, Act.PERSON_ADDED, thing_of(user), role=user.role)
    return user


def thing_of(user: User) -> audit.Thing:
    """A person as the activity log names them."""
    return audit.Thing(audit.Kind.PERSON, user.id, user.name)


def actor_of(user: User) -> Actor:
    """A person as the one who acts."""
    return Actor(ActorKind.PERSON, user.name, user.role, user.id)


def authenticate(session: Session, name: str, password: str) -> User | None:
    """The person with this name and password, else None, after the same time whatever is wrong."""
    return _authenticated(_named(session, name), password)


def sign_in(
    session: Session, name: str, password: str, *, address: str | None, device: Device | None = None
) -> User | None:
    """As `authenticate`, with tries counted. `address` is what the caller counts by, `device` the browser's own mark.

    Raises TooManyTries, for a right password too; RuntimeUnavailable.
    """
    user = _named(session, name)
    mark = device.mark if device is not None and user is not None and device.user_id == user.id else None
    counted = tries.at_sign_in(_normal_name(name[:_NAME_SENT_MAX]).casefold(), address, mark)
    found = _authenticated(user, password)
    if found is not None:
        counted.forgive()
    return found


def save_preferences(
    session: Session, user_id: int, *, language: str | None, theme: str | None, has_single_keys: bool
) -> None:
    """Keep how pages look and behave for somebody; None leaves it to the browser. Raises Invalid."""
    if language not in (None, "en", "zh") or theme not in (None, "system", "light", "dark"):
        raise Invalid(N_("There is no such language or theme."))
    user = session.get_one(User, user_id)
    user.language, user.theme, user.has_single_keys = language, theme, has_single_keys
    audit.record(session, actor_of(user), Act.PROFILE_CHANGED, thing_of(user))


def change_password(session: Session, actor: Actor, *, current: str, new: str) -> User:
    """Change the actor's own password.

    Raises Invalid naming `current` when that is wrong, or `password`; TooManyTries.
    """
    user = _by_name(session, _normal_name(actor.name))
    counted = tries.at_secret("password", user.id) if user else None
    if user is None or not verify_password(user.password_hash, current):
        template = N_("That is not your current password.")
        raise Invalid(template, problems=[Problem(Message(template), field="current")])
    if counted:
        counted.forgive()
    audit.record(session, actor, Act.PASSWORD_CHANGED, thing_of(user))
    return _store_password(user, new)


def check_name(name: str, *, field: str = "name") -> str:
    """Return a name that a person or token may have, normalised. Raises Invalid and says why."""
    normal = _normal_name(name)
    template, params = "", dict[str, Any](max=NAME_MAX)
    if not normal:
        template, params = N_("A name is missing."), {}
    elif len(normal) > NAME_MAX:
        template = N_("Use at most %(max)d characters.")
    elif NO_TEXT in normal or not all(char == " " or unicodedata.category(char)[0] in "LMNPS" for char in normal):
        # Control, format (direction marks, zero width), surrogate and private characters could imitate another name.
        template, params = N_("A name may hold letters, digits, punctuation and single spaces."), {}
    if template:
        raise Invalid(template, problems=[Problem(Message(template, params), field=field)], **params)
    return normal


def _store_password(user: User, password: str) -> User:
    user.password_hash = hash_password(check_password(password, name=user.name))
    user.password_changed_at = clock.now_text()
    user.is_temporary = False
    return user


def _named(session: Session, name: str) -> User | None:
    return _by_name(session, _normal_name(name)) if len(name) <= _NAME_SENT_MAX else None


def _authenticated(user: User | None, password: str) -> User | None:
    is_right = verify_password(user.password_hash if user else None, password)
    if user is None or not is_right or user.deactivated_at is not None:
        return None
    is_over = user.password_changed_at < clock.to_text(clock.now() - _TEMPORARY)
    return None if user.is_temporary and is_over else user


def _by_name(session: Session, name: str) -> User | None:
    if not name.isprintable():  # Nobody's name, and a lone surrogate is nothing that a database can be asked for.
        return None
    return session.scalar(select(User).where(User.name_key == name.casefold()))


def _normal_name(name: str) -> str:
    return re.sub(" +", " ", unicodedata.normalize("NFKC", name)).strip(" ")
