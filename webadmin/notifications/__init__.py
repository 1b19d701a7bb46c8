"""Notifications: what the safety function finds is told to a webhook and by mail, each proved backup to a heartbeat."""

from webadmin.notifications.calls import shortened
from webadmin.notifications.delivery import (
    deliver_due,
    send_again,
    set_up,
)
from webadmin.notifications.events import Event
from webadmin.notifications.log import (
    KEPT_DAYS,
    RETRIES,
    Destination,
    Entry,
    Outcome,
    Standing,
    counts,
    forget_old,
    newest,
    standings,
)
from webadmin.notifications.watch import send_test, tell_of_snapshots, watch

__all__ = [
    "KEPT_DAYS",
    "RETRIES",
    "Destination",
    "Entry",
    "Event",
    "Outcome",
    "Standing",
    "counts",
    "deliver_due",
    "forget_old",
    "newest",
    "send_again",
    "send_test",
    "set_up",
    "shortened",
    "standings",
    "tell_of_snapshots",
    "watch",
]
