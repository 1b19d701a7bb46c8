"""An open application, and the log as it stands in its file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture
def opened(app):
    """The application, inside its context."""
    with app.app_context():
        yield app


@pytest.fixture
def file(app, folder: Path):
    """A connection of another program to the database."""
    with closing(sqlite3.connect(folder / "assistants.db", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection
