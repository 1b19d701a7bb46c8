"""`flask doctor` and `flask db upgrade`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from webadmin import damage, deployment, diagnostics, recovery
from webadmin.accounts import COMMAND_LINE
from webadmin.backups import Silent
from webadmin.cli.output import Command, Failed, show_json, show_table, tell
from webadmin.db import SchemaState
from webadmin.diagnostics import Check, CheckState
from webadmin.errors import N_, DomainError, Message
from webadmin.upgrade import Opening, begin_empty

database = AppGroup("db", help="The database file.")

_DONE = {
    SchemaState.EMPTY: "There was no database: it was made.",
    SchemaState.EARLIER_SYSTEM: "The earlier system's database was opened in place.",
    SchemaState.OLD: "The database was upgraded.",
    SchemaState.CURRENT: "The database has the schema of this version; there was nothing to do.",
}
_MARKS = {CheckState.OK: "ok  ", CheckState.WARN: "warn", CheckState.BAD: "BAD "}


class WithoutDatabase(Command):
    """Runs even when the database could not be opened: it says why, or mends it."""

    needs_database = False


@click.command("doctor", cls=WithoutDatabase)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--deploy", is_flag=True, help="Check the settings for a machine that others can reach, too.")
def doctor(as_json: bool, deploy: bool) -> None:
    """Check database, backups, disk, scheduler and settings; exit code 1 when one of them is bad."""
    checks = diagnostics.run_checks()
    trouble: DomainError | None = current_app.extensions.get("database_trouble")
    if trouble is not None:
        checks.insert(0, Check("start", Message(N_("Start")), CheckState.BAD, trouble.message, trouble.hint))
    if deploy:
        checks += deployment.run_checks()
    if as_json:
        show_json([_as_json(check) for check in checks])
    else:
        for check in checks:
            _show(check)
    bad = [check.code for check in checks if check.state is CheckState.BAD]
    if bad:
        raise Failed(f"Bad: {', '.join(bad)}.", "the next step that stands beside each")


def _show(check: Check) -> None:
    tell(f"{_MARKS[check.state]}  {check.code}: {check.fact}")
    for detail in check.details:
        tell(f"        {detail}")
    if check.next_step:
        tell(f"      → {check.next_step}")


def _as_json(check: Check) -> dict[str, Any]:
    return {
        "code": check.code,
        "name": str(check.name),
        "state": check.state,
        "fact": str(check.fact),
        "nextStep": str(check.next_step) if check.next_step else None,
        "details": [str(detail) for detail in check.details],
    }


@database.command("upgrade", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def upgrade(as_json: bool) -> None:
    """Bring the database to this version's schema, as each start does, and say what was done."""
    opening: Opening = current_app.extensions["opening"]
    if as_json:
        show_json({"found": opening.found, "snapshot": opening.snapshot, "safetyBackup": opening.safety_backup})
        return
    tell(_DONE[opening.found])
    if opening.snapshot:
        tell(f"Copies made before: snapshot {opening.snapshot}, safety backup {opening.safety_backup}")


@database.command("begin-empty", cls=WithoutDatabase)
def begin_anew() -> None:
    """Begin with an empty catalogue where the database was lost; what remains of it is set aside, never deleted."""
    trouble = current_app.extensions.get("database_trouble")
    if trouble is not None and not isinstance(trouble, damage.DatabaseGone):
        raise trouble
    begin_empty()
    tell("An empty database was made. Backups in the folder are listed; bring one in with: flask backup restore NAME")


@click.command("recover", cls=WithoutDatabase)
@click.option("--from", "source", metavar="NAME", help="Begin from this snapshot or backup instead of the newest.")
@click.option("--leave", is_flag=True, help="Take nothing from the damaged file; list what differs.")
@click.option("--dry-run", is_flag=True, help="Build and list what differs; put nothing in place yet.")
@click.option("--prepared", is_flag=True, help="Put in place what was built, with the choices made on the page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def recover(source: str | None, leave: bool, dry_run: bool, prepared: bool, as_json: bool) -> None:
    """Put a sound copy in the place of a damaged or lost database, with what the damaged file has that is newer."""
    if prepared and (source or leave or dry_run):
        raise click.UsageError("--prepared stands alone: it takes what was built.")
    if prepared:
        done = recovery.apply(COMMAND_LINE, Silent())
    else:
        done = recovery.recover(COMMAND_LINE, take_newer=not leave, source=source, is_dry=dry_run)
    if as_json:
        show_json(asdict(done))
        return
    if dry_run:
        tell(f"Built from {done.source}, with {done.in_copy} assistants. Nothing is in place yet.")
    else:
        tell(f"Recovered from {done.source}: {done.recovered} assistants ({done.in_copy} in the copy).")
    if done.newer:
        tell(f"{done.newer}, which was made later, is in that copy too.")
    if done.source.endswith(".json"):
        tell("A backup holds assistants alone: people, tokens, settings and the history are not in it.")
        tell("For the first person: flask user add NAME --role admin")
    tell(f"Read from the damaged file: {done.was_read}; rows that could not be read: {done.unreadable}.")
    if done.set_aside:
        tell(f"The damaged file was set aside: {done.set_aside}")
    if done.differences:
        rows = [(d.id, d.version_in_copy, d.version_read, _outcome(d)) for d in done.differences]
        show_table(("ID", "VERSION IN COPY", "VERSION READ", ""), rows)
    if dry_run:
        tell("Choose on the health page, or put it in place: flask recover --prepared")


def _outcome(difference: recovery.Difference) -> str:
    if difference.version_read is None:
        return "deleted" if difference.is_taken else "from the copy: deleted since, or unreadable"
    return "taken" if difference.is_taken else "left"
