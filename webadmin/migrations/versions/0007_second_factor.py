"""The second factor of people and their recovery codes."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the secret, and a table of codes that were not used yet."""
    for statement in (
        "ALTER TABLE aa_user ADD COLUMN totp_secret TEXT",
        """CREATE TABLE aa_recovery_code (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id INTEGER NOT NULL,
            code_hash TEXT NOT NULL
        )""",
        "CREATE INDEX aa_idx_recovery_code_user ON aa_recovery_code(user_id, code_hash)",
    ):
        op.get_bind().exec_driver_sql(statement)
