"""What commands show: errors in one line, tables, JSON; and the class of command that every one is made of."""

from __future__ import annotations

import errno
import getpass
import json
import os
import sqlite3
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from flask import current_app
from sqlalchemy.exc import DBAPIError

from webadmin import audit, db
from webadmin.errors import DomainError, Message

_PROBLEMS_SHOWN = 20
_CLOSED_OR_FULL = frozenset({errno.ENOSPC, errno.EBADF, errno.EPIPE})


class Failed(click.ClickException):
    """Refused or failed: `Error: …` and `Try: …` on stderr, exit code 1."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def show(self, file: Any = None) -> None:
        """Write the lines to stderr."""
        click.echo(f"Error: {printable(self.message)}", err=True)
        if self.hint:
            click.echo(f"Try: {printable(self.hint)}", err=True)


def failure(message: Message, hint: Message | None, details: Any = None) -> Failed:
    """The lines for an error of the domain; the records that are at fault are told at once, before it."""
    problems = [each for each in details or [] if isinstance(each, dict) and each.get("index") is not None]
    show_problems(problems)
    if hint and "option" in hint.params:
        hint = Message(hint.template, hint.params | {"option": _as_option(hint.params["option"])})
    return Failed(str(message), str(hint) if hint else None)


def _as_option(parameter: str) -> str:
    """An option of the API as a command has it: `onError=skip` is `--on-error skip`."""
    name, _, value = parameter.partition("=")
    dashed = "".join(f"-{char.lower()}" if char.isupper() else char for char in name)
    return f"--{dashed}" if value == "true" else f"--{dashed} {value}"


def show_problems(problems: Sequence[dict[str, Any]]) -> None:
    """The first of them on stderr, a line for each: which record, which field, why."""
    for problem in problems[:_PROBLEMS_SHOWN]:
        # As pages count: the first record is 1, what is wrong with the file as such has no number.
        place = "file" if problem["index"] is None else f"record {problem['index'] + 1}, id {problem['id'] or '—'}"
        note(f"  {place}, {problem['field'] or 'record'}: {problem['message']}")
    if len(problems) > _PROBLEMS_SHOWN:
        note(f"  … and {len(problems) - _PROBLEMS_SHOWN} more")


class Command(click.Command):
    """A command whose domain errors end it with one clear line instead of a traceback."""

    needs_database = True

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, unless it needs the database and that could not be opened."""
        # Python leaves None where a stream was closed before the start.
        audit.come_from("command-line", _account())
        sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 (open to the end)
        try:
            trouble = current_app.extensions.get("database_trouble")
            if self.needs_database and trouble is not None:
                raise trouble
            return super().invoke(ctx)
        except DomainError as error:
            raise failure(error.message, error.hint, error.details()) from error
        except (DBAPIError, OSError, sqlite3.Error) as error:
            if isinstance(error, OSError) and error.filename is None and error.errno in _CLOSED_OR_FULL:
                raise Failed(f"The output is closed or full: {error.strerror}.") from error
            known = db.translate(error)
            if known is None:
                raise
            raise failure(known.message, known.hint) from error


def _account() -> str | None:
    """The account of the system that runs the command; a container may have none for its number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def tell(text: str) -> None:
    """A line on stdout."""
    click.echo(printable(text))


def note(text: str) -> None:
    """A line on stderr, for what is not the result itself."""
    click.echo(printable(text), err=True)


def show_json(value: Any) -> None:
    """A result as JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(heads: Sequence[str], rows: Sequence[Sequence[Any]], *, err: bool = False) -> None:
    """Aligned columns; None is a dash."""
    cells = [list(heads), *([printable("—" if c is None else str(c)) for c in row] for row in rows)]
    widths = [max(_width(line[i]) for line in cells) for i in range(len(heads))]
    for line in cells:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip(), err=err)


def printable(text: str) -> str:
    """The text without what could steer the terminal: a file or an id may be named by anybody."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def is_terminal() -> bool:
    """Whether a person can be asked and shown progress."""
    return sys.stdin.isatty() and sys.stderr.isatty()
