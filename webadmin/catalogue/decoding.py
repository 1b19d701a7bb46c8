"""Reading a record's JSON text by contract 4: quickly when the text is canonical, strictly when not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from webadmin import strict
from webadmin.catalogue.records import (
    ID_CEILING,
    JSON_NAMES,
    LATER,
    RECORD_CEILING_BYTES,
    STATUSES,
    TEXT_CEILING_BYTES,
    VERSION_CEILING,
    Limits,
    Record,
    assign,
    encode,
    is_longer,
    size_of,
)
from webadmin.errors import N_, Invalid, Message, Problem
from webadmin.strict import is_date

_TAGS_CEILING = 1000
_DATES = ("created_at", "updated_at", "reviewed_at", "published_at")
_LIMITED = ("title", "desc", "prompt", "emoji", "author", "review_note")
_TEXTS = ("title", "desc", "emoji", "prompt", "author", "review_note")
_REQUIRED = {
    "id": N_("The id is missing or empty."),
    "title": N_("The title is missing or empty."),
    "prompt": N_("The prompt is missing or empty."),
}
_decoder = msgspec.json.Decoder(Record)


@dataclass(slots=True)
class _Findings:
    """What is wrong with one record (`problems`), what is only worth saying (`warnings`), and where it stands."""

    index: int | None
    id: str | None
    is_trusted: bool
    problems: list[Problem]
    warnings: list[Problem]

    def problem(self, field: str | None, template: str, **params: Any) -> None:
        self.problems.append(self._say(field, template, params))

    def warning(self, field: str | None, template: str, **params: Any) -> None:
        self.warnings.append(self._say(field, template, params))

    def broken_rule(self, field: str, template: str, **params: Any) -> None:
        """A rule that the earlier system's database did not keep: a file that we made ourselves may carry it."""
        (self.warning if self.is_trusted else self.problem)(field, template, **params)

    def _say(self, field: str | None, template: str, params: dict[str, Any]) -> Problem:
        # A report holds thousands of these, and keys and ids of a file may be of any length.
        return Problem(
            Message(template, params),
            field=field and strict.shown(field),
            index=self.index,
            id=self.id and strict.shown(self.id, ID_CEILING),
        )


def decode(
    span: bytes,
    *,
    index: int | None = None,
    author: str = "",
    created_at: str = "",
    limits: Limits | None = None,
    is_trusted: bool = False,
) -> tuple[Record, list[Problem]]:
    """Read one record's JSON text by contract 4. Returns the record and the warnings about it.

    `author` and `created_at` stand in for what is missing. `is_trusted` is for records of our own making: values
    that no rule allows but some database held (no id, a date in another form) come back as they are, with a warning.
    Raises Invalid, whose problems name index, id and field.
    """
    found = _Findings(index, None, is_trusted, [], [])
    record = None
    if not _is_too_long(span, found):
        record = _canonical(span)
        if record is None:
            record = _build(span, found, author, created_at, limits)
        else:
            found.id = record.id
            _check_rules(record, span, found, frozenset(), limits)
    if found.problems or record is None:
        number = None if index is None else index + 1
        raise Invalid(N_("Record %(number)s cannot be read."), problems=found.problems, number=number)
    return record, found.warnings


def _is_too_long(span: bytes, found: _Findings) -> bool:
    """Whether a record is not even to be decoded, because it, or a text of it, is longer than any may be."""
    if len(span) <= TEXT_CEILING_BYTES or found.is_trusted:
        return False
    if size_of(span) > RECORD_CEILING_BYTES:
        found.problem(None, N_("The record is larger than 4.5 MB."))
        return True
    try:
        for key in strict.long_texts(span, TEXT_CEILING_BYTES):
            found.problem(key, N_("The text is longer than 4 MiB."))
    except strict.NotReadable as error:
        found.problem(None, error.template, **error.params)
    return bool(found.problems)


def _canonical(span: bytes) -> Record | None:
    """The record when the text is exactly what `encode` writes, and holds no kept keys; else None."""
    if b"\\u0000" in span or span.count(b",") > strict.MAX_VALUES:
        return None
    try:
        record = _decoder.decode(span)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    is_plain = not record.extra and not isinstance(record.tags, str)
    return record if is_plain and encode(record) == span else None


