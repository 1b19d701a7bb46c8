"""`flask assistants …`: the catalogue as a file."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from webadmin import backups
from webadmin.accounts import COMMAND_LINE
from webadmin.cli import files
from webadmin.cli.output import Command, Failed, note

assistants = AppGroup("assistants", help="The assistants of the catalogue.")


@assistants.command("import", cls=Command)
@files.import_options
def import_assistants(file: str, **chosen: Any) -> None:
    """Bring the records of a file into the catalogue.

    FILE is a path, or the name of a listed backup; plain or gzip.
    """
    files.import_file(file, **chosen)


@assistants.command("export", cls=Command)
@click.argument("file", required=False, default="-", metavar="[FILE]")
def export(file: str) -> None:
    """Write the whole catalogue to a new FILE, or to standard output."""
    made = backups.export(COMMAND_LINE)
    with made.file:
        if file == "-":
            shutil.copyfileobj(made.file, sys.stdout.buffer)
            return
        try:
            with Path(file).open("xb") as target:
                shutil.copyfileobj(made.file, target)
        except FileExistsError:
            raise Failed(f"{file} exists already; nothing was written.", "another name") from None
        except OSError as error:
            raise Failed(f"{file} cannot be written: {error.strerror}.") from error
    note(f"{made.count} assistants, {made.size_bytes} bytes")
