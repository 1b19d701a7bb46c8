"""The facts of `/metrics`, in the text formats of Prometheus.

Everything is read anew for each scrape: the same numbers whichever process answers, and after a restart. Nothing is
counted in a process, since each of several would tell a number of its own. What cannot be read is left out, and named.
"""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from webadmin import __version__, backups, catalogue, clock, config, db, jobs, notifications, safety
from webadmin.errors import Unavailable
from webadmin.notifications import Destination, Outcome

_PREFIX = "assistant_admin_"
_LONGEST_WAIT_SECONDS = 1.0


def render(accept: str | None) -> tuple[bytes, str]:
    """The metrics of now, and their media type, in the format that suits an `Accept` header. Never fails."""
    registry = CollectorRegistry()
    registry.register(_Facts())
    encode, media_type = choose_encoder(accept or "")
    return encode(registry), media_type


class _Facts(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        versions = {"version": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        build = GaugeMetricFamily(f"{_PREFIX}build_info", "The versions that run; always 1.", labels=[*versions])
        build.add_metric([*versions.values()], 1)
        yield build
        readable = {}
        for part, read in _PARTS.items():
            try:
                with db.translated_errors():
                    found = list(read())
            except (Unavailable, OSError):
                readable[part] = 0.0
            else:
                readable[part] = 1.0
                yield from found
        yield _each("part_readable", "Whether the metrics of a part could be read.", "part", readable.items())


def _one(name: str, text: str, value: float | None) -> Iterator[GaugeMetricFamily]:
    """A number; nothing when there is none, which is no zero."""
    if value is not None:
        yield GaugeMetricFamily(_PREFIX + name, text, value=value)


def _each(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def _instant(name: str, text: str, at: datetime | None) -> Iterator[GaugeMetricFamily]:
    """An instant and its age, both in seconds."""
    if at is not None:
        yield from _one(f"{name}_timestamp_seconds", f"When {text}, in seconds since 1970.", at.timestamp())
        yield from _one(f"{name}_age_seconds", f"How long ago {text}.", (clock.now() - at).total_seconds())


def _safety() -> Iterator[GaugeMetricFamily]:
    facts, found = safety.current_facts(), safety.current()
    states = {state: float(state is found.state) for state in safety.State}
    yield _each(
        "safety_state", "1 for the state that the mark on every page shows, 0 for the others.", "state", states.items()
    )
    yield from _one("automatic_backups_enabled", "Whether backups are made by themselves.", facts.is_automatic)
    if facts.next_at is not None:
        text = "When the next automatic backup is due, in seconds since 1970."
        yield from _one("next_automatic_backup_timestamp_seconds", text, facts.next_at.timestamp())
    yield from _instant("scheduler_heartbeat", "the scheduler last gave a sign of life", safety.scheduler_seen_at())
    yield from _one("backup_disk_free_bytes", "What is free on the disk of the backups.", facts.free_bytes)


def _backups() -> Iterator[GaugeMetricFamily]:
    with db.reading() as connection:
        found = backups.open_history(Session(connection))
        tally, newest = found.tally(), found.newest(backups.Wanted(is_verified=True))
        last = found.newest(backups.Wanted(frozenset({backups.Kind.SCHEDULED})))
    by_state = {state: float(tally.in_state(state)) for state in backups.State}
    by_state[backups.State.MISSING] = float(tally.in_state(backups.State.MISSING, has_file=False))
    yield _each("backups", "The files in the backup folder by what is known of them.", "state", by_state.items())
    yield from _one("backup_bytes", "What all files in the backup folder take.", tally.size_bytes)
    if newest is not None:
        yield from _instant("newest_verified_backup", "the newest verified backup was made", newest.made_at)
        yield from _one("newest_verified_backup_bytes", "Its size.", newest.size_bytes)
        yield from _one("newest_verified_backup_records", "The assistants in it.", newest.record_count)
        yield from _one("expected_restore_seconds", "How long restoring it takes about.", newest.restore_seconds)
    if last is not None:
        yield from _instant("last_automatic_backup", "the last automatic backup was begun", last.made_at)
        text = "Whether the last automatic backup succeeded and still counts as verified."
        yield from _one("last_automatic_backup_success", text, last.is_verified)


def _catalogue() -> Iterator[GaugeMetricFamily]:
    with db.reading() as connection:
        counts = catalogue.counts(Session(connection), catalogue.Query())
    by_status = {status: float(counts.get(status, 0)) for status in catalogue.STATUSES}
    by_status["other"] = counts["all"] - sum(by_status.values())
    yield _each("assistants", "The assistants by status.", "status", by_status.items())


def _write_lock() -> Iterator[GaugeMetricFamily]:
    waited = db.measure_wait(config.current().database_path, most_seconds=_LONGEST_WAIT_SECONDS)
    text = f"How long this scrape waited for the database's write lock, at most {_LONGEST_WAIT_SECONDS:.0f} s."
    yield from _one("write_lock_wait_seconds", text, waited)
    since = safety.current_facts().locked_since
    held = (clock.now() - since).total_seconds() if since else 0
    yield from _one("write_lock_held_seconds", "For how long another program was seen to hold it; 0 for not.", held)


def _jobs() -> Iterator[GaugeMetricFamily]:
    yield from _one("jobs_running", "The tasks that run now, in any process.", len(jobs.running()))


def _notifications() -> Iterator[GaugeMetricFamily]:
    text = f"Notifications of the last {notifications.KEPT_DAYS} days by where they go and what became of them."
    family = GaugeMetricFamily(f"{_PREFIX}notifications", text, labels=["destination", "outcome"])
    counts = notifications.counts()
    for destination in Destination:
        for outcome in Outcome:
            family.add_metric([destination, outcome], counts.get((destination, outcome), 0))
    yield family
    chosen = notifications.set_up(config.current())
    standings = {each.destination: each for each in notifications.standings() if each.destination in chosen}
    failing = {destination: float(each.failing_since is not None) for destination, each in standings.items()}
    text = "1 for a destination where nothing has arrived since an attempt failed; only those that are set up."
    yield _each("notification_failing", text, "destination", failing.items())


_PARTS: Mapping[str, Callable[[], Iterator[GaugeMetricFamily]]] = {
    "safety": _safety,
    "backups": _backups,
    "catalogue": _catalogue,
    "write_lock": _write_lock,
    "jobs": _jobs,
    "notifications": _notifications,
}
