"""The commands of contract 7: `.venv/bin/flask …`, on the same locks and the same history as the server."""

from __future__ import annotations

from flask import Flask

from webadmin.cli.activity import audit
from webadmin.cli.assistants import assistants
from webadmin.cli.backup import backup
from webadmin.cli.people import setup_code, token, user
from webadmin.cli.system import database, doctor, recover


def register(app: Flask) -> None:
    """Give the application its commands."""
    for command in (backup, assistants, audit, user, token, setup_code, doctor, database, recover):
        app.cli.add_command(command)
