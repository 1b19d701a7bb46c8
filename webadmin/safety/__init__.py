"""Is the data safe? One function answers it for pill, headline, health check, metrics and notifications alike."""

from webadmin.safety.facts import WORKER, count_workers, current, current_facts, forget, gather, scheduler_seen_at
from webadmin.safety.making import MANUAL_BACKUP, start_backup
from webadmin.safety.states import (
    SILENT_AFTER,
    Color,
    Facts,
    Safety,
    State,
    decide,
    is_disk_low,
    is_locked,
    no_good_after,
)

__all__ = [
    "MANUAL_BACKUP",
    "SILENT_AFTER",
    "WORKER",
    "Color",
    "Facts",
    "Safety",
    "State",
    "count_workers",
    "current",
    "current_facts",
    "decide",
    "forget",
    "gather",
    "is_disk_low",
    "is_locked",
    "no_good_after",
    "scheduler_seen_at",
    "start_backup",
]
