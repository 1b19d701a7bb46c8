"""Indexes for lists of one status or one author, the newest first, so that a cursor reads on in constant time.

`is_public` stands in the first one because anybody's list asks for it: its total is counted in the index alone.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_INDEXES = (
    "CREATE INDEX aa_idx_status_created ON assistants(status, created_at DESC, id, is_public)",
    "CREATE INDEX aa_idx_author_created ON assistants(author, created_at DESC, id)",
)


def upgrade() -> None:
    """Create the indexes."""
    for statement in _INDEXES:
        op.get_bind().exec_driver_sql(statement)
