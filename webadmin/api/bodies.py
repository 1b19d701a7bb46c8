"""The JSON object that a call is sent: its type, its packing, its size, and what its fields may hold.

A body is read whole, since a record has its place in memory; documents of any size go another way (`backups.receive`).
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping
from typing import Any

from flask import request

from webadmin import config, strict
from webadmin.api.parameters import Reader, Unusable
from webadmin.errors import N_, DomainError, Invalid, Message, Problem

MOST_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_CHARSETS = frozenset({"utf-8", "utf8"})
_GZIP = frozenset({"gzip", "x-gzip"})


class UnsupportedType(DomainError):
    """The body is of a type, or packed in a way, that this call does not take; `hint` says what it takes."""

    code = "UNSUPPORTED_MEDIA_TYPE"

    def __init__(self, hint: str) -> None:
        super().__init__(N_("This type of content is not accepted here."), hint=hint)


class TooLarge(DomainError):
    """The body, as it was sent or unpacked, is larger than a call takes."""

    code = "PAYLOAD_TOO_LARGE"

    def __init__(self, limit: int) -> None:
        super().__init__(N_("The body is larger than the limit of %(limit)d bytes."), limit=limit)


def is_utf8() -> bool:
    """Whether the body is said to be UTF-8, or nothing is said of its characters."""
    return request.mimetype_params.get("charset", "utf-8").lower() in _CHARSETS


def receive(*, may_be_empty: bool = False) -> bytes:
    """The text of the JSON body, unpacked and without a byte order mark.

    With `may_be_empty` a request without a body, of whatever type, gives an empty text.

    Raises:
        UnsupportedType: it is not `application/json` in UTF-8, or packed otherwise than with gzip.
        TooLarge: it has more than 16 MiB (or `MAX_UPLOAD_SIZE`), as sent or unpacked.
        Invalid: it is empty, or its gzip is damaged.
    """
    limit = min(MOST_BYTES, config.current().max_upload_size)
    sent = _read(limit)
    if not sent and may_be_empty:
        return b""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    is_known = encoding in _GZIP or encoding in ("", "identity")
    if request.mimetype != "application/json" or not is_utf8() or not is_known:
        raise UnsupportedType(N_("Send a JSON object as application/json in UTF-8, gzip or not."))
    text = _unpacked(sent, limit) if encoding in _GZIP else sent
    if not text.strip():
        raise Invalid(N_("The body is empty; send a JSON object."))
    return text.removeprefix(_BOM)


def read_object(accepted: Mapping[str, Reader], *, required: tuple[str, ...] = (), may_be_empty: bool = False) -> Any:
    """The fields of the JSON body by name, each as its reader gives it; a null that was sent is None.

    Args:
        accepted: how the value of each field that may be sent is read.
        required: the fields that must be sent, and not as null.
        may_be_empty: whether no body at all is as good as an empty object.

    Raises what `receive` raises, and Invalid, naming every field at fault: one that is unknown, is missing, or whose
    value cannot be used.
    """
    text = receive(may_be_empty=may_be_empty)
    values = _decoded(text) if text else {}
    faults: dict[str, tuple[str, dict[str, Any]]] = {
        name: (N_("This field is required."), {}) for name in required if values.get(name) is None
    }
    faults |= strict.unusable(values)
    problems = [Problem(Message(*fault), field=strict.shown(name)) for name, fault in faults.items()]
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in faults:
            continue
        try:
            found[name] = _value(accepted, name, value)
        except Unusable as error:
            problems.append(Problem(error.message, field=strict.shown(name)))
    if problems:
        raise Invalid(N_("A field cannot be used."), problems=problems)
    return found


def a_text(value: Any) -> str:
    """A reader: any text."""
    if not isinstance(value, str):
        raise Unusable(N_("This must be a text."))
    return value


def _value(accepted: Mapping[str, Reader], name: str, value: Any) -> Any:
    if name not in accepted:
        raise Unusable(N_("This is not known here; known are %(names)s."), names=", ".join(accepted))
    return None if value is None else accepted[name](value)


def _decoded(text: bytes) -> dict[str, Any]:
    try:
        values = strict.load(text)
    except strict.NotReadable as error:
        raise Invalid(error.template, **error.params) from None
    if not isinstance(values, dict):
        raise Invalid(N_("The body must be a JSON object, not a list, text or number."))
    return values


def _read(limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise TooLarge(limit)
    text = request.stream.read(limit + 1)
    if len(text) > limit:
        raise TooLarge(limit)
    return text


def _unpacked(packed: bytes, limit: int) -> bytes:
    try:
        text = gzip.GzipFile(fileobj=io.BytesIO(packed)).read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise Invalid(N_("The gzip data is cut or damaged.")) from None
    if len(text) > limit:
        raise TooLarge(limit)
    return text
