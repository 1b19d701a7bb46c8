"""The second factor: codes of an app that count time (TOTP), and recovery codes for the day when it is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webadmin import audit, clock, config, runtime
from webadmin.accounts import tries
from webadmin.accounts.actor import Actor
from webadmin.accounts.models import RecoveryCode, User
from webadmin.accounts.passwords import verify_password
from webadmin.accounts.people import get_person
from webadmin.accounts.permissions import Permission, require
from webadmin.accounts.users import actor_of, thing_of
from webadmin.audit import Act
from webadmin.errors import N_, Conflict, Invalid, Message, Problem

DIGITS = 6
_STEP_SECONDS = 30
# A clock that is off by half a minute, and a code typed at the last moment (RFC 6238, 5.2).
_STEPS_OFF = (0, -1, 1)
_SECRET_BYTES = 20
RECOVERY_CODES = 10
# 16 of 30 letters are 78 random bits: a slow hash would protect nothing. No I, L, O, U, 0, 1.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LETTERS = 16
_SENT_MAX = 64


def new_secret() -> str:
    """A secret for an app, as base32 text."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def app_address(secret: str, name: str) -> str:
    """What a QR code tells the app: `otpauth://totp/SITE:NAME?secret=…`."""
    site = config.current().site_name
    query = urlencode({"secret": secret, "issuer": site}, quote_via=quote)
    return f"otpauth://totp/{quote(site, safe='')}:{quote(name, safe='')}?{query}"


def code_at(secret: str, step: int) -> str:
    """The code of one step of 30 seconds (RFC 6238 on RFC 4226, HMAC-SHA-1, as every app does it)."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def is_required(user: User) -> bool:
    """Whether somebody of this role must have a second factor."""
    return user.role in (config.current().second_factor_required or ())


def turn_on(session: Session, user_id: int, *, secret: str, password: str, code: str) -> tuple[User, list[str]]:
    """Ask for codes of `secret` at each sign-in from now on; returns the recovery codes, which nothing can show again.

    Raises Invalid naming `current` (the password) or `code`, Conflict when it is on already, TooManyTries.
    """
    user = _with_password(session, user_id, password)
    if user.totp_secret is not None:
        raise Conflict(N_("The second factor is on already."))
    if not _use_code(user.id, secret, _plain(code)):
        raise _wrong_code()
    user.totp_secret = secret
    audit.record(session, actor_of(user), Act.SECOND_FACTOR_ON, thing_of(user))
    return user, _make_codes(session, user)


def turn_off(session: Session, user_id: int, *, password: str) -> User:
    """Ask for no codes any more. Raises Invalid naming `current`, Conflict where the role needs it, TooManyTries."""
    user = _with_password(session, user_id, password)
    if is_required(user):
        raise Conflict(N_("Your role needs a second factor."), hint=N_("Ask an administrator to reset it."))
    audit.record(session, actor_of(user), Act.SECOND_FACTOR_OFF, thing_of(user))
    return _forget(session, user)


def renew_codes(session: Session, user_id: int, *, password: str) -> list[str]:
    """Other recovery codes instead of those of before. Raises Invalid naming `current`, Conflict, TooManyTries."""
    user = _with_password(session, user_id, password)
    if user.totp_secret is None:
        raise Conflict(N_("The second factor is off."))
    audit.record(session, actor_of(user), Act.CODES_RENEWED, thing_of(user))
    return _make_codes(session, user)


def reset_second_factor(session: Session, actor: Actor, user_id: int) -> User:
    """Let somebody sign in without the app that they lost. Raises Forbidden, NotFound."""
    require(actor, Permission.ADMINISTER)
    user = get_person(session, user_id)
    audit.record(session, actor, Act.SECOND_FACTOR_RESET, thing_of(user))
    return _forget(session, user)


def codes_left(session: Session, user_id: int) -> int:
    """How many recovery codes were not used yet."""
    return session.scalar(select(func.count()).where(RecoveryCode.user_id == user_id)) or 0


def check_app_code(user: User, code: str, *, device: str | None = None) -> bool:
    """Whether `code` is one of the app's now; each counts once.

    Only `runtime.db` is written, so that a broken database keeps nobody out who has to mend it. `device` is the mark of
    a browser that this person used before. Raises TooManyTries, RuntimeUnavailable.
    """
    counted = tries.at_secret("code", user.id, device)
    is_right = user.totp_secret is not None and _use_code(user.id, user.totp_secret, _plain(code))
    if is_right:
        counted.forgive()
    return is_right


def is_recovery_code(code: str) -> bool:
    """Whether this looks like a recovery code rather than one of the app."""
    return len(_plain(code)) == _CODE_LETTERS


def use_recovery_code(session: Session, user_id: int, code: str, *, device: str | None = None) -> bool:
    """Whether `code` was a recovery code that was not used yet; it is used now. Raises TooManyTries."""
    counted = tries.at_secret("code", user_id, device)
    used = session.execute(
        delete(RecoveryCode).where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _hash(_plain(code)))
    )
    is_right = bool(used.rowcount)  # type: ignore[attr-defined]
    if is_right:
        counted.forgive()
    return is_right


def _with_password(session: Session, user_id: int, password: str) -> User:
    user = get_person(session, user_id)
    counted = tries.at_secret("password", user.id)
    if not verify_password(user.password_hash, password):
        template = N_("That is not your current password.")
        raise Invalid(template, problems=[Problem(Message(template), field="current")])
    counted.forgive()
    return user


def _use_code(user_id: int, secret: str, code: str) -> bool:
    now = int(clock.now().timestamp()) // _STEP_SECONDS
    # Compared to the end each time: how long it takes says nothing.
    right = [now + off for off in _STEPS_OFF if hmac.compare_digest(code_at(secret, now + off).encode(), code.encode())]
    # A step later than the last one used: whoever saw a code cannot use it again, in whatever process.
    return bool(right) and bool(
        runtime.current().write(
            "INSERT INTO code_use (user_id, step) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET step=excluded.step"
            " WHERE step < excluded.step",
            (user_id, right[0]),
        )
    )


def _make_codes(session: Session, user: User) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LETTERS)) for _ in range(RECOVERY_CODES)]
    session.add_all([RecoveryCode(user_id=user.id, code_hash=_hash(code)) for code in codes])
    return ["-".join(_groups(code)) for code in codes]


def _forget(session: Session, user: User) -> User:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    user.totp_secret = None
    return user


def _groups(text: str) -> Sequence[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _plain(code: str) -> str:
    return "".join(char for char in code[:_SENT_MAX].upper() if char.isascii() and char.isalnum())


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _wrong_code() -> Invalid:
    template = N_("That code is not right, or was used already. Wait for the next one.")
    return Invalid(template, problems=[Problem(Message(template), field="code")])
