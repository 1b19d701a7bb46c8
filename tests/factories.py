"""Records of the tests: complete, and different only in what a test says."""

from __future__ import annotations

from typing import Any

from flask import Flask

from webadmin import catalogue
from webadmin.accounts import SYSTEM
from webadmin.catalogue import Change, Record
from webadmin.db import transaction

NOON = "2026-11-20T12:00:00.000Z"


def make_record(record_id: str = "ast_1", **changes: Any) -> Record:
    """A published, public record."""
    values: dict[str, Any] = {
        "title": "Code Reviewer",
        "desc": "Reads a diff like a senior engineer",
        "emoji": "🧑‍💻",
        "prompt": "You review code changes.\nQuote the line.",
        "tags": ["coding", "review"],
        "is_public": True,
        "status": "published",
        "author": "marta",
        "created_at": NOON,
    }
    return Record(id=record_id, **values | changes)


def store(app: Flask, *records: Record) -> None:
    """Put records into the catalogue as an import does."""
    with app.app_context(), transaction() as session:
        catalogue.write_records(session.connection(), SYSTEM, [Change(None, each) for each in records], source="import")


def stored(app: Flask, record_id: str = "ast_1") -> Record:
    """The record as it is stored now."""
    with app.app_context(), transaction() as session:
        return catalogue.get(session, record_id)
