"""An import as a job: receive and check a file, wait for the person, apply what was shown.

Everything it needs between two requests lies in files beside the job's row, so the wizard survives a reload, a closed
tab and another process, and goes with the job after a day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import select

from webadmin import backups, catalogue, clock, config, disk, jobs, operations
from webadmin.accounts import Actor
from webadmin.backups import Choices, Counts, Document, Mode, Plan, PlannedChange, RestoreRun, SeenKey, Staged
from webadmin.catalogue import Record
from webadmin.db import db, reading, translated_errors
from webadmin.errors import N_, DomainError, Invalid, Message, NotFound, Problem
from webadmin.jobs import Job, Progress, Waiting

KIND = "import"


class Choice(msgspec.Struct, frozen=True):
    """What the person decided about a file."""

    mode: Mode = Mode.MERGE
    skip_bad: bool = False
    accept_altered: bool = False


class Report(msgspec.Struct):
    """What was found in a file and what it would do; kept between requests."""

    document: Document
    records_sha256: str
    assumed_at: str | None
    good_count: int
    problem_count: int
    warning_count: int
    problems: list[Problem]
    warnings: list[Problem]
    unknown_keys: dict[str, int]
    plan: Plan
    keys: dict[str, SeenKey] = {}

    @property
    def alteration(self) -> str | None:
        """What makes the file an altered one, in words; None for one that is not."""
        return backups.ALTERATIONS.get(self.document.integrity)


def receive_upload(actor: Actor, stream: BinaryIO, filename: str) -> Job:
    """Take an upload in and begin to check it. Raises TooLarge, InvalidBackup (broken gzip), DiskFull."""
    id = jobs.new_id()
    with _removed_on_error(id):
        _folder()
        backups.receive(stream, _file(id, "upload"), bound=config.current().max_upload_size)
        return _start(id, actor, filename, lambda progress: _stage_upload(id, actor, progress))


def take_listed(actor: Actor, name: str, *, is_rest: bool = False) -> Job:
    """Begin to check a listed backup; of a damaged one (`is_rest`), the records that can be read. Raises NotFound."""
    backups.open_backup(name).close()
    id = jobs.new_id()
    _folder()

    def stage(progress: Progress) -> Staged:
        _file(id, "upload").unlink(missing_ok=True)
        if is_rest:
            backups.write_readable(name, _file(id, "upload"))
            return _stage_upload(id, actor, progress)
        return backups.stage_listed(actor, name, _file(id, "upload"), _file(id, "db"), progress=progress)

    return _start(id, actor, name, stage)


def undo(actor: Actor, safety_backup: str) -> Job:
    """Begin to compare what an import changed with the safety backup that was taken before it. Raises NotFound."""
    run = _run(safety_backup)
    if run is None:
        raise NotFound(N_("No import can be undone with this backup."))
    obstacle = why_no_undo(safety_backup)
    if obstacle is not None:
        raise NotFound(obstacle.template)
    first, last = run.first_revision or 0, run.last_revision or 0
    with reading() as connection:
        lost = _counts(run).changes - catalogue.count_written(connection, first, last)
    id = jobs.new_id()
    _folder()

    def stage(progress: Progress) -> Staged:
        with backups.open_choices(_file(id, "choices"), is_new=True) as choices, reading() as connection:
            choices.limit_to(catalogue.iter_written(connection, first, last))
        return backups.stage_listed(actor, safety_backup, _file(id, "upload"), _file(id, "db"), progress=progress)

    undone = {"undone": run.source_name, "by": run.actor, "at": run.applied_at, "lost": max(0, lost)}
    return _start(id, actor, safety_backup, stage, undone=undone)


def _run(safety_backup: str) -> RestoreRun | None:
    """The import before which this backup was taken."""
    with translated_errors():
        return db.session.execute(select(RestoreRun).where(RestoreRun.safety_backup == safety_backup)).scalar()


def can_undo(safety_backup: str | None) -> bool:
    """Whether this is the backup from before an import that can be taken back."""
    return safety_backup is not None and _run(safety_backup) is not None and why_no_undo(safety_backup) is None


def why_no_undo(safety_backup: str | None) -> Message | None:
    """Why the import before which this backup was taken cannot be undone; None when it can be, or there was none."""
    run = _run(safety_backup) if safety_backup else None
    if run is None or safety_backup is None:
        return None
    if run.first_revision is None:
        return Message(
            N_("This import has no Undo: it was made by an earlier version. Restore its safety backup instead.")
        )
    try:
        backups.open_backup(safety_backup).close()
    except DomainError:
        return Message(N_("This import cannot be undone any more: its safety backup is not in the folder."))
    return None


def revisions_of(job: Job) -> tuple[int, int] | None:
    """The first and the last of the revisions that an applied import wrote; None when it wrote none."""
    with translated_errors():
        run = db.session.execute(select(RestoreRun).where(RestoreRun.job_id == job.id)).scalar()
    return (run.first_revision, run.last_revision) if run and run.first_revision and run.last_revision else None


def name_of(revisions: tuple[int, int]) -> str | None:
    """The name of the file whose import wrote these revisions; None when none did."""
    with translated_errors():
        return db.session.execute(
            select(RestoreRun.source_name).where(
                RestoreRun.first_revision == revisions[0], RestoreRun.last_revision == revisions[1]
            )
        ).scalar()


def _stage_upload(id: str, actor: Actor, progress: Progress) -> Staged:
    return backups.stage_file(actor, _file(id, "upload"), _file(id, "db"), progress=progress)


def _start(
    id: str,
    actor: Actor,
    source: str,
    stage: Callable[[Progress], Staged],
    *,
    undone: dict[str, Any] | None = None,
) -> Job:
    def work(progress: Progress) -> Waiting:
        try:
            staged = stage(progress)
        except Invalid as error:
            # The row keeps English sentences; the page wants to translate them.
            _file(id, "problems").write_bytes(msgspec.json.encode(error.problems))
            raise
        finally:
            disk.remove(_file(id, "upload"))
        _compare(id, staged, progress)
        return Waiting({})

    params = {"source": source, "step": "check"} | (undone or {})
    return jobs.start(KIND, actor, work, title=Message(N_("Checking %(name)s"), {"name": source}), params=params, id=id)


def _compare(id: str, staged: Staged, progress: Progress) -> None:
    """Write the report and the list of changes."""
    with (
        backups.open_choices(_file(id, "choices"), is_new=True) as choices,
        choices.filling() as tell,
    ):
        plan = backups.make_plan(staged, Mode.MERGE, decisions=choices.scope, progress=progress, tell=tell)
    report = Report(
        document=staged.document,
        records_sha256=staged.records_sha256,
        assumed_at=staged.assumed_at,
        good_count=staged.good_count,
        problem_count=staged.problem_count,
        warning_count=staged.warning_count,
        problems=staged.problems,
        warnings=staged.warnings,
        unknown_keys=dict(staged.unknown_keys),
        keys=staged.keys,
        plan=plan,
    )
    _file(id, "report").write_bytes(msgspec.json.encode(report))


def report(job: Job) -> Report:
    """The report of a checked file. Raises NotFound when its files are gone."""
    try:
        return msgspec.json.decode(_file(job.id, "report").read_bytes(), type=Report)
    except FileNotFoundError:
        raise NotFound(N_("The files of this import are gone."), hint=N_("Choose the file again.")) from None


def refusals(job: Job) -> list[Problem]:
    """Why a file could not be read, place by place."""
    try:
        return msgspec.json.decode(_file(job.id, "problems").read_bytes(), type=list[Problem])
    except FileNotFoundError:
        return []


@contextmanager
def choices(job: Job) -> Iterator[Choices]:
    """What differs, and what was decided about it. Raises NotFound when its file is gone."""
    with backups.open_choices(_file(job.id, "choices")) as found:
        yield found


def same(job: Job, ids: Sequence[str]) -> list[PlannedChange]:
    """The assistants with these ids, which are the same here and in the file. Raises NotFound like `sides`."""
    return backups.find_same(_with_records(job), ids) if ids else []


def sides(job: Job, id: str) -> tuple[Record | None, Record | None]:
    """An assistant as it is here now and in the file. Raises NotFound when the file's records are gone."""
    return backups.find_sides(_with_records(job), id)


