"""Passwords: what is accepted, how they are kept, how they are compared."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webadmin.errors import N_, Invalid, Message, Problem

MIN_LENGTH = 12
MAX_LENGTH = 256

# OWASP's second setting for argon2id: 19 MiB and about 30 ms, so that forty people who sign in together do not fill
# the memory of a small machine.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# What is left of the usual lists of common passwords at 12 characters and more, one a line, in lower case.
_COMMON_FILE = Path(__file__).with_name("common_passwords.txt")


def check_password(password: str, *, name: str) -> str:
    """Return a password that may be used for the person `name`, normalised. Raises Invalid and says why."""
    try:
        normal = _normalised(password)
    except UnicodeEncodeError:
        raise _refused(N_("This password holds characters that cannot be stored. Use others.")) from None
    if len(normal) > MAX_LENGTH:
        raise _refused(N_("Use at most %(max)d characters."), max=MAX_LENGTH)
    if len(normal) < MIN_LENGTH or _is_guessable(normal.casefold(), name.casefold()):
        raise _refused(N_("Too easy to guess. Use %(min)d characters or more; a phrase is fine."), min=MIN_LENGTH)
    return normal


def hash_password(password: str) -> str:
    """The argon2id hash to store, salt and parameters in it."""
    return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the stored hash; takes as long when there is none (an unknown name)."""
    try:
        normal = _normalised(password[: MAX_LENGTH * 4])
        _hasher.verify(stored or _hash_of_nobody(), normal)
        return stored is not None
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def suggest_password() -> str:
    """A random password, for a reset by somebody else."""
    return "-".join(secrets.token_hex(3) for _ in range(4))


@cache
def _common() -> frozenset[str]:
    return frozenset(_COMMON_FILE.read_text(encoding="utf-8").split())


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash(secrets.token_hex())


def _normalised(password: str) -> str:
    # One keyboard sends é as one code point, another as two.
    normal = unicodedata.normalize("NFC", password)
    normal.encode()
    return normal


def _is_guessable(password: str, name: str) -> bool:
    repeated = any(password == (password[:size] * len(password))[: len(password)] for size in (1, 2, 3, 4))
    without_name = password.replace(name, "") if len(name) > 2 else password
    return password in _common() or repeated or len(without_name) < MIN_LENGTH // 2


def _refused(template: str, **params: Any) -> Invalid:
    return Invalid(template, problems=[Problem(Message(template, params), field="password")], **params)
