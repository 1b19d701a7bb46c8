"""How the text of a setting becomes a value, and what is accepted, in words."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import time
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Parser:
    """How a text becomes a value (ValueError where it cannot), and what is accepted, in words."""

    accepts: str
    parse: Callable[[str], Any]


def _boolean(text: str) -> bool:
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]


def number(lowest: int, highest: int) -> Parser:
    """Whole numbers from `lowest` to `highest`, in ASCII digits."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not lowest <= int(text) <= highest:
            raise ValueError(text)
        return int(text)

    return Parser(f"a whole number from {lowest} to {highest}", parse)


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,15}) ?(|B|KB|MB|GB|KiB|MiB|GiB)", text, re.IGNORECASE)
    if not match:
        raise ValueError(text)
    unit = match[2].lower().removesuffix("b")
    factor = 1024 if unit.endswith("i") else 1000
    size: int = int(match[1]) * factor ** ["", "k", "m", "g"].index(unit[:1])
    if not size:
        raise ValueError(text)
    return size


def _time(text: str) -> time:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(text)
    return time.fromisoformat(text)


def one_of(*words: str) -> Parser:
    """One of these words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return Parser("one of " + ", ".join(words), parse)


def secrets(shortest: int) -> Parser:
    """Several texts of at least that length, none with a space in it; an error never holds one."""

    def parse(text: str) -> tuple[str, ...]:
        if any(len(part) < shortest for part in text.split()):
            raise ValueError
        return tuple(text.split())

    return Parser(f"texts of at least {shortest} characters, separated by spaces or lines", parse)


def secret(shortest: int) -> Parser:
    """Any text of at least that length; an error never holds it."""

    def parse(text: str) -> str:
        if len(text) < shortest:
            raise ValueError
        return text

    return Parser(f"a text of at least {shortest} characters" if shortest > 1 else "any text", parse)


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError; a folder's name raises OSError.
        raise ValueError(text) from error


def _origins(text: str) -> frozenset[str]:
    found = frozenset(_origin(part.strip()) for part in text.split(","))
    if "*" in found and len(found) > 1:
        raise ValueError(text)
    return found


def _origin(text: str) -> str:
    """The origin as browsers write it (RFC 6454, 6.2), so that comparing texts is enough."""
    if text == "*":
        return text
    match = re.fullmatch(r"(([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]))(?::([0-9]{1,5}))?", text.lower())
    if not match or (match[3] and not 0 < int(match[3]) <= 65535):
        raise ValueError(text)
    is_default = not match[3] or int(match[3]) == {"http": 80, "https": 443}.get(match[2])
    return match[1] if is_default else f"{match[1]}:{int(match[3])}"


ROLES = ("viewer", "editor", "reviewer", "admin")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _roles(text: str) -> frozenset[str]:
    found = frozenset(each.strip().lower() for each in text.split(","))
    if not found <= set(ROLES):
        raise ValueError(text)
    return found


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(","))


def _weekdays(text: str) -> frozenset[int]:
    return frozenset(DAYS.index(part.strip().lower()) for part in text.split(","))


def _is_address(text: str) -> bool:
    """Whether a text is an address of http or https: a host, no credentials, nothing unprintable."""
    if not text.isprintable() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:  # A port that is none, brackets that do not match; UnicodeError is one too.
        return False
    return parts.scheme in ("http", "https") and bool(host) and port != 0 and "@" not in parts.netloc


def _address(text: str) -> str:
    text = text.strip()
    if not _is_address(text):
        raise ValueError  # Without the text: such addresses hold tokens.
    return text


def _mail_address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;:\"()\\\[\]\x00-\x1f\x7f]+@[^\s@<>,;:\"()\\\x00-\x1f\x7f]+", text):
        raise ValueError(text)
    return text


def _mail_addresses(text: str) -> tuple[str, ...]:
    return tuple(_mail_address(part.strip()) for part in text.split(","))


def _host(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", text):
        raise ValueError(text)
    text.encode("idna")
    return text


def _host_names(text: str) -> frozenset[str]:
    return frozenset(_host_name(part.strip()) for part in text.split(","))


def _host_name(text: str) -> str:
    """A name as browsers send it in `Host`, without a port: small letters, IDNA; an address in its short form."""
    if text == "*":
        return text
    with suppress(ValueError):
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    name = text.removeprefix(".").encode("idna").decode("ascii").lower()
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
        raise ValueError(text)
    return f".{name}" if text.startswith(".") else name


ADDRESS = Parser("an http:// or https:// address without user name and password", _address)
HOST_NAMES = Parser(
    "names or addresses without a port, separated by commas; .example.org for all names below it too, * for any",
    _host_names,
)
HOST = Parser("the name or address of a machine", _host)
MAIL_ADDRESS = Parser("an e-mail address", _mail_address)
MAIL_ADDRESSES = Parser("e-mail addresses, separated by commas", _mail_addresses)
BOOLEAN = Parser("true or false (also 1/0, yes/no, on/off)", _boolean)
NETWORKS = Parser("addresses or networks such as 127.0.0.1 or 10.0.0.0/8, separated by commas", _networks)
ROLE_NAMES = Parser(f"one or more of {', '.join(ROLES)}, separated by commas", _roles)
SIZE = Parser("a number of bytes, or with a unit: KB, MB, GB, KiB, MiB, GiB", _size)
ORIGINS = Parser("origins without a path, such as https://app.example.org, separated by commas, or * alone", _origins)
TEXT = Parser("any text", str)
TIME = Parser("a time of day as HH:MM, 00:00 to 23:59", _time)
WEEKDAYS = Parser(f"one or more of {', '.join(DAYS)}, separated by commas", _weekdays)
ZONE = Parser("a name of the IANA time zone database, such as Europe/Berlin or UTC", _zone)
