"""The names of the site and of this machine.

A page of another site can have its own name lead here (DNS rebinding), and a browser would then let it read what this
site answers. Such a request still names the other site in `Host`, so it is answered under names of ours alone.
"""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address

from webadmin import config

_HOST = re.compile(r"(?:([\w.-]+)|\[([0-9a-f:.]+)\])(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


def name_of(host: str) -> str:
    """The name or address in a `Host` header, without port and brackets, in small letters; empty for none."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found else ""


def is_ours(host: str) -> bool:
    """Whether the site answers to a `Host` header, by `ALLOWED_HOSTS`.

    Names of the loopback address always count, and the name that `HOST` gives. Without the setting so does any IP
    address: no other site's page has one for its name.
    """
    name, values = name_of(host), config.current()
    if is_loopback(name) or (name and name == values.host.lower()):
        return True
    if values.allowed_hosts is None:
        return _address(name) is not None
    return bool(name) and any(_fits(name, allowed) for allowed in values.allowed_hosts)


def is_loopback(name: str | None) -> bool:
    """Whether a name or address is this machine's own, which nobody else can reach."""
    address = _address(name or "")
    return name == "localhost" or (address is not None and address.is_loopback)


def _fits(name: str, allowed: str) -> bool:
    if allowed.startswith("."):
        return name == allowed[1:] or name.endswith(allowed)
    address = _address(name)
    return allowed == "*" or allowed == (name if address is None else str(address))


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
