"""The catalogue's pages: list, editor, conflict, trash."""

from webadmin.web.assistants import bulk, catalogue_list, deletion, editor, exporting, suggestions, trash
from webadmin.web.assistants.blueprint import bp

__all__ = ["bp", "bulk", "catalogue_list", "deletion", "editor", "exporting", "suggestions", "trash"]
