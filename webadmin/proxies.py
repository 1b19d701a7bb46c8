"""Who really asks, when a proxy stands before the program: its word counts only where `TRUSTED_PROXIES` names it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_Address = IPv4Address | IPv6Address
PASSED_ON = "webadmin.passed_on"
"""Set in the environment of a request that some proxy passed on, trusted or not."""
_TELLING = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)
_SCHEMES = frozenset({"http", "https"})


class Forwarded:
    """WSGI middleware: puts the client's address and scheme where the application looks for them.

    `X-Forwarded-For` is read from its end, the part that the nearest proxy wrote, up to the first address that is no
    trusted proxy: whatever stands before that was written by the client and may be forged. A header that no trusted
    proxy sent is dropped, so nothing behind this can believe it.
    """

    def __init__(self, application: WSGIApplication, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._application = application
        self._trusted = trusted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if any(name in environ for name in _TELLING):
            environ[PASSED_ON] = "yes"
        written = environ.pop("HTTP_X_FORWARDED_FOR", "")
        schemes = environ.pop("HTTP_X_FORWARDED_PROTO", "")
        for name in ("HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX", "HTTP_FORWARDED"):
            environ.pop(name, None)
        peer = _address(environ.get("REMOTE_ADDR", ""))
        if self._is_trusted(peer):
            environ["REMOTE_ADDR"] = str(self._client(peer, written))
            scheme = schemes.rpartition(",")[2].strip().lower()
            if scheme in _SCHEMES:
                environ["wsgi.url_scheme"] = scheme
        return self._application(environ, start_response)

    def _client(self, peer: _Address | None, written: str) -> _Address | None:
        client = peer
        for text in reversed(written.split(",")):
            found = _address(text)
            if found is None:
                break
            client = found
            if not self._is_trusted(found):
                break
        return client

    def _is_trusted(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _address(text: str) -> _Address | None:
    """The address that a proxy wrote, with or without a port; None where it wrote none."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
