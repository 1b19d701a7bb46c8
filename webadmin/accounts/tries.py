"""How often a secret may be guessed: tries are counted in `runtime.db`, for all processes and across restarts.

Each counter is one number, the moment at which all tries counted so far will be paid off, each of them taking its share
of time (the generic cell rate algorithm): so many tries at once, then one in each share. A try is counted before the
secret is looked at, so that many at the same moment cannot pass, and taken back when the secret was right.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

from webadmin import clock, runtime
from webadmin.errors import N_, DomainError

_REMOVED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many tries at once (`burst`), and another in each `seconds`."""

    burst: int
    seconds: int


# From one address, whatever names it tries: 12 mistakes are forgiven, the 13th waits.
_ADDRESS = Allowance(12, 60)
# On one name from everywhere: fewer than 100 an hour (OWASP ASVS 4.0.3, 2.2.1), more than one address may use up.
_NAME = Allowance(36, 60)
# A browser in which the person signed in before is counted for itself: who guesses elsewhere cannot keep it waiting.
_DEVICE = Allowance(12, 60)
# With the right password already, or from within a session: six digits, or the current password.
_SECOND = Allowance(6, 60)


class TooManyTries(DomainError):
    """The next try is allowed in `wait_seconds`."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, wait_seconds: int) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(N_("Too many tries. Wait %(seconds)s s."), seconds=wait_seconds)


@dataclass(frozen=True, slots=True)
class Try:
    """One try that was counted."""

    counters: tuple[tuple[str, Allowance], ...]

    def forgive(self) -> None:
        """Take it back: the secret was right. Raises RuntimeUnavailable."""

        def change(connection: sqlite3.Connection) -> None:
            for key, allowance in self.counters:
                connection.execute(
                    "UPDATE tries SET paid_at = paid_at - ? WHERE key=?", (allowance.seconds * 1000, key)
                )

        runtime.current().change(change)


def at_sign_in(name: str, address: str | None, device: str | None) -> Try:
    """Count a try to sign in under `name`: for the browser that this person used before, else for address and name.

    Raises TooManyTries, RuntimeUnavailable.
    """
    if device is not None:
        return _count(("device " + _hash(device), _DEVICE))
    # The name is hashed: people type their password into its field.
    return _count((f"from {address or 'unknown'}", _ADDRESS), ("name " + _hash(name), _NAME))


def at_setup(address: str | None) -> Try:
    """Count a try of the setup code. Raises TooManyTries, RuntimeUnavailable.

    By address alone: 39 bits for the hour until it is used stand against any number of addresses, and nobody can
    keep the owner waiting.
    """
    return _count((f"setup from {address or 'unknown'}", _ADDRESS))


def at_secret(what: str, user_id: int, device: str | None = None) -> Try:
    """Count a try of a secret of somebody who is known already, by browser where that is known too.

    Raises TooManyTries, RuntimeUnavailable.
    """
    return _count((f"{what} {user_id} {_hash(device) if device else ''}", _SECOND))


def _count(*counters: tuple[str, Allowance]) -> Try:
    """Count a try with each counter, or with none when one of them must wait."""
    now = int(clock.now().timestamp() * 1000)

    def change(connection: sqlite3.Connection) -> int:
        paid = {key: _paid_at(connection, key, allowance, now) for key, allowance in counters}
        wait = max(paid[key] - now - (allowance.burst - 1) * allowance.seconds * 1000 for key, allowance in counters)
        # Written when it is refused, too: there the clock may have been set back.
        connection.executemany(
            "INSERT OR REPLACE INTO tries (key, paid_at) VALUES (?, ?)",
            [(key, paid[key] + allowance.seconds * 1000 * (wait <= 0)) for key, allowance in counters],
        )
        connection.execute(
            "DELETE FROM tries WHERE key IN (SELECT key FROM tries WHERE paid_at <= ? LIMIT ?)",
            (now, _REMOVED_AT_ONCE),
        )
        return wait

    wait = runtime.current().change(change)
    if wait > 0:
        raise TooManyTries(-(-wait // 1000))
    return Try(counters)


def _paid_at(connection: sqlite3.Connection, key: str, allowance: Allowance, now: int) -> int:
    row = connection.execute("SELECT paid_at FROM tries WHERE key=?", (key,)).fetchone()
    # A clock that was set back must not make anybody wait longer than a full counter does.
    return min(max(row["paid_at"], now), now + allowance.burst * allowance.seconds * 1000) if row else now


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
