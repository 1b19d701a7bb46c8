"""The portable record: an assistant as backup files, the API and the history carry it.

Together with `backups/format.py` the only place that knows the JSON names. `encode` writes one canonical line;
`decode` reads any JSON object by the rules of contract 4, quickly when the text is canonical and strictly when not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
import regex

from webadmin import strict
from webadmin.errors import N_, Invalid, Message, Problem
from webadmin.strict import is_date

STATUSES = ("draft", "pending", "published", "rejected")
ROBOT = "🤖"
ID_CEILING = 255
TEXT_CEILING_BYTES = 4 * 1024 * 1024
TAGS_CEILING = 1000
# The largest whole number that every JSON reader keeps exactly (RFC 8259, section 6).
VERSION_CEILING = 2**53 - 1


class Record(msgspec.Struct, rename="camel"):
    """One assistant. `extra` holds the raw JSON text of every key that nobody here knows.

    `tags` is a text where the column holds no JSON array of texts; it is then kept as it is.
    """

    id: str | None
    title: str
    desc: str = ""
    emoji: str = ROBOT
    prompt: str = ""
    tags: list[str] | str = []
    is_public: bool = False
    status: str = "draft"
    author: str = ""
    created_at: str = ""
    updated_at: str | None = None
    reviewed_at: str | None = None
    published_at: str | None = None
    review_note: str | None = None
    version: int | None = 1
    category: list[Any] | None = None
    usage_count: int | None = None
    rating: float | None = None
    extra: dict[str, bytes] = {}

    @property
    def edited_at(self) -> str:
        """When it was last changed: `updated_at`, else `created_at`."""
        return self.updated_at or self.created_at


@dataclass(frozen=True, slots=True)
class Limits:
    """The lengths of contract 5 in user-perceived characters, and the number of tags; beyond them import warns."""

    title: int = 200
    desc: int = 1_000
    prompt: int = 262_144
    emoji: int = 512
    author: int = 100
    id: int = 255
    review_note: int = 2_000
    tags: int = 32
    tag: int = 100


LATER = ("category", "usage_count", "rating")
DATES = ("created_at", "updated_at", "reviewed_at", "published_at")
_LIMITED = ("title", "desc", "prompt", "emoji", "author", "review_note")
_TEXTS = ("title", "desc", "emoji", "prompt", "author", "review_note")
_REQUIRED = {
    "id": N_("The id is missing or empty."),
    "title": N_("The title is missing or empty."),
    "prompt": N_("The prompt is missing or empty."),
}

JSON_NAMES: dict[str, str] = {
    field.name: field.encode_name for field in msgspec.structs.fields(Record) if field.name != "extra"
}
"""Python field name to JSON name, in the order in which a record is written."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_NO_TAIL = b',"category":null,"usageCount":null,"rating":null,"extra":{}}'
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(record: Record, report: list[Problem] | None = None) -> bytes:
    """The record as one canonical line of JSON, without the line end.

    The fifteen keys of the contract in its order, then those of later versions that hold something, then kept keys by
    name. What JSON cannot carry is replaced (a lone surrogate by U+FFFD, a rating that is no number by nothing) and
    named in `report`; nothing that a database can hold makes it fail.
    """
    try:
        data = _encoder.encode(record)
    except UnicodeEncodeError:
        record = _without_surrogates(record, report)
        data = _encoder.encode(record)
    return data[: -len(_NO_TAIL)] + b"}" if data.endswith(_NO_TAIL) else _with_tail(record, report)


def _with_tail(record: Record, report: list[Problem] | None) -> bytes:
    bare = _encoder.encode(msgspec.structs.replace(record, category=None, usage_count=None, rating=None, extra={}))
    parts = [bare[: -len(_NO_TAIL)]]
    for name in LATER:
        value = getattr(record, name)
        if isinstance(value, float) and not math.isfinite(value):
            _add(report, record, name, N_("JSON cannot carry this value; it was left out."))
        elif value is not None:
            parts.append(_key(JSON_NAMES[name]) + _encoder.encode(value))
    parts.extend(_key(name) + record.extra[name] for name in sorted(record.extra))
    return b"".join(parts) + b"}"


def _key(name: str) -> bytes:
    return b"," + _encoder.encode(name) + b":"


def _without_surrogates(record: Record, report: list[Problem] | None) -> Record:
    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return _SURROGATE.sub("\ufffd", value)
        return [clean(item) for item in value] if isinstance(value, list) else value

    values = {name: clean(getattr(record, name)) for name in JSON_NAMES}
    for name, value in values.items():
        if value != getattr(record, name):
            _add(report, record, name, N_("The text holds half of a surrogate pair, which was replaced by U+FFFD."))
    extra = {clean(name): raw for name, raw in record.extra.items()}
    return msgspec.structs.replace(record, **values, extra=extra)


def _add(report: list[Problem] | None, record: Record, name: str, template: str) -> None:
    if report is not None:
        report.append(Problem(Message(template), field=JSON_NAMES[name], id=record.id))


def equal(a: Record, b: Record) -> bool:
    """Whether two records are equal by contract 4; a different `version` alone makes no difference."""
    if a.category is None and b.category is None and a == b:
        return True
    return not changed_fields(a, b)


