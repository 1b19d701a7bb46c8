"""Assistant ids in addresses (contract 5, last paragraph)."""

from __future__ import annotations

import base64
import binascii
import re

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_RESERVED = frozenset({"new", "backup"})


def encode_id(assistant_id: str) -> str:
    """The last part of an address for any id: itself where that is safe, else `~` + base64url of its UTF-8 bytes."""
    if _PLAIN.fullmatch(assistant_id) and assistant_id not in _RESERVED:
        return assistant_id
    return "~" + base64.urlsafe_b64encode(assistant_id.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def decode_id(part: str) -> str:
    """The id that a decoded address part names. A part that is no valid `~` form is taken as the id itself."""
    if not part.startswith("~"):
        return part
    try:
        raw = base64.b64decode(part[1:] + "=" * (-len(part[1:]) % 4), altchars=b"-_", validate=True)
        decoded = raw.decode()
    except (binascii.Error, ValueError):
        return part
    return decoded if encode_id(decoded) == part else part
