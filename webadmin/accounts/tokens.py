"""API tokens: made, shown once, kept as a hash, given another text, revoked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.orm import Session

from webadmin import audit, clock, runtime
from webadmin.accounts.actor import Actor
from webadmin.accounts.models import Token
from webadmin.accounts.permissions import Permission, Purpose, Role, check_purposes, check_role, require
from webadmin.accounts.users import check_name
from webadmin.errors import N_, Conflict, Invalid, Message, NotFound, Problem, Unavailable

# A fixed beginning lets scanners find a token that got into a repository or a log.
PREFIX = "aat_"
EXPIRY_DAYS_MAX = 3650
KEEP_HOURS_MAX = 720
ALL_PURPOSES = frozenset(Purpose)
_USE_INTERVAL = timedelta(minutes=1)
# Made once and of columns only: every call with a token runs it, and to build it anew cost more than to run it.
_VALID = select(
    Token.id, Token.name, Token.role, Token.purposes, (Token.token_hash != bindparam("token_hash")).label("is_old")
).where(
    Token.revoked_at.is_(None),
    or_(
        and_(
            Token.token_hash == bindparam("token_hash"),
            or_(Token.expires_at.is_(None), Token.expires_at > bindparam("now")),
        ),
        and_(Token.old_hash == bindparam("token_hash"), Token.old_until > bindparam("now")),
    ),
)


@dataclass(frozen=True, slots=True)
class ValidToken:
    """What is known of a caller who brought a token."""

    id: int
    name: str
    role: str
    purposes: frozenset[str]


@dataclass(frozen=True, slots=True)
class TokenUse:
    """When, and from which address, a token was last used; when last with its text of before the rotation."""

    at: str
    address: str | None
    old_at: str | None


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token with its last use, None when it was not used (or the record of it was lost)."""

    token: Token
    last_use: TokenUse | None

    @property
    def old_used_at(self) -> str | None:
        """When the text of before the last rotation was used last, since then."""
        at, since = self.last_use.old_at if self.last_use else None, self.token.rotated_at
        return at if at and since and at >= since else None


def issue_token(
    session: Session,
    actor: Actor,
    name: str,
    *,
    role: str = Role.ADMIN,
    purposes: Collection[str] = ALL_PURPOSES,
    expires_days: int | None = None,
) -> tuple[Token, str]:
    """Make a token; returns its row and its text, which nothing can show again.

    Raises Forbidden, Invalid (name, role, purposes, days), Conflict when a valid token has this name.
    """
    require(actor, Permission.ADMINISTER)
    check_role(role)
    chosen, normal, now = check_purposes(purposes), check_name(name), clock.now()
    _refuse_second(session, normal)
    token = Token(
        name=normal,
        role=role,
        purposes=" ".join(purpose for purpose in Purpose if purpose in chosen),
        created_at=clock.to_text(now),
        created_by=actor.name,
        expires_at=_end(now, expires_days),
    )
    text = _give_text(token)
    session.add(token)
    session.flush()
    audit.record(
        session, actor, audit.Act.TOKEN_MADE, _thing(token), role=role, purposes=token.purposes, days=expires_days
    )
    return token, text


def rotate_token(
    session: Session, actor: Actor, token_id: int, *, expires_days: int | None, keep_hours: int = 24
) -> tuple[Token, str]:
    """Give a token another text, valid at once; that of before stays valid for `keep_hours` (0: not at all).

    `expires_days` counts from now, None is no end; `term_days` says what it was. Returns the row and the new text,
    which nothing can show again. Raises Forbidden, NotFound, Invalid (days, hours), Conflict when this token is over
    and another one has its name.
    """
    require(actor, Permission.ADMINISTER)
    token, now = get_token(session, token_id), clock.now()
    if not 0 <= keep_hours <= KEEP_HOURS_MAX:
        raise _out_of_range(N_("The number of hours must be from 0 to %(max)d."), "keep_hours", KEEP_HOURS_MAX)
    if is_expired(token):
        _refuse_second(session, token.name)
    ends_at = _end(now, expires_days)
    # The text of before outlives neither its own end nor a second rotation.
    until = clock.to_text(now + timedelta(hours=keep_hours))
    token.old_hash, token.old_hint = token.token_hash, token.hint
    token.old_until = min(until, token.expires_at) if token.expires_at else until
    token.rotated_at, token.expires_at = clock.to_text(now), ends_at
    text = _give_text(token)
    session.flush()
    audit.record(session, actor, audit.Act.TOKEN_ROTATED, _thing(token), days=expires_days, keep_hours=keep_hours)
    return token, text


def end_old_text(session: Session, actor: Actor, token_id: int) -> Token:
    """End the text that a token had before its rotation, at once. Raises Forbidden, NotFound."""
    require(actor, Permission.ADMINISTER)
    token = get_token(session, token_id)
    token.old_hash = token.old_hint = token.old_until = None
    session.flush()
    audit.record(session, actor, audit.Act.TOKEN_TEXT_ENDED, _thing(token))
    return token


