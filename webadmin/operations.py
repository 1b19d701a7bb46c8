"""Major operations: a safety backup first, then the act, and neither without the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webadmin import audit, backups, catalogue, db, jobs
from webadmin.accounts import Actor, Permission, require
from webadmin.backups import Busy, Counts, Decisions, Mode, Plan, Progress, Staged
from webadmin.catalogue import Act, Chosen
from webadmin.errors import N_, Conflict, DomainError, Invalid, Message, Problem, Unavailable
from webadmin.jobs import Job

DIRECT_IMPORT = "direct-import"
"""The kind of task of an import that is not led by the pages: by the API or the command line."""


_IMPORT, _CHANGE = N_("import"), N_("change of many")


class SafetyBackupFailed(Unavailable):
    """The safety backup could not be made, so nothing was changed."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or would do: `safety_backup` is None when nothing was to change, and for a dry run."""

    plan: Plan
    counts: Counts
    safety_backup: str | None
    errors: list[Problem]
    warnings: list[Problem]
    is_dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        """The report of contract 5; that of a dry run has the fingerprint of its plan."""
        report = _report(self.counts, self.safety_backup, self.errors, self.warnings)
        return report | {"fingerprint": self.plan.fingerprint} if self.is_dry_run else report


def _report(
    counts: Counts, safety_backup: str | None, errors: Sequence[Problem] = (), warnings: Sequence[Problem] = ()
) -> dict[str, Any]:
    return {
        "imported": counts.created + counts.updated,
        "created": counts.created,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "skipped": counts.skipped,
        "errors": [problem.as_json() for problem in errors],
        "warnings": [problem.as_json() for problem in warnings],
        "safetyBackup": safety_backup,
    }


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What may be chosen for an import (contract 5)."""

    mode: Mode = Mode.MERGE
    skip_bad: bool = False
    accept_altered: bool = False
    confirm_delete_all: bool = False

    @property
    def consents(self) -> dict[str, bool]:
        """What the person who imports has agreed to."""
        return {
            "skip_bad": self.skip_bad,
            "accept_altered": self.accept_altered,
            "confirm_delete_all": self.confirm_delete_all,
        }


def locked_by() -> Busy | None:
    """A major operation of this program that keeps writers waiting, as an error that says who and since when."""
    holder = backups.current_holder()
    return Busy(holder) if holder is not None and holder.what in (_IMPORT, _CHANGE) else None


def cancel(actor: Actor, id: str) -> Job:
    """Ask a task to stop: one's own, or as who may manage backups any. Raises NotFound, Forbidden."""
    job = jobs.get(id)
    if (job.actor_kind, job.actor_name) != (actor.kind, actor.name):
        require(actor, Permission.MANAGE_BACKUPS)
    audit.note(actor, audit.Act.TASK_CANCELLED, audit.Thing(audit.Kind.TASK, id, str(job.title)))
    return jobs.cancel(id)


def check_import(
    staged: Staged,
    plan: Plan | None = None,
    *,
    skip_bad: bool = False,
    accept_altered: bool = False,
    confirm_delete_all: bool = False,
) -> None:
    """Raise unless the file may be applied: altered only when that is accepted, bad records only when skipped.

    Raises InvalidBackup (altered), Invalid (bad records; an empty file that would replace a catalogue). Hints name the
    option as the API has it; the command line says its own (`cli.output.failure`).
    """
    if staged.alteration is not None and not accept_altered:
        raise backups.InvalidBackup(
            staged.alteration,
            problems=[Problem(Message(staged.alteration), field="integrity")],
            hint=N_("Use another file, or say that the altered one is to be taken (%(option)s)."),
            option="acceptAltered=true",
        )
    if staged.problem_count and not skip_bad:
        template = N_("%(count)d records of the file cannot be read. Nothing was changed.")
        if staged.problem_count == 1:
            template = N_("One record of the file cannot be read. Nothing was changed.")
        raise Invalid(
            template,
            problems=staged.problems,
            hint=N_("Mend the file, or leave these records out (%(option)s)."),
            option="onError=skip",
            count=staged.problem_count,
        )
    empties = plan is not None and plan.counts.deleted and not staged.good_count
    if empties and plan is not None and not confirm_delete_all:
        template = N_("The file is empty: replacing would delete all %(count)d assistants.")
        if plan.counts.deleted == 1:
            template = N_("The file is empty: replacing would delete the only assistant.")
        raise Invalid(
            template,
            problems=[Problem(Message(template, {"count": plan.counts.deleted}), field="confirmDeleteAll")],
            hint=N_("Confirm that everything is to be deleted (%(option)s), or choose another file."),
            option="confirmDeleteAll=true",
            count=plan.counts.deleted,
        )


