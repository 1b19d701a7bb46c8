"""The application as `app` for the flask command and for any WSGI server; `python wsgi.py` serves it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from webadmin.app import create_app
from webadmin.config import Config, ConfigError
from webadmin.errors import DomainError
from webadmin.server import ListenError, serve

Result = TypeVar("Result")


def _or_exit(start: Callable[[], Result]) -> Result:
    """What `start` gives; what stands against it ends the program in words, with exit code 1."""
    try:
        return start()
    except ConfigError as error:
        lines = [f"Error: {problem}" for problem in error.problems]
        lines.append("Try: correct this in the environment or in .env.local; docs/configuration.md has all settings.")
    except (DomainError, ListenError) as error:
        lines = [f"Error: {error}"]
        if error.hint:
            lines.append(f"Try: {error.hint}")
    sys.exit("\n".join(lines))


def _serve() -> None:
    config = Config.load()
    serve(lambda: create_app(config), config)


if __name__ == "__main__":
    _or_exit(_serve)
else:
    app = _or_exit(create_app)
