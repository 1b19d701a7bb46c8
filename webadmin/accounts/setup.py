"""The first account: by a one-time setup code, or from `ADMIN_USERNAME` and `ADMIN_PASSWORD`."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from sqlalchemy.orm import Session

from webadmin import config, disk, keyfile
from webadmin.accounts import tries
from webadmin.accounts.actor import SYSTEM
from webadmin.accounts.models import User
from webadmin.accounts.users import add_user, any_users
from webadmin.errors import N_, Conflict, Invalid, Message, Problem

# No I, L, O, U, 0, 1: the code is read from a terminal and typed.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def setup_code(session: Session) -> str | None:
    """The code that lets somebody make the first account; None (and its file removed) once there is one."""
    if any_users(session):
        forget_setup_code()
        return None
    return keyfile.read_or_make(_path(), _new_code)


def create_first(session: Session, *, code: str, name: str, password: str, address: str | None = None) -> User:
    """Make the first account, an administrator. Tries of the code are counted by `address`.

    Raises Conflict when there is one already, Invalid when the code is wrong or name or password are refused,
    TooManyTries.
    The caller calls `forget_setup_code` after its commit.
    """
    expected = setup_code(session)
    if expected is None:
        raise Conflict(N_("The first account exists already."), hint=N_("Sign in."))
    counted = tries.at_setup(address)
    if not hmac.compare_digest(_plain(code), _plain(expected)):
        template = N_("That is not the setup code. The server's terminal shows it, and so does “flask setup-code”.")
        raise Invalid(template, problems=[Problem(Message(template), field="code")])
    counted.forgive()
    return add_user(session, SYSTEM, name, password)


def create_from_settings(session: Session) -> User | None:
    """Make the first administrator from the settings, when they name one and there is nobody yet. Raises Invalid."""
    settings = config.current()
    if not settings.admin_username or not settings.admin_password or any_users(session):
        return None
    return add_user(session, SYSTEM, settings.admin_username, settings.admin_password)


def forget_setup_code() -> None:
    """Remove the file with the setup code."""
    disk.remove(_path())


def _path() -> Path:
    return config.current().database_path.parent / "setup-code"


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _plain(code: str) -> bytes:
    return code.upper().replace("-", "").replace(" ", "").encode(errors="replace")
