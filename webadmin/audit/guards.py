"""What keeps the log as it was written: triggers that refuse each change, and a look at whether they held.

Whoever may write the file can also drop a trigger; then the numbers tell, which have no gaps. The triggers are for
everything less than that: a mistake in this program, another program, a statement that somebody slipped in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from webadmin.audit.acts import Act
from webadmin.audit.entries import Who, record

KEPT_DAYS_MIN = 90
"""Younger entries cannot be removed, whatever `AUDIT_DAYS` says."""
KEPT_MIN = 1000
"""The newest entries, which stay whatever the clock says."""
_log = logging.getLogger(__name__)

# Entries go from the beginning only. How old one is, two clocks must agree on: that of the machine, and the log itself,
# by the entry that stands `KEPT_MIN` before its end. A clock that jumped ahead is believed by the first alone, until it
# has been wrong for that many entries. `coalesce`: a comparison with NULL would let everything pass.
_IS_TO_STAY = f"""
    OLD.number > (SELECT min(number) FROM aa_audit)
    OR OLD.number > (SELECT max(number) FROM aa_audit) - {KEPT_MIN}
    OR coalesce(OLD.at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{KEPT_DAYS_MIN} days'), 1)
    OR coalesce(OLD.at > strftime('%Y-%m-%dT%H:%M:%fZ',
        (SELECT at FROM aa_audit WHERE number <= (SELECT max(number) FROM aa_audit) - {KEPT_MIN}
         ORDER BY number DESC LIMIT 1), '-{KEPT_DAYS_MIN} days'), 1)"""  # noqa: S608 (constants)
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'the activity log is append-only'); END"
# REPLACE fires no delete trigger unless `recursive_triggers` is on, which each program decides for itself: so an INSERT
# that names a number in use is refused. Where none is named, NEW.number is -1 here.
_IS_IN_USE = "NEW.number > 0 AND EXISTS (SELECT 1 FROM aa_audit WHERE number = NEW.number)"
_TRIGGERS = {
    "aa_audit_no_update": f"BEFORE UPDATE ON aa_audit {_REFUSE}",
    "aa_audit_no_delete": f"BEFORE DELETE ON aa_audit WHEN {_IS_TO_STAY} {_REFUSE}",
    "aa_audit_no_replace": f"BEFORE INSERT ON aa_audit WHEN {_IS_IN_USE} {_REFUSE}",
}
_STATEMENTS = {name: f"CREATE TRIGGER {name} {text}" for name, text in _TRIGGERS.items()}


def protect(connection: Connection, who: Who) -> None:
    """Make the triggers that are missing or were changed; the caller holds the write transaction.

    That some were missing is an entry of its own, unless the log is empty.
    """
    missing = _missing(connection)
    for name in missing:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(_STATEMENTS[name])
    if missing and connection.exec_driver_sql("SELECT 1 FROM aa_audit LIMIT 1").first() is not None:
        _log.error("the activity log was not protected, and is again: %s", ", ".join(missing))
        record(connection, who, Act.LOG_GUARDED, triggers=missing)


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the log: triggers that are not there, and how many entries are gone without a trace."""

    missing_triggers: tuple[str, ...]
    missing_entries: int

    def __bool__(self) -> bool:
        return bool(self.missing_triggers or self.missing_entries)


def find_faults(connection: Connection) -> Faults:
    """Look whether the log is protected and whole. Entries have numbers without gaps, up to the highest ever given.

    Raises the errors of the database.
    """
    given = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'aa_audit'").scalar() or 0
    first, count = connection.exec_driver_sql("SELECT min(number), count(*) FROM aa_audit").one()
    return Faults(tuple(_missing(connection)), given - (first or 1) + 1 - count)


def _missing(connection: Connection) -> list[str]:
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type='trigger'").all()
    present = {row.name: row.sql for row in found}
    return [name for name, statement in _STATEMENTS.items() if present.get(name) != statement]
