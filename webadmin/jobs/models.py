"""What a job is: its row as others see it, how it may end, and what its work gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from webadmin.errors import Message


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


@dataclass(frozen=True, slots=True)
class Waiting:
    """Returned by a work that needs a person's decision before it can go on; see `resume`."""

    result: dict[str, Any]


class Cancelled(Exception):
    """Somebody asked for the task to stop; the work lets it pass, and its transaction rolls back."""
