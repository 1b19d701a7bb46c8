"""`flask audit list`, `flask audit export`."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TextIO

import click
from flask.cli import AppGroup

from webadmin import audit as log
from webadmin import clock, config, strict
from webadmin.accounts import COMMAND_LINE
from webadmin.audit import Act, Entry, Wanted
from webadmin.cli.output import Command, Failed, note, show_json, show_table

audit = AppGroup("audit", help="The activity log: who did what.")

_ACTS = click.Choice([str(act) for act in Act])


@audit.command("list", cls=Command)
@click.option("--act", type=_ACTS, metavar="ACT", help="Only this act, such as signin.refused.")
@click.option("--object", "thing", metavar="ID", help="Only what was done to this object, by its whole id or name.")
@click.option("--days", type=click.IntRange(1, 36500), metavar="N", help="Only the last N days.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_entries(act: str | None, thing: str | None, days: int | None, limit: int, as_json: bool) -> None:
    """List entries, newest first."""
    entries = list(islice(log.iter_entries(_wanted(act, thing, days)), limit))
    if as_json:
        show_json([entry.as_json() for entry in entries])
        return
    rows = [
        (entry.number, _local(entry.at), entry.who_name or entry.who_kind, entry.act, entry.result, _thing(entry))
        for entry in entries
    ]
    show_table(("NUMBER", "TIME", "WHO", "ACT", "RESULT", "OBJECT"), rows)


@audit.command("export", cls=Command)
@click.argument("file", required=False, default="-", metavar="[FILE]")
@click.option("--act", type=_ACTS, metavar="ACT", help="Only this act.")
@click.option("--object", "thing", metavar="ID", help="Only what was done to this object, by its whole id or name.")
@click.option("--days", type=click.IntRange(1, 36500), metavar="N", help="Only the last N days.")
def export(file: str, act: str | None, thing: str | None, days: int | None) -> None:
    """Write entries to a new FILE, or to standard output: one JSON object a line, newest first."""
    wanted = _wanted(act, thing, days)
    log.note(COMMAND_LINE, Act.LOG_EXPORTED, format="json")
    if file == "-":
        _write(wanted, sys.stdout)
        return
    try:
        with Path(file).open("x", encoding="utf-8") as target:
            count = _write(wanted, target)
    except FileExistsError:
        raise Failed(f"{file} exists already; nothing was written.", "another name") from None
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}.") from error
    note(f"{count} entries")


def _write(wanted: Wanted, target: TextIO) -> int:
    count = 0
    for entry in log.iter_entries(wanted):
        target.write(json.dumps(entry.as_json(), ensure_ascii=False) + "\n")
        count += 1
    return count


def _wanted(act: str | None, thing: str | None, days: int | None) -> Wanted:
    since = clock.to_text(clock.now() - timedelta(days=days)) if days else None
    return Wanted(act=Act(act) if act else None, thing=thing, since=since)


def _local(at: str) -> str:
    instant = strict.to_instant(at)
    return f"{instant.astimezone(config.current().timezone):%Y-%m-%d %H:%M:%S}" if instant else at


def _thing(entry: Entry) -> str | None:
    if entry.thing_id is None:
        return None
    return f"{entry.thing_kind} {entry.thing_id}" + (f" ({entry.thing_name})" if entry.thing_name else "")
