"""Cursors: where a page of a list begins, in a text that is handed back as it was given.

A cursor carries a checksum over itself and what the list shows, so that one that was altered, or belongs to another
list, is told from one of ours.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from webadmin.errors import N_, Invalid, Message, Problem

_CHECKSUM_BYTES = 8
_HIGHEST_ROW = 2**53


class Stored(NamedTuple):
    """A value of a column exactly as it is stored: a text, which need not be UTF-8, or a BLOB."""

    raw: bytes
    is_text: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """A page begins after (or, backwards, before) the row with this key and id; `first` is its row number."""

    key: Stored
    id: Stored
    is_backward: bool = False
    first: int = 1


class ForeignCursor(Invalid):
    """The cursor is none of ours, or one of another list."""

    code = "INVALID_PARAMETER"

    def __init__(self) -> None:
        super().__init__(
            N_("This cursor does not belong to this list."),
            problems=[Problem(Message(N_("Start again without a cursor.")), field="cursor")],
        )


_decoder = msgspec.msgpack.Decoder(tuple[Stored, Stored, bool, int])


def write(cursor: Cursor, scope: tuple[Any, ...]) -> str:
    """The text of a cursor; `scope` is all that makes the list what it is."""
    packed = msgspec.msgpack.encode((cursor.key, cursor.id, cursor.is_backward, cursor.first))
    return base64.urlsafe_b64encode(_checksum(packed, scope) + packed).decode().rstrip("=")


def read(text: str, scope: tuple[Any, ...]) -> Cursor:
    """The cursor that `write` made this text of for the same scope. Raises ForeignCursor for any other text."""
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = Cursor(*_decoder.decode(found[_CHECKSUM_BYTES:]))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise ForeignCursor from None
    # Only the very text that was given out is taken: the checksum, and the bits of base64 that say nothing.
    if write(cursor, scope) != text or abs(cursor.first) > _HIGHEST_ROW:
        raise ForeignCursor
    return cursor


def _checksum(packed: bytes, scope: tuple[Any, ...]) -> bytes:
    return blake2b(packed + msgspec.msgpack.encode(scope), digest_size=_CHECKSUM_BYTES).digest()
