"""The catalogue's pages: list, editor, conflict, history, trash."""

from webadmin.web.assistants import bulk, catalogue_list, deletion, editor, exporting, history, suggestions, trash
from webadmin.web.assistants.blueprint import bp, reading
from webadmin.web.assistants.history import brought_back

__all__ = [
    "bp",
    "brought_back",
    "bulk",
    "catalogue_list",
    "deletion",
    "editor",
    "exporting",
    "history",
    "reading",
    "suggestions",
    "trash",
]
