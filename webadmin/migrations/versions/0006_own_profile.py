"""What people choose for themselves, and passwords that others gave them."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the two columns; the passwords of before were chosen by their owners."""
    for column in ("is_temporary INTEGER NOT NULL DEFAULT 0", "has_single_keys INTEGER NOT NULL DEFAULT 1"):
        op.get_bind().exec_driver_sql(f"ALTER TABLE aa_user ADD COLUMN {column}")
