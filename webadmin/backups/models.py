"""Tables of the backup index. The folder is the truth; what stands here can be made again from it."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from webadmin.db import Base


class Kind(StrEnum):
    """Why a backup exists."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    SAFETY = "safety"
    UPLOADED = "uploaded"
    FOUND = "found"


class State(StrEnum):
    """What is known about a backup."""

    VERIFIED = "verified"
    UNCHECKED = "unchecked"
    CHECKING = "checking"
    FAILED = "failed"
    MISSING = "missing"
    ALTERED = "altered"


class OriginalBackup(Base):
    """The earlier system's list; each backup also gets a row here, whose id the API gives."""

    __tablename__ = "backups"

    id: Mapped[int] = mapped_column(primary_key=True)
    filename: Mapped[str]
    created_at: Mapped[str]
    record_count: Mapped[int]
    file_size: Mapped[int]
    is_auto: Mapped[int]


class BackupFact(Base):
    """What is known about the file of that name, or about a run that failed and left none (`has_file` false).

    `size_bytes` and `changed_at` (the file's mtime in ns) tell whether it is still the file that was looked at.
    """

    __tablename__ = "aa_backup"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    has_file: Mapped[bool]
    is_ours: Mapped[bool]
    is_pinned: Mapped[bool] = mapped_column(default=False)
    is_late: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[str | None]
    local_day: Mapped[str | None]
    actor: Mapped[str | None]
    note: Mapped[str | None]
    upload_name: Mapped[str | None]
    record_count: Mapped[int | None]
    counts: Mapped[str | None]
    contents: Mapped[str | None]
    size_bytes: Mapped[int | None]
    changed_at: Mapped[int | None]
    sha256: Mapped[str | None]
    verified_at: Mapped[str | None]
    rebuild_seconds: Mapped[float | None]
    binned_at: Mapped[str | None]
    error: Mapped[str | None]


class RestoreRun(Base):
    """An import or restore that was applied; written in the catalogue's own transaction, which proves it.

    `first_revision` to `last_revision` are those that it wrote.
    """

    __tablename__ = "aa_restore"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str | None]
    applied_at: Mapped[str]
    actor_kind: Mapped[str]
    actor: Mapped[str]
    source_name: Mapped[str]
    source_sha256: Mapped[str]
    mode: Mapped[str]
    counts: Mapped[str]
    safety_backup: Mapped[str | None]
    fingerprint: Mapped[str]
    first_revision: Mapped[int | None]
    last_revision: Mapped[int | None]
