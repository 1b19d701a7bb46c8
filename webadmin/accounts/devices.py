"""Where somebody is signed in: their sessions in `runtime.db`, listed and ended. Pages keep and load them."""

from __future__ import annotations

from dataclasses import dataclass

from webadmin import runtime


@dataclass(frozen=True, slots=True)
class SignedInAt:
    """One session. `id` names it and opens nothing; times are seconds since 1970."""

    id: str
    signed_in_at: int
    seen_at: int
    address: str | None
    agent: str | None


def list_sessions(user_id: int) -> list[SignedInAt]:
    """The sessions of a person, the one seen last first; those whose time is over may be among them.

    Raises RuntimeUnavailable.
    """
    rows = runtime.current().read(
        "SELECT id_hash, created_at, seen_at, address, agent FROM sessions WHERE user_id=?"
        " ORDER BY seen_at DESC, id_hash",
        (str(user_id),),
    )
    return [SignedInAt(*row) for row in rows]


def end_session(user_id: int, session_id: str) -> None:
    """End one session of a person, if it is theirs. Raises RuntimeUnavailable."""
    runtime.current().write("DELETE FROM sessions WHERE user_id=? AND id_hash=?", (str(user_id), session_id))


def end_sessions(user_id: int, *, but: str | None = None) -> None:
    """End every session of a person, but one. Raises RuntimeUnavailable."""
    runtime.current().write("DELETE FROM sessions WHERE user_id=? AND id_hash IS NOT ?", (str(user_id), but))
