"""The second half of a recovery: what was chosen is written over the copy, and the new file takes its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock
from sqlalchemy import select
from sqlalchemy.orm import Session

from webadmin import accounts, audit, catalogue, clock, damage, db
from webadmin.accounts import Actor
from webadmin.backups import Counts, Progress, RestoreRun
from webadmin.catalogue import Change
from webadmin.recovery import copies, workshop
from webadmin.recovery.building import count, write
from webadmin.recovery.plan import Difference, Kind, Plan, PlanChanged, Report, base_path, open_plan

MODE = "recover"
"""What the row of a recovery says among those of imports."""
_EVERY = 500


@dataclass(slots=True)
class Recovery:
    """What a recovery came to: from which copy, what was read from the damaged file, and where that lies now.

    `taken` is how many assistants were brought back from the damaged file, `newer` the backup that brought a
    snapshot up to date.
    """

    source: str
    in_copy: int
    was_read: int
    unreadable: int
    taken: int = 0
    recovered: int = 0
    set_aside: str | None = None
    newer: str | None = None
    differences: list[Difference] = field(default_factory=list)

    @classmethod
    def prepared(cls, report: Report, differences: list[Difference]) -> Recovery:
        """One that is not in place yet."""
        counts = report.in_copy, report.was_read, report.unreadable
        taken = sum(each.is_taken for each in differences if each.kind is not Kind.COPY)
        return cls(report.source, *counts, taken, newer=report.newer, differences=differences)


def apply(actor: Actor, progress: Progress, *, edition: str | None = None, job_id: str | None = None) -> Recovery:
    """Put the new database, with what was chosen, in the place of the damaged or lost one, which is set aside.

    A kill leaves either the damaged file with its note, or the recovered one; until then it can be cancelled.
    Raises Forbidden, NotFound without a plan, PlanChanged when `edition` is not that of its choices or when somebody
    changed the damaged file or the copy since, RecoveryRuns, RecoveryStopped, the errors of `webadmin.db`; lets
    jobs.Cancelled pass. Nothing is changed then, and the plan stays.
    """
    accounts.require(actor, accounts.Permission.ADMINISTER)
    path, new = workshop.database(), workshop.folder() / "new.db"
    with workshop.alone(), open_plan() as plan:
        report = plan.report
        if edition not in (None, plan.edition) or copies.checksum(report.source) != report.source_sha256:
            raise PlanChanged
        _check_unchanged(report)
        done = _write(plan, report, new, actor, progress, job_id)
        progress.update("proving")
        progress.check_cancelled()
        _prove(new)
        progress.check_cancelled()
        with FileLock(path.parent / ".upgrade.lock", mode=0o600):
            done.set_aside = _swap(path, new, report)
        workshop.clear()
        db.db.engine.dispose()
    return done


def find_outcome(job_id: str) -> dict[str, Any] | None:
    """What a task that was killed had done: None when the new database did not take its place."""
    try:
        with db.reading() as connection:
            run = Session(connection).scalar(select(RestoreRun).where(RestoreRun.job_id == job_id))
    except (db.DatabaseCorrupt, damage.DatabaseGone):
        return None
    return None if run is None else {"source": run.source_name}


def recovered_since(session: Session, instant: str) -> str | None:
    """The name of the copy from which the catalogue was recovered after a stored time; None when it was not."""
    runs = select(RestoreRun.source_name).where(RestoreRun.mode == MODE, RestoreRun.applied_at > instant)
    return session.scalar(runs.order_by(RestoreRun.id.desc()).limit(1))


def discard(actor: Actor) -> None:
    """Drop what was prepared; the damaged file stays as it is. Raises Forbidden, RecoveryRuns."""
    accounts.require(actor, accounts.Permission.ADMINISTER)
    audit.note(actor, audit.Act.RECOVERY_DISCARDED)
    with workshop.alone():
        workshop.clear()


def _check_unchanged(report: Report) -> None:
    if workshop.identity(workshop.database()) != report.identity:
        raise PlanChanged


def _write(plan: Plan, report: Report, new: Path, actor: Actor, progress: Progress, job_id: str | None) -> Recovery:
    for part in workshop.PARTS:
        Path(f"{new}{part}").unlink(missing_ok=True)
    chosen = {kind: taken for kind, (_total, taken) in plan.counts().items()}
    taken = sum(chosen.values())
    progress.update("writing", 0, taken or None)
    db.copy(base_path(), new)
    with workshop.opened(new) as engine, db.writing(engine) as target:
        first = catalogue.last_revision(target) + 1
        write(target, actor, _told(plan.changes(target), taken, progress), lambda _record: None)
        session = Session(target)
        session.add(_run(plan, report, actor, job_id, first, catalogue.last_revision(target)))
        audit.record(
            session,
            actor,
            audit.Act.RECOVERY_APPLIED,
            audit.Thing(audit.Kind.FILE, report.source),
            after=f"revisions:{first}-{catalogue.last_revision(target)}",
            chosen=chosen,
        )
        session.flush()
        recovered = count(target)
    brought_back = chosen[Kind.READ] + chosen[Kind.BOTH]
    counts = report.in_copy, report.was_read, report.unreadable
    return Recovery(report.source, *counts, brought_back, recovered, newer=report.newer)


def _told(changes: Iterator[Change], taken: int, progress: Progress) -> Iterator[Change]:
    for number, change in enumerate(changes):
        if number % _EVERY == 0:
            progress.update("writing", number, taken)
            progress.check_cancelled()
        yield change


def _run(plan: Plan, report: Report, actor: Actor, job_id: str | None, first: int, last: int) -> RestoreRun:
    """The row that proves, inside the new database, that it was made by this task."""
    chosen = {kind: taken for kind, (_total, taken) in plan.counts().items()}
    counts = Counts(created=chosen[Kind.READ], updated=chosen[Kind.BOTH], deleted=chosen[Kind.COPY])
    return RestoreRun(
        job_id=job_id,
        applied_at=clock.now_text(),
        actor_kind=actor.kind,
        actor=actor.name,
        source_name=report.source,
        source_sha256=report.source_sha256,
        mode=MODE,
        counts=msgspec.json.encode(asdict(counts)).decode(),
        safety_backup=None,
        fingerprint=plan.edition,
        first_revision=first,
        last_revision=last,
    )


def _prove(new: Path) -> None:
    """Every page sound, one file without a log, on the disk. Raises DatabaseCorrupt."""
    with closing(sqlite3.connect(new)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        with suppress(db.CannotBeChecked):
            if db.structural_faults(connection, check="integrity_check", most=1):
                raise db.DatabaseCorrupt
    _sync(new)


def _swap(path: Path, new: Path, report: Report) -> str | None:
    """Put the new file in place; the old ones get a second name in a folder of their own before they lose their first.

    A writer of another program is waited for. A kill before the last step leaves the damaged file under its name, and a
    log that it has lost is found by `damage.set_aside`.
    """
    aside = damage.set_aside(path)
    with _held(path):
        # Nobody writes any more: what was read is still what lies there.
        _check_unchanged(report)
        # A log whose file is gone holds the last edits, and belongs to that file should it be found.
        if aside is None and any(Path(f"{path}{part}").exists() for part in workshop.PARTS):
            aside = _free_folder(path)
            aside.mkdir(mode=0o700)
            # The file itself comes last: that it is there says that its log is, too.
            for part in reversed(workshop.PARTS):
                with suppress(FileNotFoundError):
                    os.link(f"{path}{part}", aside / f"{path.name}{part}")
            _sync(aside)
        for part in workshop.PARTS[1:]:
            Path(f"{path}{part}").unlink(missing_ok=True)
        new.replace(path)
        _sync(path.parent)
        damage.note_path(path).unlink(missing_ok=True)
    return aside.name if aside else None


@contextmanager
def _held(path: Path) -> Iterator[None]:
    if not path.exists():
        yield
        return
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as holder:
        # A file that is too damaged for that is not written by anybody.
        with suppress(sqlite3.DatabaseError):
            holder.execute("BEGIN IMMEDIATE")
        yield


def _free_folder(path: Path) -> Path:
    name = f"damaged-{clock.now():%Y%m%d_%H%M%S}"
    return path.with_name(name if not path.with_name(name).exists() else f"{name}-{os.getpid()}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