def list_tokens(session: Session) -> list[ListedToken]:
    """All tokens that were not revoked, by name, each with its last use."""
    try:
        rows = runtime.current().read("SELECT token_id, used_at, address, old_used_at FROM token_use")
    except Unavailable:
        rows = []
    uses = {row["token_id"]: TokenUse(row["used_at"], row["address"], row["old_used_at"]) for row in rows}
    tokens = session.scalars(select(Token).where(Token.revoked_at.is_(None)).order_by(Token.name, Token.id))
    return [ListedToken(token, uses.get(token.id)) for token in tokens]


def get_token(session: Session, id: int) -> Token:
    """A token that was not revoked. Raises NotFound."""
    token = session.get(Token, id)
    if token is None or token.revoked_at is not None:
        raise NotFound(N_("There is no such token, or it is revoked already."))
    return token


def get_token_named(session: Session, name: str) -> Token:
    """The newest token of this name that was not revoked. Raises NotFound."""
    named = select(Token).where(Token.name == name, Token.revoked_at.is_(None)).order_by(Token.id.desc())
    # A lone surrogate, from the command line, is nothing that a database can be asked for.
    token = session.scalar(named) if name.isprintable() else None
    if token is None:
        raise NotFound(N_("There is no such token, or it is revoked already."))
    return token


def revoke_token(session: Session, actor: Actor, *, id: int | None = None, name: str | None = None) -> Token:
    """End a token, named by id or name, at once. Raises Forbidden, NotFound."""
    require(actor, Permission.ADMINISTER)
    token = get_token(session, id) if id is not None else get_token_named(session, name or "")
    token.revoked_at = clock.now_text()
    session.flush()
    audit.record(session, actor, audit.Act.TOKEN_REVOKED, _thing(token))
    return token


def authenticate_token(session: Session, text: str, *, address: str | None = None) -> ValidToken | None:
    """The valid token with this text, else None; its use is noted in the runtime database."""
    found = session.connection().execute(_VALID, {"token_hash": _hash(text), "now": clock.now_text()}).first()
    if found is None:
        return None
    _note_use(found.id, address, is_old=bool(found.is_old))
    return ValidToken(found.id, found.name, found.role, frozenset(found.purposes.split()))


def is_expired(token: Token) -> bool:
    """Whether the token's last day is over."""
    return token.expires_at is not None and token.expires_at <= clock.now_text()


def has_old_text(token: Token) -> bool:
    """Whether the text of before the last rotation is still valid."""
    return token.old_until is not None and token.old_until > clock.now_text()


def term_days(token: Token) -> int | None:
    """For how many days the present text of a token was made; None is no end."""
    if token.expires_at is None:
        return None
    began_at = datetime.fromisoformat(token.rotated_at or token.created_at)
    return (datetime.fromisoformat(token.expires_at) - began_at).days


def _thing(token: Token) -> audit.Thing:
    return audit.Thing(audit.Kind.TOKEN, token.id, token.name)


def _give_text(token: Token) -> str:
    text = PREFIX + secrets.token_urlsafe(32)
    token.token_hash, token.hint = _hash(text), text[: len(PREFIX) + 4]
    return text


def _note_use(token_id: int, address: str | None, *, is_old: bool) -> None:
    now = clock.now()
    since = clock.to_text(now - _USE_INTERVAL)
    try:
        # Once a minute is enough for «last used». Looking first spares each call the file's write lock.
        noted = "SELECT 1 FROM token_use WHERE token_id=? AND iif(?, old_used_at, used_at) >= ?"
        if runtime.current().read(noted, (token_id, is_old, since)):
            return
        runtime.current().write(
            "INSERT INTO token_use (token_id, used_at, address, old_used_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (token_id) DO UPDATE SET used_at=excluded.used_at, address=excluded.address,"
            " old_used_at=coalesce(excluded.old_used_at, old_used_at)",
            (token_id, clock.to_text(now), address, clock.to_text(now) if is_old else None),
        )
    except Unavailable:
        # A call must not fail because its time cannot be noted.
        return


def _refuse_second(session: Session, name: str) -> None:
    named = session.scalars(select(Token).where(Token.name == name, Token.revoked_at.is_(None)))
    if any(not is_expired(token) for token in named):
        raise Conflict(
            N_("A valid token is named “%(name)s” already."),
            hint=N_("Choose another name, or revoke that one first."),
            name=name,
        )


def _end(now: datetime, days: int | None) -> str | None:
    if days is None:
        return None
    if not 1 <= days <= EXPIRY_DAYS_MAX:
        raise _out_of_range(N_("The number of days must be from 1 to %(max)d."), "expires_days", EXPIRY_DAYS_MAX)
    return clock.to_text(now + timedelta(days=days))


def _out_of_range(template: str, field: str, largest: int) -> Invalid:
    return Invalid(template, problems=[Problem(Message(template, {"max": largest}), field=field)], max=largest)


def _hash(text: str) -> str:
    # The text is 256 random bits: a slow hash would protect nothing and cost every call.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
