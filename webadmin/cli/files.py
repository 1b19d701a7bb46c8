"""Taking a file in from the command line, and importing it: shared by `backup restore` and `assistants import`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from webadmin import backups, disk, jobs, operations
from webadmin.accounts import COMMAND_LINE
from webadmin.backups import Mode
from webadmin.cli import tasks
from webadmin.cli.output import Failed, is_terminal, show_json, show_problems, show_table, tell
from webadmin.errors import N_, Invalid, Message, NotFound
from webadmin.jobs import Progress
from webadmin.operations import ImportOptions, ImportResult

_Function = TypeVar("_Function", bound=Callable[..., None])
_COUNTS = ("created", "updated", "unchanged", "deleted", "skipped")


def import_options(function: _Function) -> _Function:
    """The argument and the options that both commands have."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
        click.option("--confirm-delete-all", is_flag=True, help="Let an empty file replace everything."),
        click.option("--accept-altered", is_flag=True, help="Take a file whose checksum is wrong."),
        click.option(
            "--on-error",
            type=click.Choice(["abort", "skip"]),
            default="abort",
            show_default=True,
            help="What one bad record does.",
        ),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--fingerprint", help="That of a --dry-run --json: do what it reported, or nothing if something changed."
        ),
        click.option("--dry-run", is_flag=True, help="Report what would change, and change nothing."),
        click.option(
            "--mode",
            type=click.Choice([str(mode) for mode in Mode]),
            default=str(Mode.MERGE),
            show_default=True,
            help="merge: create and update. skip: create only. replace: make the catalogue what the file is.",
        ),
        click.argument("file"),
    ):
        function = decorate(function)
    return function


def import_file(
    source: str,
    *,
    mode: str,
    dry_run: bool,
    yes: bool,
    on_error: str,
    accept_altered: bool,
    confirm_delete_all: bool,
    fingerprint: str | None,
    as_json: bool,
) -> None:
    """Check, plan, ask, import, report."""
    check_source(source)
    if not (dry_run or yes or is_terminal()):
        raise Failed(
            "There is no terminal to ask on, so nothing was done.", "--yes to do it without asking, or --dry-run"
        )
    options = ImportOptions(Mode(mode), on_error == "skip", accept_altered, confirm_delete_all)
    is_listed = _is_listed(source)
    with received(source) as (file, name):
        if dry_run or not yes:
            planned = _run(file, name, options, is_listed=is_listed, is_dry_run=True, fingerprint=fingerprint)
            if dry_run or not planned.plan.counts.changes:
                _report(planned, as_json=as_json)
                return
            _show_counts(planned, err=True)
            click.confirm("Import it?", abort=True, err=True)
            fingerprint = planned.plan.fingerprint
        _report(_run(file, name, options, is_listed=is_listed, fingerprint=fingerprint), as_json=as_json)


def _run(
    file: Path,
    name: str,
    options: ImportOptions,
    *,
    is_listed: bool,
    is_dry_run: bool = False,
    fingerprint: str | None = None,
) -> ImportResult:
    results: list[ImportResult] = []
    job_id = jobs.new_id()

    def work(progress: Progress) -> dict[str, Any]:
        results.append(
            operations.import_file(
                COMMAND_LINE,
                file,
                options,
                source_name=name,
                is_listed=is_listed,
                is_dry_run=is_dry_run,
                fingerprint=fingerprint,
                job_id=job_id,
                progress=progress,
            )
        )
        return results[0].as_json()

    tasks.run(operations.DIRECT_IMPORT, work, title=Message(N_("Import of %(name)s"), {"name": name}), id=job_id)
    return results[0]


def _report(result: ImportResult, *, as_json: bool) -> None:
    report = result.as_json()
    if as_json:
        show_json(report)
        return
    show_problems(report["errors"])
    show_problems(report["warnings"])
    _show_counts(result, err=False)
    if result.safety_backup:
        tell(f"Safety backup: {result.safety_backup}")


def _show_counts(result: ImportResult, *, err: bool) -> None:
    report = result.as_json()
    show_table(_COUNTS, [[report[name] for name in _COUNTS]], err=err)


def _is_listed(source: str) -> bool:
    return backups.is_name(source) and not Path(source).exists()


def check_source(source: str) -> None:
    """Raise Invalid or NotFound unless `source` is the name of a listed backup or the path of something that ends."""
    path = Path(source)
    if path.is_dir() or path.is_char_device() or path.is_block_device():
        raise Invalid("%(source)s is not a file.", hint="name a backup file", source=source)
    if not backups.is_name(source) and not path.exists():
        raise NotFound(
            "There is no file %(source)s, and no backup of that name.", hint="flask backup list", source=source
        )


@contextmanager
def received(source: str) -> Iterator[tuple[Path, str]]:
    """A plain copy of a listed backup, or of any file, beside the database, and the name to call it by.

    Raises Invalid, NotFound, DiskFull.
    """
    is_listed = _is_listed(source)
    check_source(source)
    copy = jobs.folder() / f"{jobs.new_id()}.upload"
    try:
        try:
            with backups.open_backup(source) if is_listed else Path(source).open("rb") as stream:
                backups.receive(stream, copy)
        except OSError as error:
            raise Invalid("%(source)s cannot be read: %(reason)s.", source=source, reason=error.strerror) from error
        yield copy, Path(source).name
    finally:
        disk.remove(copy)
