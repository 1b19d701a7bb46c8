"""Passwords: what is accepted, how they are kept, how they are compared."""

from __future__ import annotations

import secrets
import unicodedata
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webadmin.errors import N_, Invalid, Message, Problem

MIN_LENGTH = 12
MAX_LENGTH = 256
# What a form has in the place of bytes that are no text: several of them would be the same.
NO_TEXT = "\ufffd"

# OWASP's second setting for argon2id: 19 MiB and about 30 ms, so that forty people who sign in together do not fill
# the memory of a small machine.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# What a hash of nobody's password looks like, made with these parameters, so that an unknown name takes as long as a
# known one from the first try on.
_HASH_OF_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$y13wlNSOg1dA9jIBab8RXg$/BCkb/hBjaIB0zKYUV5o3+3BCPK1vMBbBQie1JQAa3o"

# The passwords of 12 characters and more among the million most frequent of published breaches, one a line, sorted, in
# lower case (docs/decisions.md).
_COMMON_FILE = Path(__file__).with_name("common_passwords.txt")


def check_password(password: str, *, name: str) -> str:
    """Return a password that may be used for the person `name`, normalised. Raises Invalid and says why."""
    try:
        # Longer by far than any spelling of what may be set: nothing that is cut off makes it right.
        normal = _normalised(password[: MAX_LENGTH * 4 + 1])
    except UnicodeEncodeError:
        normal = NO_TEXT
    if NO_TEXT in normal:
        raise _refused(N_("This password holds characters that cannot be stored. Use others."))
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
        _hasher.verify(stored or _HASH_OF_NOBODY, normal)
        return stored is not None
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def suggest_password() -> str:
    """A random password, for a reset by somebody else."""
    return "-".join(secrets.token_hex(3) for _ in range(4))


def _is_common(password: str) -> bool:
    # Read for each password that is chosen (0.5 ms): kept, it would take 5 MB of every process.
    return b"\n%s\n" % password.encode() in b"\n" + _COMMON_FILE.read_bytes()


def _normalised(password: str) -> str:
    # One keyboard sends é as one code point, another as two.
    normal = unicodedata.normalize("NFC", password)
    normal.encode()
    return normal


def _is_guessable(password: str, name: str) -> bool:
    repeated = any(password == (password[:size] * len(password))[: len(password)] for size in (1, 2, 3, 4))
    without_name = password.replace(name, "") if len(name) > 2 else password
    return _is_common(password) or repeated or len(without_name) < MIN_LENGTH // 2


def _refused(template: str, **params: Any) -> Invalid:
    return Invalid(template, problems=[Problem(Message(template, params), field="password")], **params)
