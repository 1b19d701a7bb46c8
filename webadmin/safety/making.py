"""A backup by hand: a task that every way in shows, after which the answer is looked for anew."""

from __future__ import annotations

from typing import Any

from webadmin import backups, jobs
from webadmin.accounts import Actor
from webadmin.errors import N_, Message
from webadmin.jobs import Job, Progress
from webadmin.safety.facts import forget

MANUAL_BACKUP = "backup"
"""The kind of task of a backup made by hand."""


def start_backup(actor: Actor, *, note: str | None = None) -> Job:
    """Begin to make a backup by hand, as a task that every way in shows; its result is the row of the backup.

    Its failures are those of `backups.create`. Raises RuntimeUnavailable.
    """

    def work(progress: Progress) -> dict[str, Any]:
        try:
            return backups.create(actor, note=note, progress=progress).as_json()
        finally:
            forget()

    return jobs.start(MANUAL_BACKUP, actor, work, title=Message(N_("Manual backup")))
