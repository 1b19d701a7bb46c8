"""Who is acting: a person, a token, the scheduler, the command line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from webadmin.errors import N_


class ActorKind(StrEnum):
    """The kinds of actor that history tells apart."""

    PERSON = "person"
    TOKEN = "token"  # noqa: S105 (a kind of actor)
    SCHEDULER = "scheduler"
    COMMAND_LINE = "command-line"
    SYSTEM = "system"
    OTHER_PROGRAM = "other-program"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, by name, and with which role; `id` is the number of a person or a token.

    `purposes` are those of a token; None is whatever the role may.
    """

    kind: ActorKind
    name: str
    role: str = "admin"
    id: int | None = None
    purposes: frozenset[str] | None = None


SCHEDULER = Actor(ActorKind.SCHEDULER, N_("scheduler"))
COMMAND_LINE = Actor(ActorKind.COMMAND_LINE, N_("command line"))
SYSTEM = Actor(ActorKind.SYSTEM, N_("system"))
OTHER_PROGRAM = Actor(ActorKind.OTHER_PROGRAM, N_("other program"))
# Names that pages translate; those of people and tokens stand as they are.
BUILT_IN_NAMES = frozenset(actor.name for actor in (SCHEDULER, COMMAND_LINE, SYSTEM, OTHER_PROGRAM))
