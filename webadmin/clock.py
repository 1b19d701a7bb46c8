"""The one clock: every instant the program uses comes from here, so tests can set it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, aware, UTC."""
    return datetime.now(UTC)


def to_text(instant: datetime) -> str:
    """ISO 8601 UTC text with milliseconds, `2024-01-15T10:30:00.000Z` (contract 3.1)."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def now_text() -> str:
    """The current instant as stored text (contract 3.1)."""
    return to_text(now())
