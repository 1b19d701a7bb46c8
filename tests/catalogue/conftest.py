"""A catalogue on a real file, opened as the program opens it, and the other program beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.earlier import connect
from webadmin import catalogue, db
from webadmin.accounts import Actor, ActorKind
from webadmin.config import Config

ADA = Actor(ActorKind.PERSON, "ada")


@pytest.fixture
def earlier(folder: Path) -> Callable[..., sqlite3.Connection]:
    """Make the earlier system's database, optionally with more columns, and return its own connection to it."""

    return partial(connect, folder / "assistants.db")


def open_app(settings: Config) -> Flask:
    """A bare application on the configured database file, its schema at the program's version."""
    # A whole application may have lived in this process before; this one has no runtime database to note waits in.
    db.use_waits(lambda _seconds: None)
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
