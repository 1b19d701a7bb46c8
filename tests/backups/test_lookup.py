"""Questions to the history: the rows answer as the whole list does, and notice what changed since they were written."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.backups.conftest import ADA, make_record
from webadmin import backups, clock, config, db
from webadmin.backups import History, Kind, State, Wanted, index
from webadmin.config import Config
from webadmin.errors import NotFound

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KINDS = [frozenset(Kind), frozenset({Kind.SCHEDULED}), frozenset({Kind.FOUND, Kind.MANUAL})]
COUNT = 230


def ask(question: Callable[[History], Any]) -> Any:
    with db.reading() as connection:
        return question(backups.open_history(Session(connection)))


def get_in_step() -> None:
    """Look until the folder has stayed the same for longer than its clock is coarse."""
    until = time.perf_counter() + 30
    while not index.is_in_step() and time.perf_counter() < until:
        backups.sync()
        time.sleep(0.1)
    assert index.is_in_step()


def make_history(data: Config) -> None:
    """Files of all kinds, some of one time, some without; rows of runs that left none; pinned ones."""
    chance = random.Random(5)
    folder = data.database_backup_dir
    folder.mkdir(exist_ok=True)
    for number in range(COUNT):
        made_at = clock.to_text(NOW - timedelta(hours=chance.randrange(24 * 60)))
        metadata: dict[str, Any] = {"version": "1.0.0", "timestamp": made_at, "recordCount": 0}
        if number % 5:
            kind = chance.choice(["scheduled", "manual", "safety"])
            metadata |= {"format": 1, "kind": kind, "localDay": made_at[:10], "actor": "ada", "counts": {}}
        if number % 29 == 0:
            metadata["timestamp"] = "some day"
        text = json.dumps({"metadata": metadata, "assistants": []})
        (folder / f"assistants_backup_{number:04}.json").write_text(text)
    backups.sync()
    with db.transaction() as session:
        for fact in session.scalars(select(backups.BackupFact)):
            number = int(fact.name[-9:-5])
            fact.is_ours = fact.kind != Kind.FOUND
            fact.is_pinned = number % 31 == 0
            fact.state = State.VERIFIED if number % 3 else State.ALTERED if number % 2 else State.UNCHECKED
        for number in range(3):
            failed = backups.BackupFact(name=f"failed_{number}", kind=Kind.SCHEDULED, state=State.FAILED)
            failed.has_file, failed.is_ours, failed.made_at = False, True, clock.to_text(NOW - timedelta(hours=number))
            session.add(failed)


def answers(history: History) -> list[Any]:
    """What both ways of answering must agree on."""
    found: list[Any] = [dict(history.tally()), history.tally().size_bytes, list(history.walk())]
    for kinds in KINDS:
        after: str | None = None
        while True:
            page = history.page(kinds, after, 25)
            found.append(page)
            after = page.older
            if after is None:
                break
        for wanted in (
            Wanted(kinds),
            Wanted(kinds, has_file=True),
            Wanted(kinds, is_verified=True, is_ours=True),
            Wanted(kinds, state=State.UNCHECKED),
            Wanted(kinds, state=State.MISSING),
            Wanted(kinds, local_day="2026-11-20"),
            Wanted(kinds, made_from=NOW - timedelta(days=30), made_before=NOW - timedelta(days=9, hours=5)),
        ):
            found += [list(history.walk(wanted)), history.newest(wanted), history.oldest(wanted)]
    return found


def test_the_rows_answer_as_the_whole_list_does(data: Config) -> None:
    make_history(data)
    assert not index.is_in_step()
    expected = ask(answers)
    get_in_step()
    assert ask(answers) == expected


def test_pages_lead_through_all_of_a_kind_and_back(data: Config) -> None:
    make_history(data)
    get_in_step()
    pages = [ask(lambda found: found.page(KINDS[2], None, 25))]
    while pages[-1].older:
        pages.append(ask(lambda found: found.page(KINDS[2], pages[-1].older, 25)))
    names = [backup.name for page in pages for backup in page.entries]
    assert names == [backup.name for backup in ask(lambda found: list(found.walk(Wanted(KINDS[2]))))]
    assert [page.first for page in pages] == list(range(1, len(names) + 1, 25))
    assert pages[0].newer is None
    assert pages[1].newer == ""
    assert [page.newer for page in pages[2:]] == [page.entries[-1].name for page in pages[:-2]]


def test_a_file_that_comes_goes_or_changes_shows_at_once(data: Config, fill: Callable[..., None]) -> None:
    fill(make_record(1))
    names = [backups.create(ADA).name for _ in range(3)]
    get_in_step()
    path = data.database_backup_dir / names[1]
    with path.open("r+b") as file:
        file.write(b"{ ")
    os.utime(path, ns=(0, 0))
    assert index.is_in_step(), "a file that is written over leaves its folder as it is"
    assert ask(lambda found: found.get(names[1])).state is State.UNCHECKED
    assert [each.name for each in ask(lambda found: list(found.walk(Wanted(is_verified=True))))] == [names[2], names[0]]
    (data.database_backup_dir / names[0]).unlink()
    assert ask(lambda found: found.get(names[0])).state is State.MISSING
    (data.database_backup_dir / "assistants_backup_new.json").write_text("[]")
    backups.sync()
    assert ask(lambda found: found.tally().files) == 3
    with pytest.raises(NotFound):
        ask(lambda found: found.get("assistants_backup_none.json"))


@pytest.mark.parametrize("keeps", [{}, {"backup_max_count": 12}, {"backup_keep_weekly": 3}])
def test_few_files_decide_what_retention_does_next(
    data: Config, monkeypatch: pytest.MonkeyPatch, keeps: dict[str, int]
) -> None:
    values = replace(data, backup_retention_days=30, **keeps)
    monkeypatch.setattr(config, "_provider", lambda: values)
    with time_machine.travel(NOW, tick=False):
        make_history(data)

        def questions(found: History) -> list[Any]:
            few = backups.coming_deletions(backups.concerned(found, NOW), NOW)
            assert few == backups.coming_deletions(list(found.walk()), NOW)
            return [backups.find_decision(found, each, NOW) for each in found.walk() if each.has_file]

        decided = {each.name: each for each in ask(questions)}
        with db.reading() as connection:
            plan = backups.retention_plan(Session(connection))
        assert decided == {each.name: each for each in plan.decisions}
        assert plan.dropped