def _with_records(job: Job) -> Staged:
    staged = _staged(job)
    if not staged.scratch.exists():
        raise NotFound(N_("The files of this import are gone."), hint=N_("Choose the file again."))
    return staged


def apply(actor: Actor, job: Job, choice: Choice, *, fingerprint: str, confirm_delete_all: bool) -> Job:
    """Go on with a checked file: safety backup, then the change.

    What cannot be applied waits again, with the reason in the job's result; `is_changed` says that the catalogue was
    another than the one shown. Raises Conflict when the job is not waiting.
    """
    staged, source = _staged(job), job.params["source"]

    def work(progress: Progress) -> dict[str, Any] | Waiting:
        began, waits_again = clock.now(), False
        try:
            with backups.open_choices(_file(job.id, "choices"), is_frozen=True) as decisions:
                done = operations.apply_import(
                    actor,
                    staged,
                    mode=choice.mode,
                    source_name=source,
                    fingerprint=fingerprint,
                    decisions=decisions,
                    is_undo=decisions.is_undo,
                    skip_bad=choice.skip_bad,
                    accept_altered=choice.accept_altered,
                    confirm_delete_all=confirm_delete_all,
                    job_id=job.id,
                    progress=progress,
                )
        except backups.PlanChanged:
            waits_again = True
            _compare(job.id, staged, progress)
            return Waiting({"is_changed": True})
        except DomainError as error:
            waits_again = True
            return Waiting({"failure": [asdict(said) for said in (error.message, error.hint) if said]})
        finally:
            if not waits_again:
                _forget_scratch(job)
        seconds = (clock.now() - began).total_seconds()
        return _result(done.counts, done.safety_backup, choice.mode, seconds)

    params = job.params | {"step": "apply", "choice": msgspec.to_builtins(choice)}
    return jobs.resume(job.id, work, params=params)


