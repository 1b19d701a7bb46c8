"""With real processes: each thing is told once, whoever leads; of a leader that lives and is silent the others tell."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta

import time_machine

from tests.notifications.conftest import SECRET
from tests.sites import Site, wait_for
from webadmin.scheduler import Scheduler

NOW = datetime(2026, 11, 23, 2, 1, tzinfo=UTC)


def looked_at(site: Site) -> str:
    with contextlib.closing(sqlite3.connect(site.data / "runtime.db")) as connection:
        return connection.execute("SELECT max(at) FROM told WHERE name='state'").fetchone()[0] or ""


def test_a_failed_run_is_told_once_across_a_kill_and_a_restart(tmp_path, hook):
    site = Site(tmp_path)
    file = site.folder / "one.json"
    file.write_text(json.dumps([{"id": "ast_1", "title": "One", "prompt": "x" * 3_000_000}]))
    site.flask("assistants", "import", str(file), "--yes")
    now = datetime.now(UTC)
    site.settings = {
        "AUTO_BACKUP_TIME": f"{max(now - timedelta(minutes=3), now.replace(hour=0, minute=0)):%H:%M}",
        "AUTO_BACKUP_ENABLED": "true",
        "WEBHOOK_URL": hook.url,
        "WEBHOOK_SECRET": SECRET,
        "NOTIFY_ALLOW_PRIVATE": "true",
    }
    try:
        # Files may grow to 2 MB: no room for the backup, enough for the row that tells of it.
        first = site.serve(file_bytes=2_000_000)
        wait_for(lambda: hook.got, 75)
        first.kill()
        before = looked_at(site)
        site.serve(file_bytes=2_000_000)
        wait_for(lambda: looked_at(site) > before)
        assert [json.loads(body)["state"] for _, _, _, body in hook.got] == ["last-failed"]
    finally:
        site.close()


def test_the_others_tell_when_the_leader_lives_and_is_silent(site, hook):
    app = site(WEBHOOK_URL=hook.url)
    leader, other = Scheduler(app), Scheduler(app)
    with time_machine.travel(NOW, tick=False):
        assert leader._leads()
        leader.beat()
        assert (leader._notifies(), other._notifies()) == (True, False)
    with time_machine.travel(NOW + timedelta(minutes=6), tick=False):
        assert other._notifies()
    leader._lock.release(force=True)