def _build(span: bytes, found: _Findings, author: str, created_at: str, limits: Limits | None) -> Record | None:
    try:
        most = strict.MAX_OWN_VALUES if found.is_trusted else strict.MAX_VALUES
        values, raws = strict.read_object(span, most=most)
        return _fill(values, raws, span, found, Record(id=None, title="", author=author, created_at=created_at), limits)
    except strict.NotReadable as error:
        found.problem(None, error.template, **error.params)
        return None


def _fill(
    values: dict[str, Any],
    raws: dict[str, bytes],
    span: bytes,
    found: _Findings,
    record: Record,
    limits: Limits | None,
) -> Record:
    given = values.get("id")
    found.id = given if isinstance(given, str) else None
    for key, (template, params) in strict.unusable(values).items():
        if found.is_trusted and template == strict.NUL:
            found.warning(key, template)
            continue
        found.problem(key, template, **params)
        values[key] = None
    broken = {problem.field for problem in found.problems if problem.field}
    record.version = None if found.is_trusted else 1
    for name, key in JSON_NAMES.items():
        value = values.pop(key, None)
        if value is None:
            continue
        reason = assign(record, name, value)
        if reason is None:
            continue
        if found.is_trusted and name in LATER:
            record.extra[key] = raws[key]
            continue
        found.problem(key, *reason)
        broken.add(key)
    if not found.problems:
        record.extra |= {key: raws[key] for key, value in values.items() if value is not None}
    if isinstance(record.tags, str):
        found.warning("tags", N_("The tags are a text instead of a list; they are kept as they are."))
    _check_rules(record, span, found, frozenset(broken), limits)
    return record


def _check_rules(record: Record, span: bytes, found: _Findings, skip: frozenset[str], limits: Limits | None) -> None:
    """The rules of contract 4 that a value of the right type can break; `skip` names fields that were told already."""
    for name, template in _REQUIRED.items():
        if not getattr(record, name) and name not in skip:
            found.broken_rule(name, template)
    if (record.version or 0) > VERSION_CEILING and "version" not in skip:
        found.broken_rule("version", N_("The version is higher than %(limit)d."), limit=VERSION_CEILING)
    if record.status not in STATUSES and "status" not in skip:
        found.broken_rule("status", N_("The status must be draft, pending, published or rejected."))
    for name in _DATES:
        value = getattr(record, name)
        if value is not None and not is_date(value) and JSON_NAMES[name] not in skip:
            found.broken_rule(JSON_NAMES[name], N_("The date must be like 2024-01-15T10:30:00.000Z or 2024-01-15."))
    _check_ceilings(record, span, found)
    if limits is not None:
        _check_limits(record, limits, found)


def _check_ceilings(record: Record, span: bytes, found: _Findings) -> None:
    if record.id is not None and len(record.id) > ID_CEILING:
        found.broken_rule("id", N_("The id is longer than %(limit)d characters."), limit=ID_CEILING)
    if len(record.tags) > _TAGS_CEILING and isinstance(record.tags, list):
        found.broken_rule("tags", N_("There are more than %(limit)d tags."), limit=_TAGS_CEILING)
    if len(span) <= TEXT_CEILING_BYTES:
        return
    tags: Sequence[str] = [record.tags] if isinstance(record.tags, str) else record.tags
    for name, text in [(name, getattr(record, name) or "") for name in _TEXTS] + [("tags", tag) for tag in tags]:
        if len(text.encode("utf-8", "replace")) > TEXT_CEILING_BYTES:
            found.broken_rule(JSON_NAMES[name], N_("The text is longer than 4 MiB."))


def _check_limits(record: Record, limits: Limits, found: _Findings) -> None:
    too_long = N_("The text is longer than the limit of %(limit)d characters; it is kept whole.")
    for name in _LIMITED:
        text, limit = getattr(record, name), getattr(limits, name)
        if text is not None and is_longer(text, limit):
            found.warning(JSON_NAMES[name], too_long, limit=limit)
    if isinstance(record.tags, list) and record.tags:
        if len(record.tags) > limits.tags:
            found.warning("tags", N_("There are more than %(limit)d tags; all are kept."), limit=limits.tags)
        if any(is_longer(tag, limits.tag) for tag in record.tags):
            found.warning("tags", too_long, limit=limits.tag)
