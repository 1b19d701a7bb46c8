"""What a proof found in a backup: how many records can be read, authors, statuses, the newest edit."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; it is filled when a backup is made, or proved again."""
    op.get_bind().exec_driver_sql("ALTER TABLE aa_backup ADD COLUMN contents TEXT")
