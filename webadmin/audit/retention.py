"""The log's own retention: old entries go from its beginning, and the log says so."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from webadmin import clock, config, db, strict
from webadmin.audit.acts import Act
from webadmin.audit.entries import Who, record
from webadmin.audit.guards import KEPT_MIN

_AT_ONCE = 2000
_log = logging.getLogger(__name__)


def prune(who: Who, now: datetime) -> int:
    """Remove what is older than `AUDIT_DAYS` by both clocks (`guards`); returns how many entries that were.

    The newest ones stay whatever their time says. In several transactions, so that nobody waits long for the lock.
    Raises the errors of `webadmin.db`.
    """
    count = 0
    while True:
        try:
            with db.transaction() as session:
                removed = _remove(session.connection(), who, now)
        except IntegrityError:
            # The clock of the machine is another one than this process read: the triggers know better.
            _log.warning("old activity stays: the clocks do not agree", exc_info=True)
            return count
        count += removed
        if removed < _AT_ONCE:
            return count


def _remove(connection: Connection, who: Who, now: datetime) -> int:
    newest = connection.exec_driver_sql("SELECT max(number) FROM aa_audit").scalar() or 0
    ours = connection.exec_driver_sql(
        "SELECT number, at FROM aa_audit WHERE number <= ? ORDER BY number DESC LIMIT 1", (newest - KEPT_MIN,)
    ).first()
    by_log = strict.to_instant(ours.at) if ours else None
    if ours is None or by_log is None:
        return 0
    limit = clock.to_text(min(now, by_log) - timedelta(days=config.current().audit_days))
    old = connection.exec_driver_sql("SELECT number, at FROM aa_audit ORDER BY number LIMIT ?", (_AT_ONCE,)).all()
    fresh = next((index for index, row in enumerate(old) if row.at >= limit), len(old))
    if not fresh:
        return 0
    first, last = old[0], old[fresh - 1]
    connection.exec_driver_sql("DELETE FROM aa_audit WHERE number <= ?", (last.number,))
    record(
        connection, who, Act.LOG_PRUNED, count=fresh, numbers={"from": first.number, "to": last.number}, until=last.at
    )
    return fresh
