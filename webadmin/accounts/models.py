"""Tables of people and API tokens."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from webadmin.db import Base


class User(Base):
    """A person who may sign in. Times are text as everywhere (contract 3.1)."""

    __tablename__ = "aa_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    # The case-folded name: «Lin» and «lin» are one person, in every script and on every database.
    name_key: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    password_hash: Mapped[str]
    password_changed_at: Mapped[str]
    created_at: Mapped[str]
    created_by: Mapped[str]
    deactivated_at: Mapped[str | None]
    language: Mapped[str | None]
    theme: Mapped[str | None]
    # Given by somebody else: good for a few days, and for nothing but choosing another.
    is_temporary: Mapped[bool] = mapped_column(default=False)
    has_single_keys: Mapped[bool] = mapped_column(default=True)
    # Base32. As good as a key, and needed in the clear to check a code: the file is closed to others (0600).
    totp_secret: Mapped[str | None]


class RecoveryCode(Base):
    """A recovery code that was not used yet; only its SHA-256 is kept."""

    __tablename__ = "aa_recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    code_hash: Mapped[str]


class Token(Base):
    """An API token: only the SHA-256 of its text is kept, and its first characters to recognise it by.

    After a rotation its text of before is valid beside the new one until `old_until`.
    """

    __tablename__ = "aa_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str]
    created_at: Mapped[str]
    created_by: Mapped[str]
    expires_at: Mapped[str | None]
    revoked_at: Mapped[str | None]
    # Words of `Purpose`, with spaces between.
    purposes: Mapped[str]
    rotated_at: Mapped[str | None]
    old_hash: Mapped[str | None] = mapped_column(unique=True)
    old_hint: Mapped[str | None]
    old_until: Mapped[str | None]
