"""A catalogue on a real file, opened as the program opens it, and the other program beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from webadmin import catalogue, db
from webadmin.accounts import Actor, ActorKind
from webadmin.config import Config

ADA = Actor(ActorKind.PERSON, "ada")


@pytest.fixture
def earlier(folder: Path) -> Callable[..., sqlite3.Connection]:
    """Make the earlier system's database, optionally with more columns, and return its own connection to it."""

    def make(*columns: str) -> sqlite3.Connection:
        connection = sqlite3.connect(folder / "assistants.db", isolation_level=None)
        more = "".join(f", {column}" for column in columns)
        connection.executescript(
            f"""PRAGMA journal_mode=WAL;
            CREATE TABLE assistants (id TEXT PRIMARY KEY, title TEXT NOT NULL, desc TEXT NOT NULL,
              emoji TEXT NOT NULL DEFAULT '🤖', prompt TEXT NOT NULL, tags TEXT, is_public INTEGER NOT NULL DEFAULT 0,
              status TEXT NOT NULL DEFAULT 'draft', author TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT,
              reviewed_at TEXT, published_at TEXT, review_note TEXT, version INTEGER NOT NULL DEFAULT 1{more},
              CONSTRAINT status_check CHECK (status IN ('draft', 'pending', 'published', 'rejected')));
            CREATE TABLE migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL UNIQUE,
              applied_at TEXT NOT NULL, description TEXT);
            CREATE TABLE backups (id INTEGER PRIMARY KEY AUTOINCREMENT, filename TEXT NOT NULL,
              created_at TEXT NOT NULL, record_count INTEGER NOT NULL, file_size INTEGER NOT NULL,
              is_auto INTEGER NOT NULL DEFAULT 0);
            INSERT INTO migrations (version, applied_at) VALUES ('1.0.0', '2025-11-03T03:09:44.525Z');"""
        )
        return connection

    return make


def insert(other: sqlite3.Connection, assistant_id: str, *, verb: str = "INSERT", **values: object) -> None:
    """The earlier system's INSERT of fifteen columns."""
    row = {
        "id": assistant_id,
        "title": f"Title of {assistant_id}",
        "desc": "one line",
        "emoji": "🚀",
        "prompt": "You are helpful.",
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
    names = ", ".join(row)
    other.execute(f"{verb} INTO assistants ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def open_app(settings: Config) -> Flask:
    """A bare application on the configured database file, its schema at the program's version."""
    app = Flask("catalogue")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{settings.database_path}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = db.engine_options(1000)
    db.db.init_app(app)
    with app.app_context():
        db.prepare(db.db.engine)
        with db.writing(db.db.engine) as connection:
            if db.schema_state(connection) is not db.SchemaState.CURRENT:
                db.migrate(connection)
            catalogue.adopt(connection)
    return app


@pytest.fixture
def opened(settings: Config) -> Iterator[Callable[[], Session]]:
    """Open the database as it stands now; the result gives a fresh reading session at each call."""
    contexts = []

    def session() -> Session:
        if not contexts:
            app = open_app(settings)
            contexts.append(app.app_context())
            contexts[0].push()
        found = db.db.session()
        found.rollback()
        return found

    yield session
    if contexts:
        db.db.session.remove()
        db.db.engine.dispose()
        contexts[0].pop()


@pytest.fixture
def make(opened: Callable[[], Session]) -> Callable[..., str]:
    """Create an assistant by the domain and return its id."""
    opened()

    def create(**fields: object) -> str:
        values = {"title": "A title", "desc": "one line", "emoji": "🤖", "prompt": "Be helpful."} | fields
        with db.transaction() as session:
            return str(catalogue.create(session, ADA, values).id)

    return create
