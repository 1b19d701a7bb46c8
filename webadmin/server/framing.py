"""What is wrong with how a request is written, where waitress would make something of it.

A server in front of this one may understand an odd request in another way, and then take a part of one client's
request for the next one of somebody else (request smuggling). So whatever can be understood in two ways is refused.
Source of the rules: RFC 9112, sections 3, 5.2 and 6.3.
"""

from __future__ import annotations

import re

from waitress.parser import ParsingError, TransferEncodingNotImplemented

_FIRST_LINE = re.compile(rb"[\w!#$%&'*+.^`|~-]+ ([\x21-\x7e]+) HTTP/1\.([01])", re.ASCII)
_AUTHORITY = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
_BARE_LF = re.compile(rb"(?<!\r)\n")
_BARE_CR = re.compile(rb"\r(?!\n)")


def check_head(head: bytes) -> None:
    """Judge the first line and the headers of a request.

    Raises ParsingError or TransferEncodingNotImplemented; how its text begins is a key of the words in `refusals`.
    """
    if has_bare_line_end(head) or _BARE_CR.search(head):
        raise ParsingError("Bare CR or LF found in HTTP message")
    line, _, fields = head.partition(b"\r\n")
    found = _FIRST_LINE.fullmatch(line)
    if found is None:
        raise ParsingError("Start line is invalid")
    if fields.startswith((b" ", b"\t")) or b"\r\n " in fields or b"\r\n\t" in fields:
        raise ParsingError("Folded header")
    target, is_old = found[1], found[2] == b"0"
    _check_target(target, _values(fields, b"host"))
    encodings = _values(fields, b"transfer-encoding")
    if not encodings:
        return
    if is_old:
        raise ParsingError("Chunks are unknown")
    if _values(fields, b"content-length"):
        raise ParsingError("Both lengths")
    if encodings != [b"chunked"]:
        raise TransferEncodingNotImplemented("Transfer-Encoding requested is not supported.")


def has_bare_line_end(head: bytes) -> bool:
    """Whether a line ends with LF alone. Waitress waits for a right end, which may never come."""
    return _BARE_LF.search(head) is not None


def _check_target(target: bytes, named: list[bytes]) -> None:
    absolute = _AUTHORITY.match(target)
    if absolute is None:
        if not target.startswith(b"/") and target != b"*":
            raise ParsingError("Start line is invalid")
    elif named and absolute[1].lower() != named[0]:
        raise ParsingError("Another host")


def _values(fields: bytes, name: bytes) -> list[bytes]:
    """What is said under a name, in small letters."""
    pairs = (line.partition(b":") for line in fields.split(b"\r\n"))
    return [value.strip(b" \t").lower() for key, _, value in pairs if key.lower() == name]
