"""Backups: the front door.

Functions that take a `session` read or change inside the caller's transaction; the others open their own, because a
trace must remain when they fail.
"""

from webadmin.backups.choices import Choices, Listed, open_choices
from webadmin.backups.comparison import Comparison, Difference, Since, compare, difference, find_comparison
from webadmin.backups.contents import Contents
from webadmin.backups.daily import Status, due_run, next_runs, run_scheduled, status
from webadmin.backups.document import Document, Integrity, InvalidBackup, Layout
from webadmin.backups.folder import Busy, FolderReadOnly, Holder, is_name
from webadmin.backups.front import current_holder, open_backup, stage_file, stage_listed, write_readable
from webadmin.backups.history import Backup, find_fact, get, is_other_file, list_backups, names_by_time, sync
from webadmin.backups.keeping import (
    BIN_DAYS,
    NOTE_MAX,
    BinEntry,
    LastGoodBackup,
    PruneResult,
    change_note,
    coming_deletions,
    delete,
    hold,
    keep_upload,
    list_bin,
    pin,
    prune,
    retention_plan,
    unbin,
    verify,
    verify_all,
    verify_new,
    verify_next,
)
from webadmin.backups.keys import LOOKED_AT, SeenKey
from webadmin.backups.models import BackupFact, Kind, OriginalBackup, RestoreRun, State
from webadmin.backups.reader import GZIP_RATIO, Progress, Staged, TooLarge, receive, remove_scratch
from webadmin.backups.restore import (
    Action,
    Counts,
    Decisions,
    Mode,
    Plan,
    PlanChanged,
    PlannedChange,
    apply_plan,
    find_same,
    find_sides,
    make_plan,
)
from webadmin.backups.retention import Decision, Reason
from webadmin.backups.schedule import Run
from webadmin.backups.single import Kept, find_in_backup, mark_of, states_in_backups
from webadmin.backups.strangers import signs_of_others
from webadmin.backups.verification import NotProved, Proof, prove
from webadmin.backups.writer import Export, create, create_locked, export, measure_export

__all__ = [
    "BIN_DAYS",
    "GZIP_RATIO",
    "LOOKED_AT",
    "NOTE_MAX",
    "Action",
    "Backup",
    "BackupFact",
    "BinEntry",
    "Busy",
    "Choices",
    "Comparison",
    "Contents",
    "Counts",
    "Decision",
    "Decisions",
    "Difference",
    "Document",
    "Export",
    "FolderReadOnly",
    "Holder",
    "Integrity",
    "InvalidBackup",
    "Kept",
    "Kind",
    "LastGoodBackup",
    "Layout",
    "Listed",
    "Mode",
    "NotProved",
    "OriginalBackup",
    "Plan",
    "PlanChanged",
    "PlannedChange",
    "Progress",
    "Proof",
    "PruneResult",
    "Reason",
    "RestoreRun",
    "Run",
    "SeenKey",
    "Since",
    "Staged",
    "State",
    "Status",
    "TooLarge",
    "apply_plan",
    "change_note",
    "coming_deletions",
    "compare",
    "create",
    "create_locked",
    "current_holder",
    "delete",
    "difference",
    "due_run",
    "export",
    "find_comparison",
    "find_fact",
    "find_in_backup",
    "find_same",
    "find_sides",
    "get",
    "hold",
    "is_name",
    "is_other_file",
    "keep_upload",
    "list_backups",
    "list_bin",
    "make_plan",
    "mark_of",
    "measure_export",
    "names_by_time",
    "next_runs",
    "open_backup",
    "open_choices",
    "pin",
    "prove",
    "prune",
    "receive",
    "remove_scratch",
    "retention_plan",
    "run_scheduled",
    "signs_of_others",
    "stage_file",
    "stage_listed",
    "states_in_backups",
    "status",
    "sync",
    "unbin",
    "verify",
    "verify_all",
    "verify_new",
    "verify_next",
    "write_readable",
]
