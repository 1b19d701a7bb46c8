"""What a job is: its row as others see it, how it may end, and what its work gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from webadmin.errors import N_, Message


class State(StrEnum):
    """Where a job stands; `waiting` means for a person's decision."""

    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


class Named(Protocol):
    """What a job needs to know of an actor (accounts lie above this module)."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: code of contract section 5, message, next step, JSON-ready details."""

    code: str
    message: Message
    hint: Message | None = None
    details: Any = None


@dataclass(frozen=True, slots=True)
class Job:
    """One row: who started what, how far it is, how it ended."""

    id: str
    kind: str
    actor_kind: str
    actor_name: str
    title: Message
    params: dict[str, Any]
    state: State
    phase: str | None
    phase_at: str | None
    done: int
    total: int | None
    result: dict[str, Any] | None
    failure: Failure | None
    is_cancel_requested: bool
    holder: str
    created_at: str
    updated_at: str

    @property
    def is_finished(self) -> bool:
        """Whether nothing will happen any more."""
        return self.state not in (State.RUNNING, State.WAITING)


VERIFY_ALL = "verify-all"
"""The kind of the one task whose work counts as far as it came: what was found of each file is noted at once."""

_CANCELLED = Message(N_("Cancelled. Nothing was changed."))
_CANCELLED_BETWEEN = Message(N_("Cancelled. What was found of the files read until then is noted."))
_STOPPED = Message(N_("The program ended in the middle of this task. It was stopped, nothing was changed."))
_STOPPED_BETWEEN = Message(
    N_("The program ended in the middle of this task. What was found of the files read until then is noted.")
)


def end_in_words(job: Job) -> Message:
    """What became of a task that was cancelled, or stopped with its process."""
    if job.kind == VERIFY_ALL:
        return _CANCELLED_BETWEEN if job.state is State.CANCELLED else _STOPPED_BETWEEN
    return _CANCELLED if job.state is State.CANCELLED else _STOPPED


@dataclass(frozen=True, slots=True)
class Waiting:
    """Returned by a work that needs a person's decision before it can go on; see `resume`."""

    result: dict[str, Any]


class Cancelled(Exception):
    """Somebody asked for the task to stop; the work lets it pass, and its transaction rolls back."""
