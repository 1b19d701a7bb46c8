"""The log of who did what.

Its triggers, which refuse every change, are made by `webadmin.audit.guard` at each opening of the database.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

_DAY = "[0-9]"


def upgrade() -> None:
    """Create the table, with an index for each thing that it is searched by."""
    form = "-".join((_DAY * 4, _DAY * 2, _DAY * 2)) + "T" + ":".join([_DAY * 2] * 3) + "." + _DAY * 3 + "Z"
    for statement in (
        f"""CREATE TABLE aa_audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number > 0),
            at TEXT NOT NULL CHECK (at GLOB '{form}'),
            who_kind TEXT NOT NULL,
            who_id TEXT,
            who_name TEXT,
            act TEXT NOT NULL,
            result TEXT NOT NULL,
            thing_kind TEXT,
            thing_id TEXT,
            thing_name TEXT,
            way TEXT NOT NULL,
            address TEXT,
            before_ref TEXT,
            after_ref TEXT,
            details TEXT NOT NULL
        )""",
        "CREATE INDEX aa_idx_audit_at ON aa_audit(at)",
        "CREATE INDEX aa_idx_audit_who ON aa_audit(who_kind, who_id)",
        "CREATE INDEX aa_idx_audit_act ON aa_audit(act)",
        "CREATE INDEX aa_idx_audit_thing_id ON aa_audit(thing_id) WHERE thing_id IS NOT NULL",
        "CREATE INDEX aa_idx_audit_thing_name ON aa_audit(thing_name) WHERE thing_name IS NOT NULL",
    ):
        op.get_bind().exec_driver_sql(statement)
