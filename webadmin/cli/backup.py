"""`flask backup …`: make, list, verify, restore and prune backups."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup

from webadmin import backups, clock, config, safety
from webadmin.accounts import COMMAND_LINE
from webadmin.backups import InvalidBackup, Progress, State
from webadmin.cli import files, tasks
from webadmin.cli.output import Command, Failed, show_json, show_table, tell
from webadmin.db import db
from webadmin.errors import N_, Message

_UNRELIABLE = frozenset({State.FAILED, State.ALTERED})
# Every record was read and the count is right; without a checksum nothing shows that the bytes are those of the day.
_WITHOUT_ERROR = defaultdict(str, {State.UNCHECKED: "no checksum: not checked"})

backup = AppGroup("backup", help="Backups: files that hold the whole catalogue.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@backup.command("create", cls=Command)
@_json
def create(as_json: bool) -> None:
    """Make a backup now, read it back and say what it holds."""
    made = tasks.follow(safety.start_backup(COMMAND_LINE))
    if as_json:
        show_json(made)
    else:
        tell(f"{made['filename']}: {made['recordCount']} records, {made['fileSize']} bytes, verified")


@backup.command("list", cls=Command)
@click.option("--bin", "in_bin", is_flag=True, help="List what lies in the bin instead.")
@_json
def list_backups(in_bin: bool, as_json: bool) -> None:
    """List the backups, newest first."""
    if in_bin:
        _list_bin(as_json=as_json)
        return
    backups.sync()
    found = backups.list_backups(db.session())
    if as_json:
        show_json([each.as_json() for each in found])
        return
    heads = ("FILE", "MADE", "KIND", "STATE", "RECORDS", "BYTES", "BY")
    show_table(
        heads, [(b.name, _local(b.made_at), b.kind, b.state, b.record_count, b.size_bytes, b.actor) for b in found]
    )


def _list_bin(*, as_json: bool) -> None:
    found = backups.list_bin()
    if as_json:
        show_json(
            [
                {
                    "filename": entry.name,
                    "fileSize": entry.size_bytes,
                    "binnedAt": clock.to_text(entry.binned_at),
                    "endsAt": clock.to_text(entry.ends_at),
                }
                for entry in found
            ]
        )
        return
    show_table(
        ("FILE", "BYTES", "BINNED", "ENDS"),
        [(e.name, e.size_bytes, _local(e.binned_at), _local(e.ends_at)) for e in found],
    )


@backup.command("unbin", cls=Command)
@click.argument("name")
def unbin(name: str) -> None:
    """Bring a deleted backup back from the bin."""
    backups.unbin(COMMAND_LINE, name)
    tell(f"{name} is back.")


@backup.command("verify", cls=Command)
@click.argument("names", metavar="[FILE…]", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Verify every backup.")
@_json
def verify(names: tuple[str, ...], is_all: bool, as_json: bool) -> None:
    """Read backups whole and rebuild every record; exit code 1 when one cannot be relied on.

    FILE is the name of a listed backup or the path of any file.
    """
    if is_all == bool(names):
        raise click.UsageError("Name the files, or use --all.")
    if is_all:
        backups.sync()
        names = tuple(b.name for b in backups.list_backups(db.session()) if b.has_file)
    outcomes = [_outcome(name) for name in names]
    if as_json:
        show_json(outcomes)
    else:
        show_table(
            ("FILE", "STATE", "RECORDS", "WHY"),
            [(o["filename"], o["state"], o["recordCount"], o["error"] or _WITHOUT_ERROR[o["state"]]) for o in outcomes],
        )
    bad = [o["filename"] for o in outcomes if o["state"] in _UNRELIABLE]
    if bad:
        raise Failed(f"Not to be relied on: {', '.join(bad)}.", "restore another backup, and make a new one now")


def _outcome(name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"filename": name}

    def work(progress: Progress) -> dict[str, Any]:
        if backups.is_name(name):
            proved = backups.verify(name, actor=COMMAND_LINE, progress=progress)
            found.update(state=proved.state, recordCount=proved.record_count, error=_text(proved.error))
        else:
            found.update(_prove(name, progress))
        return {"name": name, "state": found["state"]}

    kind = "verify" if backups.is_name(name) else "verify-file"
    title = Message(N_("Verifying %(name)s"), {"name": name})
    tasks.run(kind, work, title=title, when_stopped="What was found of the files read before is noted.")
    return found


def _prove(path: str, progress: Progress) -> dict[str, Any]:
    with files.received(path) as (file, _), file.open("rb") as stream:
        try:
            proof = backups.prove(stream, progress=progress)
        except InvalidBackup as error:
            return {"state": State.FAILED, "recordCount": None, "error": str(error)}
    return {"state": proof.state, "recordCount": proof.document.count, "error": None}


def _text(message: Message | None) -> str | None:
    return str(message) if message else None


@backup.command("restore", cls=Command)
@files.import_options
def restore(file: str, **chosen: Any) -> None:
    """Bring the records of a backup into the catalogue.

    FILE is the name of a listed backup, or the path of any file, plain or gzip.
    """
    files.import_file(file, **chosen)


@backup.command("prune", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only say what would be moved.")
@_json
def prune(dry_run: bool, as_json: bool) -> None:
    """Move the backups whose time is over to the bin, and empty the bin of what lay there for 7 days."""
    done = backups.prune(COMMAND_LINE, dry_run=dry_run)
    dropped = [(each.name, str(each.reason)) for each in done.plan.dropped if each.name not in done.stuck]
    kept = len(done.plan.decisions) - len(dropped)
    if as_json:
        show_json(
            {
                "isDryRun": dry_run,
                "moved": [{"filename": name, "reason": reason} for name, reason in dropped],
                "kept": kept,
                "deletedFromBin": list(done.emptied),
                "stuck": list(done.stuck),
            }
        )
        return
    for name, reason in dropped:
        tell(f"{name}: {reason}")
    for name in done.stuck:
        tell(f"{name}: cannot be moved")
    tell(f"{len(dropped)} {'would move' if dry_run else 'moved'} to the bin, {kept} kept.")


def _local(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(config.current().timezone):%Y-%m-%d %H:%M:%S}"
