"""Strict reading of one JSON value: whatever JSON leaves open or libraries let pass is refused in words.

Duplicate keys, NaN, half surrogate pairs, NUL, numbers of thousands of digits, nesting without end.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from webadmin.errors import N_

MAX_DEPTH = 100
MAX_VALUES = 100_000
# A record that was stored in parts (tags, category and kept keys, each within the bound) is read again as one.
MAX_OWN_VALUES = 4 * MAX_VALUES
MAX_DIGITS = 1000

_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|([\[{])|([\]}])|(,)', re.DOTALL)
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_raws = msgspec.json.Decoder(dict[str, msgspec.Raw])

_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))?", re.ASCII
)


class NotReadable(Exception):
    """The text is no JSON value that can be taken: a message template with its parameters."""

    def __init__(self, template: str, **params: Any) -> None:
        super().__init__(template % params if params else template)
        self.template = template
        self.params = params


class _Unusable:
    """Stands in the decoded value for a number that is none or is too long, until its field can be named."""

    def __init__(self, template: str, **params: Any) -> None:
        self.reason = (template, params)


@lru_cache(maxsize=4096)
def is_date(text: str) -> bool:
    """Whether the text is RFC 3339 or `YYYY-MM-DD`, a day of the calendar and a time of the clock."""
    found = _DATE.fullmatch(text)
    if not found:
        return False
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        # RFC 3339 allows a leap second, which Python's clock does not know.
        datetime(year, month, day, hour, minute, min(second, 59) if second <= 60 else second, tzinfo=UTC)
    except ValueError:
        return False
    return True


def to_instant(text: str | None) -> datetime | None:
    """The instant that a date stands for, a day being its first moment in UTC; None when it is no date."""
    if text is None or not is_date(text):
        return None
    try:
        found = datetime.fromisoformat(text.upper().replace(":60", ":59"))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def load(raw: bytes | str, *, number: Callable[[str], Any] = float, most: int = MAX_VALUES) -> Any:
    """Decode one JSON value of at most `most` parts; `number` makes the value of every number that is not a whole one.

    Raises NotReadable.
    """

    def whole(digits: str) -> Any:
        if len(digits) > MAX_DIGITS:
            return _Unusable(N_("A number has more than %(limit)d digits."), limit=MAX_DIGITS)
        return int(digits)

    def constant(name: str) -> Any:
        return _Unusable(N_("%(name)s is not a number that JSON knows."), name=name)

    def fraction(digits: str) -> Any:
        return whole(digits) if len(digits) > MAX_DIGITS else number(digits)

    text = _decoded(raw) if isinstance(raw, bytes) else raw
    check_size(text, most=most)
    try:
        return json.loads(
            text, object_pairs_hook=_pairs, parse_int=whole, parse_float=fraction, parse_constant=constant
        )
    except json.JSONDecodeError as error:
        raise NotReadable(N_("This is not valid JSON, at character %(position)d."), position=error.pos + 1) from None


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotReadable(N_("The text is not valid UTF-8, at byte %(position)d."), position=error.start + 1) from None


def check_size(text: str, *, most: int = MAX_VALUES) -> None:
    """Raise NotReadable for JSON that would take the decoder too deep, or fill memory with millions of tiny values."""
    if text.count("[") + text.count("{") <= MAX_DEPTH and text.count(",") <= most:
        return
    depth = values = 0
    for token in _STRUCTURE.finditer(text.encode("utf-8", "surrogatepass")):
        depth += bool(token[1]) - bool(token[2])
        values += bool(token[1] or token[3])
        if depth > MAX_DEPTH:
            raise NotReadable(N_("The values are nested more than %(limit)d levels deep."), limit=MAX_DEPTH)
        if values > most:
            raise NotReadable(N_("There are more than %(limit)d values in it."), limit=most)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NotReadable(N_("The key «%(key)s» stands there twice."), key=shown(key))
            seen.add(key)
    return made


def shown(text: str, most: int = 60) -> str:
    """The first `most` characters of any text, in a form that can be printed and encoded."""
    return text[:most].encode("utf-8", "replace").decode()


def read_object(span: bytes, *, most: int = MAX_VALUES) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Decode one JSON object: its values, and the raw JSON text of each without needless white space.

    Values may still hold what `unusable` finds. Raises NotReadable.
    """
    values = load(span, most=most)
    if not isinstance(values, dict):
        raise NotReadable(N_("A record must be an object with keys, not a list, text or number."))
    if _SUSPECT.search(span) and any(_bad_text(key) for key in values):
        raise NotReadable(N_("The name of a key holds NUL or half of a surrogate pair."))
    return values, _Raws(span)


def long_texts(span: bytes, most: int) -> list[str]:
    """The keys of an object that hold, at any depth, a text of more than `most` bytes; told without decoding it.

    Decoded, one such text may take four times its size, and more than once. What only its escapes make so long is not
    told. Raises NotReadable.
    """
    if not _has_long_text(span, most):
        return []
    try:
        return [key for key, raw in _raws.decode(span).items() if _has_long_text(memoryview(raw), most)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotReadable(N_("This is not valid JSON: %(reason)s."), reason=str(error)) from None


def _has_long_text(span: bytes | memoryview, most: int) -> bool:
    for found in _TEXT.finditer(span):
        if found.end() - found.start() - 2 > most and unescaped_size(bytes(found[0])) - 2 > most:
            return True
    return False


def unescaped_size(raw: bytes) -> int:
    """About how many bytes a JSON text has when its escapes are gone; never more than it has."""
    # An escape stands for at least one byte: six bytes do where it names a code point, two elsewhere.
    return len(raw) - raw.count(b"\\") - 4 * raw.count(b"\\u")


class _Raws(dict[str, bytes]):
    """The raw text of each key, cut out only when one is asked for: most records have none that is kept."""

    def __init__(self, span: bytes) -> None:
        super().__init__()
        self._span = span

    def __missing__(self, key: str) -> bytes:
        self.update({k: bytes(msgspec.json.format(bytes(raw), indent=-1)) for k, raw in self._cut().items()})
        return self[key]

    def _cut(self) -> dict[str, msgspec.Raw]:
        try:
            return _raws.decode(self._span)
        except msgspec.MsgspecError as error:
            raise NotReadable(N_("This is not valid JSON: %(reason)s."), reason=str(error)) from None


NUL = N_("A NUL character cannot be stored. Remove it.")


def unusable(values: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The keys whose value, at any depth, holds a number or text that is refused, each with the reason."""
    found = {}
    for key, value in values.items():
        reason = _reason(value)
        if reason:
            found[key] = reason
    return found


def _reason(value: Any) -> tuple[str, dict[str, Any]] | None:
    if isinstance(value, str):
        return _bad_text(value)
    if isinstance(value, _Unusable):
        return value.reason
    if isinstance(value, list):
        return next(filter(None, map(_reason, value)), None)
    if isinstance(value, dict):
        return next(filter(None, (_bad_text(k) or _reason(v) for k, v in value.items())), None)
    return None


def _bad_text(text: str) -> tuple[str, dict[str, Any]] | None:
    if "\0" in text:
        return NUL, {}
    try:
        text.encode()
    except UnicodeEncodeError:
        return N_("The text holds half of a surrogate pair, which is no character."), {}
    return None


def fits_64_bits(value: Any) -> bool:
    """Whether every number in a decoded value can be stored in 64 bits."""
    if isinstance(value, list):
        return all(map(fits_64_bits, value))
    if isinstance(value, dict):
        return all(map(fits_64_bits, value.values()))
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63
