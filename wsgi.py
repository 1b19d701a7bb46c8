"""The application as `app` for the flask command and for any WSGI server; `python wsgi.py` serves it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from flask import Flask
from sqlalchemy.exc import DBAPIError

from webadmin import accounts
from webadmin.app import create_app
from webadmin.config import Config, ConfigError
from webadmin.db import db, translate
from webadmin.errors import DomainError
from webadmin.scheduler import Scheduler
from webadmin.server import ListenError, serve

Result = TypeVar("Result")

# Files that SQLite makes, and folders above those that are asked for, are closed to other accounts too.
os.umask(0o077)


def _or_exit(start: Callable[[], Result]) -> Result:
    """What `start` gives; what stands against it ends the program in words, with exit code 1."""
    try:
        return start()
    except ConfigError as error:
        lines = [f"Error: {problem}" for problem in error.problems]
        lines.append("Try: correct this in the environment or in .env.local; docs/configuration.md has all settings.")
    except (DomainError, ListenError, OSError, DBAPIError) as error:
        known = error if isinstance(error, (DomainError, ListenError)) else translate(error)
        if known is None:
            raise
        lines = [f"Error: {known}"]
        if known.hint:
            lines.append(f"Try: {known.hint}")
    sys.exit("\n".join(lines))


def _serve() -> None:
    config = Config.load()

    def build() -> Flask:
        made = create_app(config)
        Scheduler(made).start()
        code = None
        with made.app_context(), suppress(DBAPIError):  # Damaged: then nobody can make the first account either.
            code = accounts.setup_code(db.session())
        if code:
            # To the terminal alone: whoever reads a log file must not be able to claim the site.
            print(f"Setup code: {code} (open /setup to create the first account)", flush=True)
        return made

    serve(build, config)


if __name__ == "__main__":
    _or_exit(_serve)
else:
    is_command = "FLASK_RUN_FROM_CLI" in os.environ
    # `flask doctor` must be able to say what is wrong with a database that cannot be opened.
    app = _or_exit(lambda: create_app(must_open=not is_command))
    if not is_command:
        # Some other WSGI server imports this: its processes run the scheduled tasks, one of them at a time.
        Scheduler(app).start()
