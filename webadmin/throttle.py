"""How many calls of the API a caller has made, counted in `runtime.db`, so that all processes count together.

Each caller has a window that begins with its first call: one row and one statement for a call, and a caller can be told
exactly what is left and when it begins anew. A sliding window would need a row for each call or a guess.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from dataclasses import dataclass

from webadmin import clock, config, runtime
from webadmin.errors import N_, DomainError, Unavailable

# A locked file keeps a call waiting, and with it all that need the file: one call in this time is enough to find out.
_PAUSE_SECONDS = 30.0
_IPV6_NETWORK_BITS = 64
_REMOVED_AT_ONCE = 100
_log = logging.getLogger(__name__)

# Another thread may have read the clock later and counted earlier, and the clock may be set back: a beginning that lies
# ahead, but by less than a window, is of the same window, which then begins at the earlier time.
_COUNT = """
    INSERT INTO calls (caller, began_at, made) VALUES (?, ?, 1) ON CONFLICT (caller) DO UPDATE SET
        made = iif(abs(began_at - excluded.began_at) < ?, made + 1, 1),
        began_at = iif(abs(began_at - excluded.began_at) < ?, min(began_at, excluded.began_at), excluded.began_at)
    RETURNING began_at, made"""
_REMOVE = """
    DELETE FROM calls WHERE caller IN (SELECT caller FROM calls WHERE began_at <= ? OR began_at >= ? LIMIT ?)"""


class TooManyCalls(DomainError):
    """The caller has made all the calls of its window."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, usage: Usage) -> None:
        super().__init__(
            N_("More than %(limit)d calls in %(window)d s."),
            hint=N_("Wait %(wait)d s, then go on."),
            limit=usage.limit,
            window=usage.window_seconds,
            wait=usage.wait_seconds,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a caller has used of its window, the call that is being answered included."""

    limit: int
    made: int
    window_ms: int
    left_ms: int

    @property
    def remaining(self) -> int:
        """How many more calls this window allows."""
        return max(0, self.limit - self.made)

    @property
    def is_over(self) -> bool:
        """Whether this call is one too many."""
        return self.made > self.limit

    @property
    def window_seconds(self) -> int:
        """The length of the window in whole seconds, rounded up."""
        return -(-self.window_ms // 1000)

    @property
    def wait_seconds(self) -> int:
        """Whole seconds, rounded up, after which the caller begins anew."""
        return -(-self.left_ms // 1000)


class Throttle:
    """Counts for one process; any thread may use it."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._paused_until = float("-inf")
        self._is_failing = False

    def count(self, caller: str) -> Usage | None:
        """Count a call of this caller. None when there is no limit, or none that can be counted: calls then go through.

        Whether the call is over the limit is left to the one who asks, since the answer says what was used in any case.
        """
        settings = config.current()
        if not settings.rate_limit_max_requests:
            return None
        with self._mutex:
            if time.monotonic() < self._paused_until:
                return None
            try:
                usage = _count(caller, settings.rate_limit_max_requests, settings.rate_limit_window_ms)
            except Unavailable:
                self._pause()
                return None
            self._is_failing = False
            return usage

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + _PAUSE_SECONDS
        if not self._is_failing:
            _log.warning("calls cannot be counted, so none is refused for being one too many", exc_info=True)
        self._is_failing = True


def by_token(token_id: int) -> str:
    """The caller with this token."""
    return f"token {token_id}"


def by_address(address: str | None) -> str:
    """The caller at this address; an IPv6 network of 64 bits is one, since each of its hosts has all its addresses."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return f"address {address or 'unknown'}"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return f"address {found.ipv4_mapped}"
        return f"address {ipaddress.ip_network((found, _IPV6_NETWORK_BITS), strict=False)}"
    return f"address {found}"


def _count(caller: str, limit: int, window_ms: int) -> Usage:
    store, now = runtime.current(), int(clock.now().timestamp() * 1000)
    ((began_at, made),) = store.read(_COUNT, (caller, now, window_ms, window_ms))
    if made == 1:
        # Whoever begins a window removes others that have ended, a few: no call waits for all that a flood left behind.
        store.write(_REMOVE, (now - window_ms, now + window_ms, _REMOVED_AT_ONCE))
    return Usage(limit, made, window_ms, began_at + window_ms - now)
