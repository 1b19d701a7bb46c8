"""The earlier system: its schema, the statements it runs, and a client as its users wrote them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

SCHEMA = """
CREATE TABLE assistants (
  id TEXT PRIMARY KEY, title TEXT NOT NULL, desc TEXT NOT NULL, emoji TEXT NOT NULL DEFAULT '🤖', prompt TEXT NOT NULL,
  tags TEXT, is_public INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'draft', author TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT, reviewed_at TEXT, published_at TEXT, review_note TEXT,
  version INTEGER NOT NULL DEFAULT 1,
  CONSTRAINT status_check CHECK (status IN ('draft', 'pending', 'published', 'rejected')));
CREATE TABLE migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL UNIQUE, applied_at TEXT NOT NULL,
  description TEXT);
CREATE TABLE backups (id INTEGER PRIMARY KEY AUTOINCREMENT, filename TEXT NOT NULL, created_at TEXT NOT NULL,
  record_count INTEGER NOT NULL, file_size INTEGER NOT NULL, is_auto INTEGER NOT NULL DEFAULT 0);
CREATE INDEX idx_assistants_status ON assistants(status);
CREATE INDEX idx_assistants_author ON assistants(author);
CREATE INDEX idx_assistants_created_at ON assistants(created_at DESC);
CREATE INDEX idx_assistants_published_at ON assistants(published_at DESC);
INSERT INTO migrations (version, applied_at, description) VALUES ('1.0.0', '2025-11-03T03:09:44.525Z', 'first');
"""
_LAST_COLUMN = "version INTEGER NOT NULL DEFAULT 1"


def schema(*columns: str) -> str:
    """Its tables, with more columns of `assistants` than its first version had: `schema("mood TEXT")`."""
    return SCHEMA.replace(_LAST_COLUMN, ", ".join((_LAST_COLUMN, *columns)), 1)


def connect(path: Path, *columns: str) -> sqlite3.Connection:
    """A connection as the earlier system opens one; it makes its tables, with these more columns, if there are none."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'assistants'").fetchone():
        connection.executescript(schema(*columns))
    return connection


def insert(connection: sqlite3.Connection, id: str | None, *, verb: str = "INSERT", **values: Any) -> None:
    """Its INSERT of fifteen columns, or of more."""
    row = {
        "id": id,
        "title": f"Title of {id}",
        "desc": "one line",
        "emoji": "🚀",
        "prompt": "Be helpful.",
        "tags": None,
        "is_public": 0,
        "status": "draft",
        "author": "test-user",
        "created_at": "2025-11-03T03:09:44.545Z",
        "updated_at": None,
        "reviewed_at": None,
        "published_at": None,
        "review_note": None,
        "version": 1,
    } | values
    marks = ", ".join("?" * len(row))
    connection.execute(f"{verb} INTO assistants ({', '.join(row)}) VALUES ({marks})", list(row.values()))


class Client:
    """The calls that its documentation shows, each returning the answer as it came."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api", headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def list(self, **parameters: Any) -> httpx.Response:
        return self.http.get("/assistants", params=parameters)

    def get(self, id: str) -> httpx.Response:
        return self.http.get(f"/assistants/{quote(id, safe='')}")

    def create(self, **fields: Any) -> httpx.Response:
        return self.http.post("/assistants", json=fields)

    def update(self, id: str, **fields: Any) -> httpx.Response:
        return self.http.put(f"/assistants/{quote(id, safe='')}", json=fields)

    def set_status(self, id: str, **fields: Any) -> httpx.Response:
        return self.http.patch(f"/assistants/{quote(id, safe='')}/status", json=fields)

    def delete(self, id: str) -> httpx.Response:
        return self.http.delete(f"/assistants/{quote(id, safe='')}")

    def export(self) -> httpx.Response:
        return self.http.get("/assistants/backup/export")

    def import_json(self, document: Any, **parameters: Any) -> httpx.Response:
        return self.http.post("/assistants/backup/import", json=document, params=parameters)

    def import_file(self, content: bytes, **fields: Any) -> httpx.Response:
        return self.http.post("/assistants/backup/import", files={"file": ("backup.json", content)}, data=fields)

    def list_backups(self) -> httpx.Response:
        return self.http.get("/assistants/backup/list")

    def create_backup(self) -> httpx.Response:
        return self.http.post("/assistants/backup/create")
