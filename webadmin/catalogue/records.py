"""The portable record: an assistant as backup files, the API and the history carry it.

Together with `backups/format.py` the only place that knows the JSON names. `encode` writes one canonical line;
`decoding.decode` reads any JSON object by the rules of contract 4.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
import regex

from webadmin import strict
from webadmin.errors import N_, Message, Problem

STATUSES = ("draft", "pending", "published", "rejected")
ROBOT = "🤖"
ID_CEILING = 255
TEXT_CEILING_BYTES = 4 * 1024 * 1024
RECORD_CEILING_BYTES = 4_500_000
"""What a record saved here, or in a foreign file, may take by `size_of`: the largest text, and room for the rest.

In memory it takes up to twenty times as much: on both sides, with four bytes for each character of a text that has an
emoji, and once more as it is written.
"""
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

JSON_NAMES: dict[str, str] = {
    field.name: field.encode_name for field in msgspec.structs.fields(Record) if field.name != "extra"
}
"""Python field name to JSON name, in the order in which a record is written."""

_encoder = msgspec.json.Encoder()
_NO_TAIL = b',"category":null,"usageCount":null,"rating":null,"extra":{}}'
_SURROGATE = re.compile("[\ud800-\udfff]")


def size_of(span: bytes) -> int:
    """What a record's JSON text counts against `RECORD_CEILING_BYTES`: its bytes, escapes aside."""
    # Control characters are escaped whenever the record is written.
    controls = span.count(b"\\u000") + span.count(b"\\u001")
    return strict.unescaped_size(span) + 5 * controls


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
