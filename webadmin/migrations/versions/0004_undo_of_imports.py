"""Which revisions an import wrote: its undo is about these assistants alone."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the two columns; imports of before have no undo."""
    for name in ("first_revision", "last_revision"):
        op.get_bind().exec_driver_sql(f"ALTER TABLE aa_restore ADD COLUMN {name} INTEGER")
    op.get_bind().exec_driver_sql("CREATE INDEX aa_idx_restore_safety ON aa_restore(safety_backup)")
