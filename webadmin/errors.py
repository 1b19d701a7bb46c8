"""The error family: something a person can act on, said once and shown by every way in.

A message is a gettext template with named parameters, so that pages can translate it; `str(error)` is the English text
that the JSON API, the command line and the log use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def N_(template: str) -> str:
    """Mark a message template for extraction; pages translate it when they show it."""
    return template


@dataclass(frozen=True, slots=True)
class Message:
    """A gettext template with its named parameters: `Message(N_("%(n)d left"), {"n": 3})`."""

    template: str
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template % self.params if self.params else self.template

    @classmethod
    def stored(cls, fields: dict[str, Any]) -> Message:
        """The message that `dataclasses.asdict` made these of, with the messages among its parameters."""
        params = fields["params"].items()
        return cls(fields["template"], {name: cls.stored(p) if isinstance(p, dict) else p for name, p in params})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where (record index from 0, id, field or None each) and why."""

    message: Message
    field: str | None = None
    index: int | None = None
    id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The problem as contract 5 shows it."""
        return {"index": self.index, "id": self.id, "field": self.field, "message": str(self.message)}


class DomainError(Exception):
    """Something a person can act on: what happened, and what to do next.

    `code` is the stable word of contract section 5, `hint` the next step or None.
    """

    code = "INTERNAL_ERROR"

    def __init__(self, template: str, *, hint: str | None = None, **params: Any) -> None:
        self.message = Message(template, params)
        self.hint = Message(hint, params) if hint else None
        super().__init__(str(self.message))

    def details(self) -> Any:
        """JSON-ready details for the API's error body, or None."""
        return None


class NotFound(DomainError):
    """There is no such thing, or no longer."""

    code = "NOT_FOUND"


class Forbidden(DomainError):
    """This actor may not do this."""

    code = "FORBIDDEN"


class Invalid(DomainError):
    """The input breaks rules; `problems` names every one that was found."""

    code = "VALIDATION_ERROR"

    def __init__(
        self, template: str, *, problems: Sequence[Problem] = (), hint: str | None = None, **params: Any
    ) -> None:
        super().__init__(template, hint=hint, **params)
        self.problems = list(problems)

    def details(self) -> Any:
        """The problems as `[{"index", "id", "field", "message"}]`."""
        return [problem.as_json() for problem in self.problems] or None


class Conflict(DomainError):
    """Somebody changed it meanwhile, or it exists already."""

    code = "CONFLICT"


class StaleVersion(Conflict):
    """A write was based on a version that is no longer the current one."""

    code = "VERSION_CONFLICT"

    def __init__(self, *, current: int, requested: int) -> None:
        self.current = current
        self.requested = requested
        super().__init__(
            N_("Someone else saved this first: it is at version %(current)d, yours is based on %(requested)d."),
            hint=N_("Load the current version and apply your change to it."),
            current=current,
            requested=requested,
        )

    def details(self) -> Any:
        return {"currentVersion": self.current, "requestedVersion": self.requested}


class Unavailable(DomainError):
    """Cannot be done now; the hint names the remedy. `retry_after_seconds` where waiting helps."""

    code = "SERVICE_UNAVAILABLE"
    retry_after_seconds: int | None = None