def apply_import(
    actor: Actor,
    staged: Staged,
    *,
    mode: Mode,
    source_name: str,
    fingerprint: str | None = None,
    decisions: Decisions | None = None,
    is_undo: bool = False,
    skip_bad: bool = False,
    accept_altered: bool = False,
    confirm_delete_all: bool = False,
    job_id: str | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Make the safety backup, then apply a staged file in one transaction; write nothing when nothing would change.

    `fingerprint` is that of the plan that was shown, `decisions` those about single records (`is_undo`: of an undo).
    Raises what `check_import` raises, Busy, PlanChanged, SafetyBackupFailed, the errors of `webadmin.db`, and lets
    jobs.Cancelled pass; nothing is changed then.
    """
    require(actor, Permission.IMPORT)
    check_import(staged, skip_bad=skip_bad, accept_altered=accept_altered)

    with backups.hold(actor, _IMPORT):
        plan = backups.make_plan(staged, mode, decisions=decisions, progress=progress)
        if fingerprint is not None and plan.fingerprint != fingerprint:
            raise backups.PlanChanged
        check_import(
            staged, plan, skip_bad=skip_bad, accept_altered=accept_altered, confirm_delete_all=confirm_delete_all
        )
        if not plan.counts.changes:
            return ImportResult(plan, plan.counts, None, staged.problems, staged.warnings)
        safety = _safety_backup(actor, N_("before an import"), progress)
        with db.transaction() as session:
            catalogue.absorb(session)
            since = catalogue.last_revision(session.connection())
            counts = backups.apply_plan(
                session,
                actor,
                staged,
                plan,
                source_name=source_name,
                safety_backup=safety,
                # Somebody may save while an import compares of which nothing was shown: what is true then counts.
                is_shown=fingerprint is not None,
                decisions=decisions,
                job_id=job_id,
                progress=progress,
            )
            audit.record(
                session,
                actor,
                audit.Act.IMPORT_UNDONE if is_undo else audit.Act.IMPORTED,
                audit.Thing(audit.Kind.FILE, source_name),
                before=f"backup:{safety}",
                after=f"revisions:{since + 1}-{catalogue.last_revision(session.connection())}",
                mode=str(mode),
                counts={name: count for name, count in asdict(counts).items() if count},
            )
        return ImportResult(plan, counts, safety, staged.problems, staged.warnings)


def import_file(
    actor: Actor,
    file: Path,
    options: ImportOptions,
    *,
    source_name: str,
    is_listed: bool = False,
    is_dry_run: bool = False,
    fingerprint: str | None = None,
    job_id: str | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Check a received (plain) file, then import it, or only say what that would do.

    `fingerprint` is that of a dry run: what it showed is what is done, or nothing is. `is_listed`: the file is a copy
    of the stored backup `source_name`, which counts as altered when it is not the one made under this name.
    Raises InvalidBackup, what `check_import` and `apply_import` raise; nothing is changed then.
    """
    scratch = file.with_suffix(".scratch")
    try:
        if is_listed:
            staged = backups.stage_copy(actor, source_name, file, scratch, progress=progress)
        else:
            staged = backups.stage_file(actor, file, scratch, progress=progress)
        if is_dry_run:
            check_import(staged, None, **options.consents)
            plan = backups.make_plan(staged, options.mode, progress=progress)
            check_import(staged, plan, **options.consents)
            if fingerprint is not None and plan.fingerprint != fingerprint:
                raise backups.PlanChanged
            return ImportResult(plan, plan.counts, None, staged.problems, staged.warnings, is_dry_run=True)
        return apply_import(
            actor,
            staged,
            mode=options.mode,
            source_name=source_name,
            fingerprint=fingerprint,
            decisions=None,
            job_id=job_id,
            progress=progress,
            **options.consents,
        )
    finally:
        backups.remove_scratch(scratch)


def find_import(job: Job) -> dict[str, Any] | None:
    """The report of an import whose task was killed after its change had been written; None when nothing was.

    The row written in the catalogue's own transaction tells. Raises the errors of `webadmin.db`.
    """
    with db.reading() as connection:
        run = Session(connection).scalar(select(backups.RestoreRun).where(backups.RestoreRun.job_id == job.id))
        return _report(Counts(**json.loads(run.counts)), run.safety_backup) if run else None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of the chosen assistants: how many in each way, and the numbers in the trash of those deleted."""

    counts: Counter[str]
    trash_numbers: range


def change_assistants(
    actor: Actor, chosen: Chosen, act: Act, *, before: str | None = None, expected: int | None = None
) -> BulkResult:
    """Do an act to the chosen assistants in one transaction; after a safety backup, if `before` says before what.

    `expected` is how many were chosen when somebody agreed. Raises Conflict when that is not so any more, Busy,
    SafetyBackupFailed and the errors of `webadmin.db`; nothing is changed then.
    """
    require(actor, Permission.WRITE)
    if before is None:
        return _change(actor, chosen, act, expected)
    with backups.hold(actor, _CHANGE):
        safety = _safety_backup(actor, before, None)
        return _change(actor, chosen, act, expected, safety)


def _change(actor: Actor, chosen: Chosen, act: Act, expected: int | None, safety: str | None = None) -> BulkResult:
    with db.transaction() as session:
        catalogue.absorb(session)
        since = catalogue.last_revision(session.connection())
        last = catalogue.last_trash_number(session)
        counts = catalogue.change_chosen(session, actor, chosen, act)
        if expected is not None and counts.total() != expected:
            raise Conflict(
                N_("%(now)d match now, not %(expected)d as when you looked. Nothing was changed."),
                hint=N_("Look at the list again, then repeat."),
                now=counts.total(),
                expected=expected,
            )
        noted = audit.Act.ASSISTANTS_DELETED if act is catalogue.to_trash else audit.Act.ASSISTANTS_CHANGED
        catalogue.note_many(session.connection(), actor, noted, since, before=safety, counts=counts)
        return BulkResult(counts, range(last + 1, catalogue.last_trash_number(session) + 1))


def _safety_backup(actor: Actor, note: str, progress: Progress | None) -> str:
    try:
        return backups.create_locked(actor, reason=backups.Kind.SAFETY, note=note, progress=progress).name
    except (DomainError, OSError) as error:
        raise SafetyBackupFailed(
            N_("The safety backup could not be made, so nothing was changed. %(reason)s"),
            hint=N_("Mend the cause, then repeat."),
            reason=error.message if isinstance(error, DomainError) else str(error),
        ) from error
