"""The activity log: who did what to which thing, when, and from where. Entries are added and never changed.

An act that changes the database calls `record` in its own transaction: both are there, or neither. One that changes
nothing in it (a download, a sign-in) calls `note` before it is done, and what a door refuses goes through `refuse`.
"""

from webadmin.audit.acts import WORDS, Act, Kind, Result
from webadmin.audit.apart import REFUSALS_OF_ALL, REFUSALS_OF_ONE, note, refuse, settle
from webadmin.audit.entries import NOBODY, Origin, Thing, Who, come_from, coming_from, origin, record
from webadmin.audit.guards import KEPT_DAYS_MIN, KEPT_MIN, Faults, find_faults, protect

__all__ = [
    "KEPT_DAYS_MIN",
    "KEPT_MIN",
    "NOBODY",
    "REFUSALS_OF_ALL",
    "REFUSALS_OF_ONE",
    "WORDS",
    "Act",
    "Faults",
    "Kind",
    "Origin",
    "Result",
    "Thing",
    "Who",
    "come_from",
    "coming_from",
    "find_faults",
    "note",
    "origin",
    "protect",
    "record",
    "refuse",
    "settle",
]
