"""What tokens were made for, and their text of before a rotation."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns; the tokens that are there keep whatever their role may."""
    for statement in (
        "ALTER TABLE aa_token ADD COLUMN purposes TEXT NOT NULL DEFAULT 'read write backup'",
        "ALTER TABLE aa_token ADD COLUMN rotated_at TEXT",
        "ALTER TABLE aa_token ADD COLUMN old_hash TEXT",
        "ALTER TABLE aa_token ADD COLUMN old_hint TEXT",
        "ALTER TABLE aa_token ADD COLUMN old_until TEXT",
        "CREATE UNIQUE INDEX aa_idx_token_old ON aa_token(old_hash)",
    ):
        op.get_bind().exec_driver_sql(statement)
