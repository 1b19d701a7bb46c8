"""Writing an entry: who did what to which thing, from where, with references to what it was before and after.

An entry never holds what it refers to: no prompt, no password, token, cookie or value of a secret setting. Details are
names and numbers; whoever adds one sees to that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webadmin import clock
from webadmin.audit.acts import Act, Kind, Result

# In characters. A title from a file may have millions of them.
_TEXT_MAX = 255
_LIST_MAX = 50
COLUMNS = (
    "at", "who_kind", "who_id", "who_name", "act", "result", "thing_kind", "thing_id", "thing_name", "way", "address",
    "before_ref", "after_ref", "details",
)  # fmt: skip
_INSERT = f"INSERT INTO aa_audit ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 (constants)


class Who(Protocol):
    """Who acts: `accounts.Actor`. `id` is the number of a person or a token."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Nobody:
    kind: str = "nobody"
    name: str | None = None
    id: int | None = None


NOBODY: Who = _Nobody()
"""Whoever was refused before anybody knew who it was."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What an act was done to: its kind, what identifies it there, and its name at that time."""

    kind: Kind
    id: object = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The way in, and the client's address; on the command line the account of the system."""

    way: str = "program"
    address: str | None = None


_origin: ContextVar[Origin] = ContextVar("audit_origin", default=Origin())  # noqa: B039 (frozen)


def origin() -> Origin:
    """Where what runs now came from."""
    return _origin.get()


def come_from(way: str, address: str | None = None) -> None:
    """Say where what runs from now on, in this context, came from: a door says so for each request or command."""
    _origin.set(Origin(way, address))


@contextmanager
def coming_from(where: Origin) -> Iterator[None]:
    """As `come_from`, until the end of the block: for a thread that goes on with what a request began."""
    token = _origin.set(where)
    try:
        yield
    finally:
        _origin.reset(token)


def record(
    session: Session | Connection,
    who: Who,
    act: Act,
    thing: Thing | None = None,
    *,
    result: Result = Result.DONE,
    before: str | None = None,
    after: str | None = None,
    **details: Any,
) -> None:
    """Write an entry in the caller's transaction: the act and its entry are there both, or neither.

    `before` and `after` refer to what holds the states, `revision:17`, `backup:NAME` or `task:ID`. `details` are small:
    numbers, names, roles; those that are None or empty are left out. Raises the errors of the database.
    """
    connection = session.connection() if isinstance(session, Session) else session
    write(connection, values(who, act, thing, result, before, after, details))


def values(
    who: Who,
    act: Act,
    thing: Thing | None,
    result: Result,
    before: str | None,
    after: str | None,
    details: dict[str, Any],
) -> tuple[str | None, ...]:
    """The columns of an entry that is made now."""
    told = {name: _small(value) for name, value in details.items() if value not in (None, "", [], {}, ())}
    return (
        clock.now_text(),
        str(who.kind),
        _text(who.id),
        _text(who.name),
        str(act),
        str(result),
        str(thing.kind) if thing else None,
        _text(thing.id) if thing else None,
        _text(thing.name) if thing else None,
        origin().way,
        _text(origin().address),
        _text(before),
        _text(after),
        json.dumps(told, ensure_ascii=False),
    )


def write(connection: Connection, entry: tuple[str | None, ...]) -> None:
    """Write the columns that `values` made."""
    connection.exec_driver_sql(_INSERT, entry)


def _text(value: object) -> str | None:
    """A text that any database stores and no page is long with."""
    if value is None:
        return None
    whole = str(value).encode(errors="replace").decode().replace("\0", "\ufffd")
    return whole if len(whole) <= _TEXT_MAX else whole[: _TEXT_MAX - 1] + "…"


def _small(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {_text(name): _small(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        several = sorted(value) if isinstance(value, set | frozenset) else list(value)
        return [_small(each) for each in several[:_LIST_MAX]] + (["…"] if len(several) > _LIST_MAX else [])
    return _text(value)