def changed_fields(a: Record, b: Record) -> list[str]:
    """The names of the fields that differ, `version` aside: Python names, and kept keys as they are called."""
    changed = [name for name in JSON_NAMES if name != "version" and not is_same(getattr(a, name), getattr(b, name))]
    changed += [
        key for key in sorted(a.extra.keys() | b.extra.keys()) if not is_same_raw(a.extra.get(key), b.extra.get(key))
    ]
    return changed


def is_same(a: Any, b: Any) -> bool:
    """Whether two values of a field are equal by contract 4: null and an empty list are one."""
    return _same(_filled(a), _filled(b))


def is_same_raw(a: bytes | None, b: bytes | None) -> bool:
    """The same of two raw JSON texts; None stands for a key that is absent."""
    return a == b or _same(_value(a), _value(b))


def _filled(value: Any) -> Any:
    return None if value == [] else value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    # In Python True equals 1; in JSON they are two values.
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _value(raw: bytes | None) -> Any:
    return None if raw is None else _filled(strict.load(raw.decode(), number=Decimal))


def next_version(*versions: int | None) -> int:
    """The version above all of these. Another program may have stored the highest there is: it is then kept."""
    return min(max(version or 0 for version in versions) + 1, 2**63 - 1)


def count_characters(text: str) -> int:
    """The number of user-perceived characters (extended grapheme clusters)."""
    return sum(1 for _ in regex.finditer(r"\X", text))


def is_longer(text: str, limit: int) -> bool:
    """Whether the text has more than `limit` user-perceived characters; they never outnumber the code points."""
    if len(text) <= limit:
        return False
    return next(islice(regex.finditer(r"\X", text), limit, None), None) is not None


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
    if not _has_long_text(span, found):
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


def _has_long_text(span: bytes, found: _Findings) -> bool:
    """Whether a record is not even to be decoded, because of texts that are longer than any may be."""
    if len(span) <= TEXT_CEILING_BYTES or found.is_trusted:
        return False
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


def assign(record: Record, name: str, value: Any) -> tuple[str] | None:
    """Set a field when the value has its type; else return why not."""
    if name in ("version", "usage_count"):
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        if type(value) is not int or not -(2**63) <= value < 2**63:
            return (N_("This must be a whole number of at most 64 bits."),)
    elif name == "rating":
        if type(value) not in (int, float) or not _is_exact_float(value):
            return (N_("This must be a number that 64-bit floating point can hold."),)
        value = float(value)
    elif name == "is_public":
        if type(value) is not bool:
            return (N_("This must be true or false."),)
    elif name == "tags":
        if isinstance(value, str):
            value = tags_of(value)
        elif not (isinstance(value, list) and all(isinstance(tag, str) for tag in value)):
            return (N_("The tags must be a list of texts."),)
    elif name == "category":
        if not isinstance(value, list) or not strict.fits_64_bits(value):
            return (N_("This must be a list, with numbers of at most 64 bits."),)
    elif not isinstance(value, str):
        return (N_("This must be a text."),)
    setattr(record, name, value)
    return None


def _is_exact_float(value: float) -> bool:
    try:
        return math.isfinite(value) and float(value) == value
    except OverflowError:
        return False


def tags_of(column: str) -> list[str] | str:
    """What the text of the column `tags` stands for: a list where it is a JSON array of texts, else itself."""
    try:
        tags = _tags_decoder.decode(column) if column else []
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return column
    return tags if len(tags) <= strict.MAX_VALUES else column


_tags_decoder = msgspec.json.Decoder(list[str])


def list_of(column: str) -> list[Any] | None:
    """What the text of the column `category` stands for; None where a list of JSON could not carry it as it is."""
    try:
        found = strict.load(column)
    except strict.NotReadable:
        return None
    return (
        found if isinstance(found, list) and not strict.unusable({"": found}) and strict.fits_64_bits(found) else None
    )


def _check_rules(record: Record, span: bytes, found: _Findings, skip: frozenset[str], limits: Limits | None) -> None:
    """The rules of contract 4 that a value of the right type can break; `skip` names fields that were told already."""
    for name, template in _REQUIRED.items():
        if not getattr(record, name) and name not in skip:
            found.broken_rule(name, template)
    if (record.version or 0) > VERSION_CEILING and "version" not in skip:
        found.broken_rule("version", N_("The version is higher than %(limit)d."), limit=VERSION_CEILING)
    if record.status not in STATUSES and "status" not in skip:
        found.broken_rule("status", N_("The status must be draft, pending, published or rejected."))
    for name in DATES:
        value = getattr(record, name)
        if value is not None and not is_date(value) and JSON_NAMES[name] not in skip:
            found.broken_rule(JSON_NAMES[name], N_("The date must be like 2024-01-15T10:30:00.000Z or 2024-01-15."))
    _check_ceilings(record, span, found)
    if limits is not None:
        _check_limits(record, limits, found)


def _check_ceilings(record: Record, span: bytes, found: _Findings) -> None:
    if record.id is not None and len(record.id) > ID_CEILING:
        found.broken_rule("id", N_("The id is longer than %(limit)d characters."), limit=ID_CEILING)
    if len(record.tags) > TAGS_CEILING and isinstance(record.tags, list):
        found.broken_rule("tags", N_("There are more than %(limit)d tags."), limit=TAGS_CEILING)
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
