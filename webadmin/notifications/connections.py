"""Connections to destinations that somebody typed: only to addresses that may be called, and never for long.

The name is looked up once, every address that it has is checked, and the connection goes to one of these: a name that
has another address at the second look gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from webadmin import config
from webadmin.errors import N_, Unavailable

STEP_SECONDS = 10
TOTAL_SECONDS = 20
# Ranges of IPv6 whose addresses stand for one of IPv4, their last 32 bits: of translators (RFC 6052, 2.1; RFC 2765,
# 2.1) and «IPv4-compatible» (RFC 4291, 2.5.5.1).
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
# What versions of the library take for reachable and is not: translators of one's own network, whose form is theirs to
# choose (RFC 8215), and the site-local addresses of old (RFC 3879).
_PRIVATE = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "fec0::/10")))

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotDelivered(Unavailable):
    """The destination did not take it; the message says why, in words, without secrets."""


class Line:
    """A connection to one destination, which ends at the latest with `limited`."""

    def __init__(self) -> None:
        self.is_over = False
        self._twin: socket.socket | None = None

    def open(self, host: str, port: int) -> socket.socket:
        """Connect. Raises NotDelivered, OSError."""
        error: OSError | None = None
        for family, address in _addresses(host, port):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(STEP_SECONDS)
                connection.connect(address)
            except OSError as found:
                connection.close()
                error = found
            else:
                # Of the same connection, whatever wraps the first: by it the time limit ends what still goes on.
                self._twin = connection.dup()
                return connection
        raise error or NotDelivered(N_("The name %(host)s has no address."), host=host)

    def cut(self) -> None:
        """End it, from another thread: the time is over."""
        self.is_over = True
        if self._twin is not None:
            with suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give back what `open` took for `cut`."""
        if self._twin is not None:
            self._twin.close()


@contextmanager
def limited(host: str) -> Iterator[Line]:
    """A line that is cut when the whole takes too long; what goes wrong with it becomes NotDelivered, in words."""
    line = Line()
    timer = threading.Timer(TOTAL_SECONDS, line.cut)
    timer.daemon = True
    timer.start()
    try:
        yield line
    except NotDelivered:
        raise
    except (OSError, EOFError) as error:
        raise _in_words(error, host, is_over=line.is_over) from error
    finally:
        timer.cancel()
        line.close()


def _in_words(error: BaseException, host: str, *, is_over: bool) -> NotDelivered:
    if is_over or isinstance(error, TimeoutError):
        return NotDelivered(N_("%(host)s did not answer in time."), host=host)
    if isinstance(error, socket.gaierror):
        return NotDelivered(N_("The name %(host)s was not found."), host=host)
    if isinstance(error, ssl.SSLCertVerificationError):
        template = N_("The certificate of %(host)s was not accepted: %(reason)s")
        return NotDelivered(template, host=host, reason=error.verify_message)
    if isinstance(error, ssl.SSLError):
        return NotDelivered(N_("%(host)s does not speak TLS as it should."), host=host)
    if isinstance(error, ConnectionRefusedError):
        return NotDelivered(N_("%(host)s does not take connections there."), host=host)
    reason = getattr(error, "strerror", None) or type(error).__name__
    return NotDelivered(N_("The connection to %(host)s failed: %(reason)s"), host=host, reason=reason)


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int] | tuple[str, int, int, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        _check(host, ipaddress.ip_address(str(address[0]).partition("%")[0]))
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]  # No bytes: no AF_PACKET.


def _check(host: str, address: _Address) -> None:
    meant = _meant(address)
    is_private = any(meant in network for network in _PRIVATE)
    if meant.is_global and not meant.is_multicast and not is_private:
        return
    is_never = meant.is_link_local or meant.is_multicast or meant.is_unspecified or _is_reserved(meant)
    if is_never:
        template = N_("%(host)s has the address %(address)s, which is never called.")
        raise NotDelivered(template, host=host, address=str(address))
    if not config.current().notify_allow_private:
        raise NotDelivered(
            N_("%(host)s has the address %(address)s of this machine or a private network. NOTIFY_ALLOW_PRIVATE=true"
               " allows these."),
            host=host,
            address=str(address),
        )  # fmt: skip


def _is_reserved(address: _Address) -> bool:
    # ::1 lies in a reserved block of IPv6 too.
    return address.is_reserved and not address.is_loopback


def _meant(address: _Address) -> _Address:
    """The address of IPv4 that one of IPv6 leads to, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if int(address) > 1 and any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
