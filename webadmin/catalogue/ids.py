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
    return _tilde_form(assistant_id)


def decode_id(part: str) -> str:
    """The id that a decoded address part names. A part that is no valid `~` form is taken as the id itself.

    The `~` form of an id that needs none is taken too. So an id that looks like the form of another (`~YWJj`, which is
    `abc`) has its own form alone (`~fllXSmo`), the one that `encode_id` gives.
    """
    if not part.startswith("~"):
        return part
    try:
        raw = base64.b64decode(part[1:] + "=" * (-len(part[1:]) % 4), altchars=b"-_", validate=True)
        decoded = raw.decode()
    except (binascii.Error, ValueError):
        return part
    # Base64 that says the same in another way (spare bits, padding) is no form.
    return decoded if _tilde_form(decoded) == part else part


def _tilde_form(assistant_id: str) -> str:
    return "~" + base64.urlsafe_b64encode(assistant_id.encode("utf-8", "surrogatepass")).decode().rstrip("=")
