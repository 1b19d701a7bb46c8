"""The activity log: who did what to which thing, when, and from where. Entries are added and never changed.

An act that changes the database calls `record` in its own transaction: both are there, or neither. One that changes
nothing in it (a sign-in) calls `note` before it is done. One on files calls `note_done` after it; so does a download,
which must be possible with a full disk. What a door refuses goes through `refuse`.
"""

from webadmin.audit.acts import WORDS, Act, Kind, Result
from webadmin.audit.apart import REFUSALS_OF_ALL, REFUSALS_OF_ONE, note, note_done, refuse, settle
from webadmin.audit.entries import NOBODY, Origin, Thing, Who, come_from, coming_from, origin, record
from webadmin.audit.guards import KEPT_DAYS_MIN, KEPT_MIN, Faults, find_faults, protect
from webadmin.audit.reading import PAGE_SIZE, Entry, Found, Wanted, find, iter_entries
from webadmin.audit.rescue import carry_over
from webadmin.audit.retention import prune

__all__ = [
    "KEPT_DAYS_MIN",
    "KEPT_MIN",
    "NOBODY",
    "PAGE_SIZE",
    "REFUSALS_OF_ALL",
    "REFUSALS_OF_ONE",
    "WORDS",
    "Act",
    "Entry",
    "Faults",
    "Found",
    "Kind",
    "Origin",
    "Result",
    "Thing",
    "Wanted",
    "Who",
    "carry_over",
    "come_from",
    "coming_from",
    "find",
    "find_faults",
    "iter_entries",
    "note",
    "note_done",
    "origin",
    "protect",
    "prune",
    "record",
    "refuse",
    "settle",
]
