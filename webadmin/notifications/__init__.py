"""Notifications: what the safety function finds is told to a webhook and by mail, each proved backup to a heartbeat."""

from webadmin.notifications.calls import shortened
from webadmin.notifications.connections import NotDelivered
from webadmin.notifications.delivery import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    deliver,
    deliver_due,
    set_up,
    signature,
)
from webadmin.notifications.events import SETTLED_AFTER, Event
from webadmin.notifications.log import (
    KEPT_DAYS,
    RETRIES,
    Destination,
    Entry,
    Outcome,
    forget_old,
    get,
    newest,
    reopen,
)
from webadmin.notifications.watch import send_test, watch

__all__ = [
    "ID_HEADER",
    "KEPT_DAYS",
    "RETRIES",
    "SETTLED_AFTER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "Destination",
    "Entry",
    "Event",
    "NotDelivered",
    "Outcome",
    "deliver",
    "deliver_due",
    "forget_old",
    "get",
    "newest",
    "reopen",
    "send_test",
    "set_up",
    "shortened",
    "signature",
    "watch",
]
