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
from webadmin.catalogue.records import JSON_NAMES, LATER, STATUSES, Record, assign, is_same, is_same_raw
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
# Keys that a record keeps as raw text where another program stored what their fields do not take.
_KEPT = frozenset(JSON_NAMES[name] for name in LATER)
_OF_A_MOVE = ("status", "review_note", "version")


@dataclass(frozen=True, slots=True)
class Move:
    """A move to another status; `note` is the new review note, None to clear it, UNSET to leave it."""

    status: str
    version: int
    note: str | UnsetType | None


@dataclass(frozen=True, slots=True)
class Sent:
    """The keys of one JSON object: known ones by the name of their field, others as raw text; null is None.

    `faults` says by key what no field takes; it may come back all the same where another program stored it. `raws`
    holds the texts of such keys, and of those that the record may keep because their field does not take them.
    """

    fields: dict[str, Any]
    extra: dict[str, bytes | None]
    faults: dict[str, Problem]
    raws: dict[str, bytes]

    @property
    def version(self) -> int:
        """The version that the client's change is based on. Raises Invalid when it does not say."""
        version: int | None = self.fields.get("version")
        if version is None or "version" in self.faults:
            self.refuse_faults()
            _refuse([_problem("version", N_("Send the version that your change is based on, a whole number."))])
        return version

    def refuse_faults(self) -> None:
        """Raise Invalid when there are values that no field takes."""
        if self.faults:
            _refuse(list(self.faults.values()))

    def for_new(self) -> tuple[str | None, dict[str, Any]]:
        """The id, if one was sent, and the fields for `create`. Raises Invalid for what only the server sets."""
        self.refuse_faults()
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
        problems = [self.faults[key] for key in self.faults.keys() & self.extra if not self._is_kept(key, current)]
        for name, value in self.fields.items():
            if name == "version" or self._is_unchanged(name, value, current):
                continue
            if JSON_NAMES[name] in self.faults:
                problems.append(self.faults[JSON_NAMES[name]])
            elif name in _SET_BY:
                problems.append(_set_elsewhere(name))
            elif value is None and name not in _CLEARED:
                problems.append(_problem(name, N_("This field cannot be null; leave it out to keep what it holds.")))
            elif name == "tags" and isinstance(value, str):
                problems.append(_no_list())
            else:
                changed[name] = _CLEARED[name] if value is None else value
        if problems:
            _refuse(problems)
        extra = self._extra({key: raw for key, raw in current.extra.items() if _FIELDS.get(key) not in changed})
        return changed if extra == current.extra else changed | {"extra": extra}

    def _is_unchanged(self, name: str, value: Any, current: Record) -> bool:
        key = JSON_NAMES[name]
        return self._is_kept(key, current) if key in current.extra else is_same(getattr(current, name), value)

    def _is_kept(self, key: str, current: Record) -> bool:
        """Whether the record keeps just this text under the key."""
        raw = self.raws.get(key)
        return raw is not None and key in current.extra and is_same_raw(current.extra[key], raw)

    def move(self) -> Move:
        """The move that was asked for. Raises Invalid for a field that has no part in it, or is missing."""
        self.refuse_faults()
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
            if key in self.faults:
                continue
            if raw is None:
                kept.pop(key, None)
            elif not is_same_raw(kept.get(key), raw):
                kept[key] = raw
        return kept


def read_sent(text: bytes) -> Sent:
    """Read the text of a JSON object by the types of contract 4; the keys whose value none of them takes are `faults`.

    Raises Invalid for what is no JSON object.
    """
    try:
        values, raws = strict.read_object(text)
        faults, fields, scratch = strict.unusable(values), {}, Record(id=None, title="")
        for key in values.keys() & _FIELDS.keys():
            name, value = _FIELDS[key], values[key]
            fields[name] = value
            if key in faults or not _is_typed(name, value):
                continue
            reason = assign(scratch, name, value)
            if reason is None:
                fields[name] = getattr(scratch, name)
            else:
                faults[key] = (*reason, {})
        if fields.get("category") == []:
            # The two are one (contract 4), and what holds nothing is not given back.
            fields["category"] = None
        others = [key for key in values if key not in _FIELDS]
        extra = {key: None if values[key] is None or key in faults else raws[key] for key in others}
        kept = {key: raw for key in values.keys() & {*faults, *_KEPT} if (raw := _raw(raws, key)) is not None}
    except strict.NotReadable as error:
        raise Invalid(error.template, **error.params) from None
    said = {key: _named(strict.shown(key), template, **params) for key, (template, params) in faults.items()}
    return Sent(fields, extra, said, kept)


def _raw(raws: dict[str, bytes], key: str) -> bytes | None:
    try:
        return raws[key]
    except strict.NotReadable:
        return None


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
