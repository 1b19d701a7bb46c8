"""API tokens: made, shown once, kept as a hash, revoked."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from webadmin import clock, runtime
from webadmin.accounts.actor import Actor
from webadmin.accounts.models import Token
from webadmin.accounts.permissions import Permission, Role, check_role, require
from webadmin.accounts.users import check_name
from webadmin.errors import N_, Conflict, Invalid, Message, NotFound, Problem, Unavailable

# A fixed beginning lets scanners find a token that got into a repository or a log.
PREFIX = "aat_"
EXPIRY_DAYS_MAX = 3650
_USE_INTERVAL = timedelta(minutes=1)
# Made once and of columns only: every call with a token runs it, and to build it anew cost more than to run it.
_VALID = select(Token.id, Token.name, Token.role).where(
    Token.token_hash == bindparam("token_hash"),
    Token.revoked_at.is_(None),
    or_(Token.expires_at.is_(None), Token.expires_at > bindparam("now")),
)


@dataclass(frozen=True, slots=True)
class ValidToken:
    """What is known of a caller who brought a token."""

    id: int
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class TokenUse:
    """When, and from which address, a token was last used."""

    at: str
    address: str | None


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token with its last use, None when it was not used (or the record of it was lost)."""

    token: Token
    last_use: TokenUse | None


def issue_token(
    session: Session, actor: Actor, name: str, *, role: str = Role.ADMIN, expires_days: int | None = None
) -> tuple[Token, str]:
    """Make a token; returns its row and its text, which nothing can show again.

    Raises Forbidden, Invalid (name, role, days), Conflict when a valid token has this name.
    """
    require(actor, Permission.ADMINISTER)
    check_role(role)
    normal = check_name(name)
    if _valid_named(session, normal):
        raise Conflict(
            N_("A valid token is named “%(name)s” already."),
            hint=N_("Choose another name, or revoke that one first."),
            name=normal,
        )
    text, now = PREFIX + secrets.token_urlsafe(32), clock.now()
    token = Token(
        name=normal,
        role=role,
        token_hash=_hash(text),
        hint=text[: len(PREFIX) + 4],
        created_at=clock.to_text(now),
        created_by=actor.name,
        expires_at=clock.to_text(now + timedelta(days=_check_days(expires_days))) if expires_days is not None else None,
    )
    session.add(token)
    session.flush()
    return token, text


def list_tokens(session: Session) -> list[ListedToken]:
    """All tokens that were not revoked, by name, each with its last use."""
    try:
        rows = runtime.current().read("SELECT token_id, used_at, address FROM token_use")
    except Unavailable:
        rows = []
    uses = {row["token_id"]: TokenUse(row["used_at"], row["address"]) for row in rows}
    tokens = session.scalars(select(Token).where(Token.revoked_at.is_(None)).order_by(Token.name, Token.id))
    return [ListedToken(token, uses.get(token.id)) for token in tokens]


def get_token(session: Session, id: int) -> Token:
    """A token that was not revoked. Raises NotFound."""
    token = session.get(Token, id)
    if token is None or token.revoked_at is not None:
        raise NotFound(N_("There is no such token, or it is revoked already."))
    return token


def revoke_token(session: Session, actor: Actor, *, id: int | None = None, name: str | None = None) -> Token:
    """End a token, named by id or name, at once. Raises Forbidden, NotFound."""
    require(actor, Permission.ADMINISTER)
    which = Token.id == id if id is not None else Token.name == name
    token = session.scalar(select(Token).where(which, Token.revoked_at.is_(None)).order_by(Token.id.desc()))
    if token is None:
        raise NotFound(N_("There is no such token, or it is revoked already."))
    token.revoked_at = clock.now_text()
    session.flush()
    return token


def authenticate_token(session: Session, text: str, *, address: str | None = None) -> ValidToken | None:
    """The valid token with this text, else None; its use is noted in the runtime database."""
    found = session.connection().execute(_VALID, {"token_hash": _hash(text), "now": clock.now_text()}).first()
    if found is None:
        return None
    _note_use(found.id, address)
    return ValidToken(found.id, found.name, found.role)


def is_expired(token: Token) -> bool:
    """Whether the token's last day is over."""
    return token.expires_at is not None and token.expires_at <= clock.now_text()


def _note_use(token_id: int, address: str | None) -> None:
    now = clock.now()
    since = clock.to_text(now - _USE_INTERVAL)
    try:
        # Once a minute is enough for «last used». Looking first spares each call the file's write lock.
        if runtime.current().read("SELECT 1 FROM token_use WHERE token_id=? AND used_at>=?", (token_id, since)):
            return
        runtime.current().write(
            "INSERT INTO token_use (token_id, used_at, address) VALUES (?, ?, ?) ON CONFLICT (token_id) DO UPDATE"
            " SET used_at=excluded.used_at, address=excluded.address",
            (token_id, clock.to_text(now), address),
        )
    except Unavailable:
        # A call must not fail because its time cannot be noted.
        return


def _valid_named(session: Session, name: str) -> bool:
    named = session.scalars(select(Token).where(Token.name == name, Token.revoked_at.is_(None)))
    return any(not is_expired(token) for token in named)


def _check_days(days: int) -> int:
    if not 1 <= days <= EXPIRY_DAYS_MAX:
        template = N_("The number of days must be from 1 to %(max)d.")
        problem = Problem(Message(template, {"max": EXPIRY_DAYS_MAX}), field="expires_days")
        raise Invalid(template, problems=[problem], max=EXPIRY_DAYS_MAX)
    return days


def _hash(text: str) -> str:
    # The text is 256 random bits: a slow hash would protect nothing and cost every call.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
