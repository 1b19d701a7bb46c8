"""Retention on real files: what it says that it would do is what it does, whenever they were made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.backups.conftest import ADA, make_record
from webadmin import backups, config, db
from webadmin.accounts import SYSTEM
from webadmin.backups import Backup, Kind, State
from webadmin.config import Config

GOLDEN = Path(__file__).parents[1] / "golden" / "backups" / "layout_b.json"
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
FATES = st.sampled_from(["plain", "plain", "pinned", "altered", "link", "foreign"])
FILES = st.lists(
    st.tuples(st.integers(-400, 30), st.sampled_from([Kind.MANUAL, Kind.SAFETY]), FATES), min_size=1, max_size=10
)
POLICY = st.fixed_dictionaries(
    {
        "backup_retention_days": st.integers(1, 60),
        "backup_max_count": st.none() | st.integers(1, 8),
        "backup_keep_daily": st.integers(0, 3),
        "backup_keep_monthly": st.integers(0, 3),
    }
)


def history() -> dict[str, Backup]:
    backups.sync()
    with db.reading() as connection:
        return {each.name: each for each in backups.list_backups(Session(connection))}


def make(folder: Path, elsewhere: Path, number: int, day: int, kind: Kind, fate: str) -> str:
    """A file made on a day, and what became of it; the clock may stand at any day, also one to come."""
    with time_machine.travel(NOW + timedelta(days=day, seconds=number), tick=False):
        if fate == "foreign":
            name = f"assistants_backup_theirs_{number}.json"
            shutil.copy(GOLDEN, folder / name)
            return name
        name = backups.create(ADA, reason=kind).name
    path = folder / name
    if fate == "altered":
        path.write_bytes(path.read_bytes().replace(b"one line", b"two line"))
        assert backups.verify(name).state is State.ALTERED
    elif fate == "link":
        path.rename(elsewhere / name)
        path.symlink_to(elsewhere / name)
    elif fate == "pinned":
        with db.transaction() as session:
            backups.pin(session, SYSTEM, name, is_pinned=True)
    return name


# RETENTION_FOLDERS=1000 by hand.
@settings(
    max_examples=int(os.environ.get("RETENTION_FOLDERS", "10")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(FILES, POLICY)
def test_what_is_foretold_is_what_is_moved(
    data: Config,
    fill: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[tuple[int, Kind, str]],
    policy: dict[str, Any],
) -> None:
    folder, elsewhere = data.database_backup_dir, tmp_path / "elsewhere"
    for place in (folder, elsewhere):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    history()
    fill(make_record(1))
    monkeypatch.setattr(config, "_provider", lambda: replace(data, **policy))
    fates = {make(folder, elsewhere, number, *each): each[2] for number, each in enumerate(files)}
    with time_machine.travel(NOW, tick=False):
        before = history()
        with db.reading() as connection:
            foretold = backups.retention_plan(Session(connection))
        dropped = {decision.name for decision in foretold.dropped}
        assert backups.prune(ADA, dry_run=True).plan == foretold
        done = backups.prune(ADA)
        assert (done.plan, done.stuck) == (foretold, ())
        assert {entry.name for entry in backups.list_bin()} == dropped
        assert {path.name for path in folder.glob("*.json")} == fates.keys() - dropped
        assert not dropped & {name for name, fate in fates.items() if fate in ("pinned", "link", "foreign")}
        assert {path.name for path in elsewhere.iterdir()} == {name for name, fate in fates.items() if fate == "link"}
        proved = {name for name, backup in before.items() if backup.state is State.VERIFIED and backup.has_file}
        assert len(proved - dropped) >= min(7, policy["backup_max_count"] or 7, len(proved))
        assert backups.prune(ADA).plan.dropped == []
