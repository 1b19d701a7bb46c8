"""Typed models of the catalogue's tables.

`assistants` is the earlier system's (contract 3.1); the `aa_` tables are ours and never refer to it by foreign key.
"""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from webadmin.db import Base


class Assistant(Base):
    """The fifteen columns that every version of the earlier system has; `rows` reads the later and unknown ones."""

    __tablename__ = "assistants"

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    desc: Mapped[str]
    emoji: Mapped[str]
    prompt: Mapped[str]
    tags: Mapped[str | None]
    is_public: Mapped[int]
    status: Mapped[str]
    author: Mapped[str]
    created_at: Mapped[str]
    updated_at: Mapped[str | None]
    reviewed_at: Mapped[str | None]
    published_at: Mapped[str | None]
    review_note: Mapped[str | None]
    version: Mapped[int]


class Change(Base):
    """The log that the triggers on `assistants` append to: which ids some program wrote, in order."""

    __tablename__ = "aa_change"

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str | None]


class Extra(Base):
    """The keys of a record that have no column, as the raw text of one JSON object."""

    __tablename__ = "aa_extra"

    assistant_id: Mapped[str] = mapped_column(primary_key=True)
    keys: Mapped[str]


class Revision(Base):
    """An immutable state of an assistant: who, when, by which way, which fields, and the whole record.

    `number` identifies it; `version` may repeat, because the other program writes what it likes. The newest
    revision of an assistant is also the shadow that foreign changes are compared with.
    """

    __tablename__ = "aa_revision"

    number: Mapped[int] = mapped_column(primary_key=True)
    assistant_id: Mapped[str]
    version: Mapped[int | None]
    created_at: Mapped[str]
    actor_kind: Mapped[str]
    actor_name: Mapped[str]
    source: Mapped[str]
    fields: Mapped[str]
    is_deletion: Mapped[bool]
    record: Mapped[str]


class Trash(Base):
    """A deleted assistant, whole, until it is put back or its time is over."""

    __tablename__ = "aa_trash"

    number: Mapped[int] = mapped_column(primary_key=True)
    assistant_id: Mapped[str]
    title: Mapped[str]
    emoji: Mapped[str]
    status: Mapped[str]
    deleted_at: Mapped[str]
    deleted_by: Mapped[str]
    source: Mapped[str]
    record: Mapped[str]
