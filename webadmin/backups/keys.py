"""Which keys the records of another program's file have, for showing where each of them goes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from webadmin import strict

LOOKED_AT = 1_000
"""So many records are looked at: enough to know a file, and nothing beside the time that reading it takes."""
_MOST = 200
_EMPTY = (b"null", b'""', b"[]")
_SAMPLE = 120
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(slots=True)
class SeenKey:
    """A key: in how many records it holds something, and the beginning of the first such value."""

    filled: int = 0
    sample: str | None = None


def look(span: bytes, seen: dict[str, SeenKey]) -> None:
    """Note the keys of one record; what is no object has none."""
    try:
        values = _decoder.decode(span)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    for name, raw in values.items():
        key = strict.shown(name)
        known = seen.get(key)
        if known is None:
            if len(seen) >= _MOST:
                continue
            known = seen[key] = SeenKey()
        value = bytes(raw)
        if value not in _EMPTY:
            known.filled += 1
            known.sample = known.sample or _shown(value)


def _shown(raw: bytes) -> str:
    # A text is shown as it reads; whatever else as it stands.
    try:
        value = msgspec.json.decode(raw) if raw.startswith(b'"') else raw.decode("utf-8", "replace")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        value = raw.decode("utf-8", "replace")
    return str(value)[:_SAMPLE].encode("utf-8", "replace").decode()
