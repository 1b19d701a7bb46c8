"""The catalogue of assistants: the front door.

Functions that take a `session` read or change inside the caller's transaction and never commit; writes belong inside
`db.transaction()`.
"""

from webadmin.catalogue.assistants import (
    EDITABLE,
    RevisionEntry,
    create,
    duplicate,
    find_record,
    find_version,
    get,
    list_revisions,
    new_id,
    remove,
    set_status,
    update,
)
from webadmin.catalogue.changes import absorb, adopt, are_pending, first_seen_at, missing_triggers
from webadmin.catalogue.ids import decode_id, encode_id
from webadmin.catalogue.limits import current_limits
from webadmin.catalogue.oddities import Oddity, find_oddities
from webadmin.catalogue.public import encode_open, get_open
from webadmin.catalogue.recent import RecentChange, edits_since, recent
from webadmin.catalogue.records import (
    STATUSES,
    Limits,
    Record,
    changed_fields,
    count_characters,
    decode,
    encode,
    equal,
    next_version,
)
from webadmin.catalogue.review import MOVES
from webadmin.catalogue.rows import create_tables, insert_records, iter_records
from webadmin.catalogue.search import (
    Page,
    Query,
    RecordPage,
    Sort,
    Summary,
    authors,
    counts,
    find,
    list_records,
    longest_waiting,
    tags,
)
from webadmin.catalogue.sent import Move, Sent, json_names, read_sent
from webadmin.catalogue.trash import (
    KEPT_FOR,
    PutBack,
    TrashEntry,
    count_trash,
    get_trash,
    list_trash,
    newest_in_trash,
    purge_trash,
    put_back,
)
from webadmin.catalogue.writing import Change, write_records

__all__ = [
    "EDITABLE",
    "KEPT_FOR",
    "MOVES",
    "STATUSES",
    "Change",
    "Limits",
    "Move",
    "Oddity",
    "Page",
    "PutBack",
    "Query",
    "RecentChange",
    "Record",
    "RecordPage",
    "RevisionEntry",
    "Sent",
    "Sort",
    "Summary",
    "TrashEntry",
    "absorb",
    "adopt",
    "are_pending",
    "authors",
    "changed_fields",
    "count_characters",
    "count_trash",
    "counts",
    "create",
    "create_tables",
    "current_limits",
    "decode",
    "decode_id",
    "duplicate",
    "edits_since",
    "encode",
    "encode_id",
    "encode_open",
    "equal",
    "find",
    "find_oddities",
    "find_record",
    "find_version",
    "first_seen_at",
    "get",
    "get_open",
    "get_trash",
    "insert_records",
    "iter_records",
    "json_names",
    "list_records",
    "list_revisions",
    "list_trash",
    "longest_waiting",
    "missing_triggers",
    "new_id",
    "newest_in_trash",
    "next_version",
    "purge_trash",
    "put_back",
    "read_sent",
    "recent",
    "remove",
    "set_status",
    "tags",
    "update",
    "write_records",
]
