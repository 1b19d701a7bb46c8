"""Long tasks: each has a row in `runtime.db` that any process can show, and a lock that tells whether it still runs.

The work runs in a thread of the process that took the request. Its operating-system lock is released by the kernel
when that process dies, so a row that is unfinished while its lock is free belongs to a task that was killed.
"""

from webadmin.jobs.models import VERIFY_ALL, Cancelled, Failure, Job, Named, State, Waiting, end_in_words
from webadmin.jobs.rows import folder
from webadmin.jobs.threads import ContextFactory, Progress, Work, new_id, resume, start, use
from webadmin.jobs.watching import KEPT, Outcome, cancel, forget_old, get, on_stopped, running, wait

__all__ = [
    "KEPT",
    "VERIFY_ALL",
    "Cancelled",
    "ContextFactory",
    "Failure",
    "Job",
    "Named",
    "Outcome",
    "Progress",
    "State",
    "Waiting",
    "Work",
    "cancel",
    "end_in_words",
    "folder",
    "forget_old",
    "get",
    "new_id",
    "on_stopped",
    "resume",
    "running",
    "start",
    "use",
    "wait",
]