def _forget_scratch(job: Job) -> None:
    """Delete the records of an import that is over; its report stays as long as its row."""
    backups.remove_scratch(_file(job.id, "db"))


def failure(job: Job) -> list[Message]:
    """Why the last try to apply was refused: what happened, what to do; empty when it was not."""
    return [Message.stored(said) for said in (job.result or {}).get("failure", [])]


def find_outcome(job: Job) -> dict[str, Any] | None:
    """What a killed import had done: the row that it wrote in the catalogue's own transaction tells."""
    with translated_errors():
        run = db.session.execute(select(RestoreRun).where(RestoreRun.job_id == job.id)).scalar()
    return _result(_counts(run), run.safety_backup, Mode(run.mode), None) if run else None


def _counts(run: RestoreRun) -> Counts:
    return msgspec.json.decode(run.counts, type=Counts)


def _result(counts: Counts, safety: str | None, mode: Mode, seconds: float | None) -> dict[str, Any]:
    return {"counts": asdict(counts), "safety_backup": safety, "mode": mode, "seconds": seconds}


def _staged(job: Job) -> Staged:
    known = report(job)
    return Staged(
        document=known.document,
        scratch=_file(job.id, "db"),
        records_sha256=known.records_sha256,
        assumed_at=known.assumed_at,
        good_count=known.good_count,
        problem_count=known.problem_count,
        warning_count=known.warning_count,
        problems=known.problems,
        warnings=known.warnings,
        unknown_keys=Counter(known.unknown_keys),
        keys=known.keys,
    )


def _folder() -> None:
    jobs.folder().mkdir(mode=0o700, parents=True, exist_ok=True)


def _file(id: str, what: str) -> Path:
    return jobs.folder() / f"{id}.{what}"


@contextmanager
def _removed_on_error(id: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        disk.remove(_file(id, "upload"))
        raise
