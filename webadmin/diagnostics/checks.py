"""What a check is and comes to; running several, of which one that fails is a finding of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from webadmin import db
from webadmin.errors import N_, DomainError, Message


class CheckState(StrEnum):
    """What a check found; a `bad` one makes `flask doctor` fail."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `code` is stable, `fact` is measured, `next_step` is None where nothing is to be done."""

    code: str
    name: Message
    state: CheckState
    fact: Message
    next_step: Message | None = None
    details: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check comes to, before its code and name are put on it."""

    state: CheckState
    fact: Message
    next_step: Message | None = None
    details: tuple[Message, ...] = ()


Named = tuple[str, str, Callable[[], Finding]]
"""A check to run: its code, its name, the function."""


def run_each(checks: Iterable[Named]) -> list[Check]:
    """Run checks given as code, name and function; one that fails is a finding of its own."""
    return [_run(code, name, check) for code, name, check in checks]


def has_failed(checks: list[Check]) -> bool:
    """Whether one of them is red."""
    return any(check.state is CheckState.BAD for check in checks)


def _run(code: str, name: str, check: Callable[[], Finding]) -> Check:
    try:
        with db.translated_errors():
            found = check()
    except DomainError as error:
        found = Finding(CheckState.BAD, error.message, error.hint)
    except OSError as error:
        reason = Message(N_("It could not be looked at: %(reason)s"), {"reason": error.strerror or str(error)})
        found = Finding(CheckState.BAD, reason)
    return Check(code, Message(name), found.state, found.fact, found.next_step, found.details)


def ok(fact: str, **params: object) -> Finding:
    """All is well, and this is the fact."""
    return Finding(CheckState.OK, Message(fact, params))


def warn(fact: str, next_step: str, **params: object) -> Finding:
    """Worth a look, and the next step."""
    return Finding(CheckState.WARN, Message(fact, params), Message(next_step, params))


def bad(fact: str, next_step: str, **params: object) -> Finding:
    """Not working, and the next step."""
    return Finding(CheckState.BAD, Message(fact, params), Message(next_step, params))
