"""The earlier system's three tables where they are missing, and the program's own beside them.

The earlier system's tables are never rebuilt: only indexes are added to `assistants` (its triggers are kept up by
`webadmin.catalogue.changes`). Nothing here refers to `assistants` by a foreign key, which would make that
program's DELETE fail.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

_EARLIER_TABLES = (
    """CREATE TABLE IF NOT EXISTS assistants (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        desc TEXT NOT NULL,
        emoji TEXT NOT NULL DEFAULT '🤖',
        prompt TEXT NOT NULL,
        tags TEXT,
        is_public INTEGER NOT NULL DEFAULT 0,
        status TEXT NOT NULL DEFAULT 'draft',
        author TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT,
        reviewed_at TEXT,
        published_at TEXT,
        review_note TEXT,
        version INTEGER NOT NULL DEFAULT 1,
        CONSTRAINT status_check CHECK (status IN ('draft', 'pending', 'published', 'rejected'))
    )""",
    """CREATE TABLE IF NOT EXISTS migrations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        version TEXT NOT NULL UNIQUE,
        applied_at TEXT NOT NULL,
        description TEXT
    )""",
    """CREATE TABLE IF NOT EXISTS backups (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        filename TEXT NOT NULL,
        created_at TEXT NOT NULL,
        record_count INTEGER NOT NULL,
        file_size INTEGER NOT NULL,
        is_auto INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX IF NOT EXISTS idx_assistants_status ON assistants(status)",
    "CREATE INDEX IF NOT EXISTS idx_assistants_author ON assistants(author)",
    "CREATE INDEX IF NOT EXISTS idx_assistants_created_at ON assistants(created_at DESC)",
    "CREATE INDEX IF NOT EXISTS idx_assistants_published_at ON assistants(published_at DESC)",
    """INSERT INTO migrations (version, applied_at, description)
        SELECT '1.0.0', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
            'Initial schema creation with assistants, migrations, and backups tables'
        WHERE NOT EXISTS (SELECT 1 FROM migrations)""",
)

_PAGING_INDEXES = (
    "CREATE INDEX aa_idx_edited ON assistants(coalesce(updated_at, created_at) DESC, id DESC)",
    "CREATE INDEX aa_idx_created ON assistants(created_at DESC, id)",
    "CREATE INDEX aa_idx_published ON assistants(coalesce(published_at, '') DESC, id DESC)",
    "CREATE INDEX aa_idx_title ON assistants(title, id)",
    "CREATE INDEX aa_idx_status_edited ON assistants(status, coalesce(updated_at, created_at) DESC, id DESC)",
)

_CATALOGUE_TABLES = (
    "CREATE TABLE aa_change (seq INTEGER PRIMARY KEY AUTOINCREMENT, id)",
    "CREATE TABLE aa_extra (assistant_id TEXT PRIMARY KEY, keys TEXT NOT NULL)",
    """CREATE TABLE aa_revision (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        assistant_id TEXT NOT NULL,
        version INTEGER,
        created_at TEXT NOT NULL,
        actor_kind TEXT NOT NULL,
        actor_name TEXT NOT NULL,
        source TEXT NOT NULL,
        fields TEXT NOT NULL,
        is_deletion INTEGER NOT NULL DEFAULT 0,
        record TEXT NOT NULL
    )""",
    "CREATE INDEX aa_idx_revision_assistant ON aa_revision(assistant_id, number)",
    """CREATE TABLE aa_trash (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        assistant_id TEXT NOT NULL,
        title TEXT NOT NULL,
        emoji TEXT NOT NULL,
        status TEXT NOT NULL,
        deleted_at TEXT NOT NULL,
        deleted_by TEXT NOT NULL,
        source TEXT NOT NULL,
        record TEXT NOT NULL
    )""",
    "CREATE INDEX aa_idx_trash_assistant ON aa_trash(assistant_id)",
    "CREATE INDEX aa_idx_trash_deleted ON aa_trash(deleted_at)",
)

_ACCOUNT_TABLES = (
    """CREATE TABLE aa_user (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        password_changed_at TEXT NOT NULL,
        created_at TEXT NOT NULL,
        created_by TEXT NOT NULL,
        deactivated_at TEXT,
        language TEXT,
        theme TEXT
    )""",
    """CREATE TABLE aa_token (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE,
        hint TEXT NOT NULL,
        created_at TEXT NOT NULL,
        created_by TEXT NOT NULL,
        expires_at TEXT,
        revoked_at TEXT
    )""",
)

_BACKUP_TABLES = (
    """CREATE TABLE aa_backup (
        name TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        has_file INTEGER NOT NULL,
        is_ours INTEGER NOT NULL,
        is_pinned INTEGER NOT NULL DEFAULT 0,
        is_late INTEGER NOT NULL DEFAULT 0,
        made_at TEXT,
        local_day TEXT,
        actor TEXT,
        note TEXT,
        upload_name TEXT,
        record_count INTEGER,
        counts TEXT,
        size_bytes INTEGER,
        changed_at INTEGER,
        sha256 TEXT,
        verified_at TEXT,
        rebuild_seconds REAL,
        binned_at TEXT,
        error TEXT
    )""",
    """CREATE TABLE aa_restore (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT,
        applied_at TEXT NOT NULL,
        actor_kind TEXT NOT NULL,
        actor TEXT NOT NULL,
        source_name TEXT NOT NULL,
        source_sha256 TEXT NOT NULL,
        mode TEXT NOT NULL,
        counts TEXT NOT NULL,
        safety_backup TEXT,
        fingerprint TEXT NOT NULL
    )""",
    "CREATE INDEX aa_idx_restore_job ON aa_restore(job_id)",
)


def upgrade() -> None:
    """Create what is missing."""
    for statement in (*_EARLIER_TABLES, *_PAGING_INDEXES, *_CATALOGUE_TABLES, *_ACCOUNT_TABLES, *_BACKUP_TABLES):
        op.get_bind().exec_driver_sql(statement)
