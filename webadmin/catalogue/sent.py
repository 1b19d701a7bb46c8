"""What a client of the API sends for one assistant, and what it comes to beside what is stored (contract 5).

A body holds any of a record's keys. Those that only the server sets may come back as they were given, so that what
was read can be sent again with one change; keys that nobody here knows are kept as their raw JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from msgspec import UNSET, UnsetType

from webadmin import strict
from webadmin.catalogue.records import JSON_NAMES, STATUSES, Record, assign, is_same, is_same_raw
from webadmin.errors import N_, Invalid, Message, Problem

_MOVE = "PATCH /api/assistants/ID/status"
# Fields that only the server sets, and the call that does it.
_SET_BY = {
    "id": "POST /api/assistants",
    "status": _MOVE,
    "created_at": "POST /api/assistants",
    "updated_at": "PUT /api/assistants/ID",
    "reviewed_at": _MOVE,
    "published_at": _MOVE,
    "review_note": _MOVE,
    "version": "PUT /api/assistants/ID",
}
_FIELDS = {key: name for name, key in JSON_NAMES.items()}
# What null stands for in a field that may be cleared.
_CLEARED: dict[str, Any] = {"tags": [], "category": None, "usage_count": None, "rating": None}
_OF_A_MOVE = ("status", "review_note", "version")


@dataclass(frozen=True, slots=True)
class Move:
    """A move to another status; `note` is the new review note, None to clear it, UNSET to leave it."""

    status: str
    version: int
    note: str | UnsetType | None


@dataclass(frozen=True, slots=True)
class Sent:
    """The keys of one JSON object: known ones by the name of their field, others as raw text; null is None."""

    fields: dict[str, Any]
    extra: dict[str, bytes | None]

    @property
    def version(self) -> int:
        """The version that the client's change is based on. Raises Invalid when it does not say."""
        version: int | None = self.fields.get("version")
        if version is None:
            _refuse([_problem("version", N_("Send the version that your change is based on, a whole number."))])
        return version

    def for_new(self) -> tuple[str | None, dict[str, Any]]:
        """The id, if one was sent, and the fields for `create`. Raises Invalid for what only the server sets."""
        problems = [_set_elsewhere(name) for name in self.fields if name in _SET_BY and name != "id"]
        if isinstance(self.fields.get("tags"), str):
            problems.append(_no_list())
        if problems:
            _refuse(problems)
        fields: dict[str, Any] = {name: value for name, value in self.fields.items() if name != "id"}
        fields["extra"] = {key: raw for key, raw in self.extra.items() if raw is not None}
        return self.fields.get("id"), fields

    def changes(self, current: Record) -> dict[str, Any]:
        """The fields that differ from `current`, for `update`, where null clears an optional one.

        Raises Invalid for a field that only the server sets, and for null where there must be a value.
        """
        changed: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, value in self.fields.items():
            if name == "version" or is_same(getattr(current, name), value):
                continue
            if name in _SET_BY:
                problems.append(_set_elsewhere(name))
            elif value is None and name not in _CLEARED:
                problems.append(_problem(name, N_("This field cannot be null; leave it out to keep what it holds.")))
            elif name == "tags" and isinstance(value, str):
                problems.append(_no_list())
            else:
                changed[name] = _CLEARED[name] if value is None else value
        if problems:
            _refuse(problems)
        extra = self._extra(current.extra)
        return changed if extra == current.extra else changed | {"extra": extra}

    def move(self) -> Move:
        """The move that was asked for. Raises Invalid for a field that has no part in it, or is missing."""
        known = ", ".join(JSON_NAMES[name] for name in _OF_A_MOVE)
        others = [JSON_NAMES[name] for name in self.fields if name not in _OF_A_MOVE]
        problems = [
            _named(strict.shown(name), N_("This is not known here; known are %(names)s."), names=known)
            for name in [*others, *self.extra]
        ]
        status = self.fields.get("status")
        if status not in STATUSES:
            problems.append(_problem("status", N_("The status must be draft, pending, published or rejected.")))
        if problems:
            _refuse(problems)
        return Move(str(status), self.version, self.fields.get("review_note", UNSET))

    def _extra(self, stored: dict[str, bytes]) -> dict[str, bytes]:
        kept = dict(stored)
        for key, raw in self.extra.items():
            if raw is None:
                kept.pop(key, None)
            elif not is_same_raw(kept.get(key), raw):
                kept[key] = raw
        return kept


def read_sent(text: bytes) -> Sent:
    """Read the text of a JSON object by the types of contract 4.

    Raises Invalid, naming every key whose value cannot be used.
    """
    try:
        values, raws = strict.read_object(text)
        faults, fields, scratch = strict.unusable(values), {}, Record(id=None, title="")
        for key in values.keys() & _FIELDS.keys() - faults.keys():
            name, value = _FIELDS[key], values[key]
            reason = assign(scratch, name, value) if _is_typed(name, value) else None
            if reason is not None:
                faults[key] = (*reason, {})
            fields[name] = getattr(scratch, name) if _is_typed(name, value) else value
        if fields.get("category") == []:
            # The two are one (contract 4), and what holds nothing is not given back.
            fields["category"] = None
        if faults:
            _refuse([_named(strict.shown(key), template, **params) for key, (template, params) in faults.items()])
        extra = {key: None if value is None else raws[key] for key, value in values.items() if key not in _FIELDS}
    except strict.NotReadable as error:
        raise Invalid(error.template, **error.params) from None
    return Sent(fields, extra)


def _is_typed(name: str, value: Any) -> bool:
    # Null clears. Tags that are a text are no list, but may be what a column holds and come back as they were.
    return value is not None and not (name == "tags" and isinstance(value, str))


@contextmanager
def json_names() -> Iterator[None]:
    """Let problems that are raised inside name their fields as JSON does."""
    try:
        yield
    except Invalid as error:
        error.problems = [replace(each, field=JSON_NAMES.get(each.field or "", each.field)) for each in error.problems]
        raise


def _set_elsewhere(name: str) -> Problem:
    return _problem(name, N_("Only the server sets this; the call that does is %(call)s."), call=_SET_BY[name])


def _no_list() -> Problem:
    return _problem("tags", N_("The tags must be a list of texts."))


def _problem(name: str, template: str, **params: Any) -> Problem:
    return _named(JSON_NAMES[name], template, **params)


def _named(key: str, template: str, **params: Any) -> Problem:
    return Problem(Message(template, params), field=key)


def _refuse(problems: list[Problem]) -> NoReturn:
    raise Invalid(N_("Some fields cannot be used. Nothing was saved."), problems=problems)
