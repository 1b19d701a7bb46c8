"""The first half of a recovery: the new database from a copy, the damaged file read row by row, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webadmin import accounts, audit, catalogue, clock, damage, db
from webadmin.accounts import Actor
from webadmin.backups import Progress
from webadmin.catalogue import Change, Record, Unreadable
from webadmin.recovery import copies, workshop
from webadmin.recovery.plan import Plan, Report, above, base_path, new_plan

_BATCH = 500


def build(actor: Actor, progress: Progress, *, source: str | None = None) -> Report:
    """Make the new database beside the damaged or lost one, and the plan of what differs; the old one stays as it is.

    `source` names the copy to begin from; the newest sound one without. A plan that was there before is dropped.
    Raises Forbidden, Conflict when the database is sound, RecoveryRuns, NothingToRecoverFrom, NotFound and NotSound
    for `source`, RecoveryStopped, the errors of `webadmin.db`; lets jobs.Cancelled pass. Nothing is left then.
    """
    accounts.require(actor, accounts.Permission.ADMINISTER)
    with workshop.alone():
        workshop.check_needed()
        audit.note_done(actor, audit.Act.RECOVERY_BEGUN, source=source)
        workshop.clear()
        workshop.folder().mkdir(mode=0o700)
        try:
            return _build(actor, progress, source)
        except BaseException:
            workshop.clear()
            raise


def _build(actor: Actor, progress: Progress, source: str | None) -> Report:
    path, damaged = workshop.database(), workshop.folder() / "damaged.db"
    progress.update("copying-damaged")
    aside, before = damage.set_aside(path), workshop.identity(path)
    has_file = workshop.copy_damaged(aside / path.name if aside else path, damaged)
    refused: list[Record] = []

    def fill(target: Connection, records: Iterator[Record]) -> None:
        write(target, actor, (Change(None, record) for record in records), refused.append)

    def renew(target: Connection, records: Iterator[Record]) -> None:
        catalogue.adopt(target)
        write(target, actor, _renewals(target, records), refused.append)

    progress.update("building")
    readable = damaged if has_file else None
    name, newer = copies.build(base_path(), source, readable, actor, fill, progress), None
    if source is None and copies.kind_of(name) is copies.Kind.SNAPSHOT:
        newer = copies.bring_up_to_date(base_path(), name, readable, actor, renew, progress)
    with new_plan() as plan:
        report = Report(name, copies.checksum(name) or "", clock.now_text(), before, has_file, newer=newer)
        for record in refused:
            plan.refuse(record)
        report.unreadable += len(refused)
        _compare(plan, report, actor, damaged if has_file else None, progress)
        plan.finish(report)
    for part in workshop.PARTS:
        Path(f"{damaged}{part}").unlink(missing_ok=True)
    return report


def _renewals(target: Connection, records: Iterator[Record]) -> Iterator[Change]:
    """What a later backup holds otherwise than the snapshot, or alone."""
    session = Session(target)
    for record in records:
        mine = catalogue.find_record(session, str(record.id))
        if mine is None or not catalogue.equal(mine, record) or (mine.version or 1) < (record.version or 1):
            yield Change(mine, above(mine, record))


def _compare(plan: Plan, report: Report, actor: Actor, damaged: Path | None, progress: Progress) -> None:
    with workshop.opened(base_path()) as engine:
        with db.writing(engine) as base:
            catalogue.adopt(base)
            report.in_copy = count(base)
            report.has_people = accounts.any_users(Session(base))
        if damaged is not None:
            with engine.connect() as base:
                _read(plan, report, base, damaged, progress)
            progress.check_cancelled()
            _try(plan, report, engine, actor)
    if damaged is not None:
        plan.add_missing(base_path())


def _read(plan: Plan, report: Report, base: Connection, damaged: Path, progress: Progress) -> None:
    """List what the damaged file holds otherwise; what it does not give any more ends the reading, and is no error."""
    session = Session(base)
    with (
        workshop.opened(damaged) as engine,
        suppress(db.DatabaseCorrupt),
        db.translated_errors(),
        engine.connect() as source,
    ):
        for number, read in enumerate(catalogue.rescue(source)):
            if number % _BATCH == 0:
                progress.update("rescuing", number, report.in_copy or None)
                progress.check_cancelled()
            if isinstance(read, Unreadable):
                report.unreadable += 1
                plan.add_unreadable(read)
                continue
            report.was_read += 1
            plan.add_seen(str(read.id))
            mine = catalogue.find_record(session, str(read.id))
            if mine is None or not catalogue.equal(mine, read) or mine.version != read.version:
                plan.add(mine, read)
    plan.commit()


class _Undone(Exception):
    """Ends a transaction that only tried something."""


def _try(plan: Plan, report: Report, engine: Engine, actor: Actor) -> None:
    """Find out before anybody is asked what the rules of the table do not let in."""

    def refuse(record: Record) -> None:
        plan.refuse(record)
        report.was_read -= 1
        report.unreadable += 1

    with suppress(_Undone), db.writing(engine) as base:
        write(base, actor, plan.changes(base, is_trial=True), refuse)
        raise _Undone


def write(target: Connection, actor: Actor, changes: Iterable[Change], refuse: Callable[[Record], None]) -> None:
    """Write the changes; a row that the table's rules refuse is told, and stops no other."""
    pending = iter(changes)
    while batch := list(islice(pending, _BATCH)):
        if not _is_written(target, actor, batch):
            for change in batch:
                if not _is_written(target, actor, [change]):
                    refuse(change.record)


def _is_written(target: Connection, actor: Actor, batch: list[Change]) -> bool:
    try:
        with target.begin_nested():
            catalogue.write_records(target, actor, batch, source="import")
    except IntegrityError:
        return False
    return True


def count(connection: Connection) -> int:
    """How many assistants there are, whatever the indexes say."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM assistants NOT INDEXED").scalar_one())
