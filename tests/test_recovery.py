"""Recovery: a sound copy and what the damaged file still gives; whole or not at all, whenever it is killed."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.people import close
from tests.sites import Site
from tests.test_damage import FIELDS, break_page, fill
from webadmin import backups, catalogue, damage, jobs, recovery, snapshots
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.db import db, transaction
from webadmin.errors import Conflict
from webadmin.recovery import copying, workshop

COUNT = 300


@pytest.fixture
def path(folder) -> Path:
    return folder / "assistants.db"


def damage_it(app, path, count, *, delete=None) -> None:
    """Damage the revisions of a catalogue, in which more was changed than its copies hold."""
    fill(app, count)
    with app.app_context():
        backups.create(SYSTEM)
        snapshots.take()
        with transaction() as session:
            catalogue.update(session, SYSTEM, "ast_0007", {"title": "Later"}, version=1)
            catalogue.create(session, SYSTEM, FIELDS, assistant_id="ast_later")
            if delete:
                catalogue.remove(session, SYSTEM, delete, version=1)
    close(app)
    break_page(path, "aa_revision")


@pytest.fixture
def broken(app, path, make_config):
    """A running application whose database is damaged in its revisions."""
    damage_it(app, path, COUNT)
    built = create_app(make_config())
    with built.app_context():
        assert damage.find(path)
        yield built
    close(built)


def titles(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT id, title FROM assistants"))


def drop_snapshots(folder: Path) -> None:
    for file in (folder / "snapshots").iterdir():
        file.unlink()


def check_recovered(path: Path) -> None:
    found = titles(path)
    assert len(found) == COUNT + 1
    assert found["ast_0007"] == "Later"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_newest_snapshot_comes_back_with_the_later_edits_of_the_damaged_file(broken, path, folder):
    damaged = path.read_bytes()
    done = recovery.recover(SYSTEM)
    assert done.source.endswith(".db")
    assert (done.in_copy, done.was_read, done.unreadable, done.recovered) == (COUNT, COUNT + 1, 0, COUNT + 1)
    told = [(d.id, d.version_in_copy, d.version_read, d.is_taken) for d in done.differences]
    assert sorted(told) == [("ast_0007", 1, 2, True), ("ast_later", None, 1, True)]
    check_recovered(path)
    assert (folder / done.set_aside / "assistants.db").read_bytes() == damaged
    assert damage.find(path) is None


def test_running_program_goes_on_with_the_recovered_file(broken, path, make_config):
    assert catalogue.find_record(db.session(), "ast_0001")
    db.session.remove()
    recovery.recover(SYSTEM)
    with transaction() as session:
        catalogue.create(session, SYSTEM, FIELDS, assistant_id="ast_after")
    close(broken)
    assert "ast_after" in titles(path)
    close(create_app(make_config()))
    assert damage.find(path) is None


def test_without_a_snapshot_the_newest_verified_backup_is_the_base(broken, path, folder):
    drop_snapshots(folder)
    assert recovery.recover(SYSTEM).source.endswith(".json")
    check_recovered(path)


def later_backup(app) -> str:
    """One more backup, which alone holds `ast_second`; returns its name."""
    with app.app_context():
        with transaction() as session:
            catalogue.create(session, SYSTEM, FIELDS, assistant_id="ast_second")
        return backups.create(SYSTEM).name


def test_newest_backup_is_the_one_of_the_latest_time_whatever_the_files_are_called(app, path, folder):
    with app.app_context():
        first = folder / "backups" / backups.create(SYSTEM).name
        newest = later_backup(app)
        first.rename(first.with_name("assistants_backup_spring.json"))
        (folder / "backups" / "assistants_backup_zz.json").symlink_to(folder / "backups" / newest)
        close(app)
        drop_database(path)
        assert recovery.recover(SYSTEM).source == newest
    assert "ast_second" in titles(path)


def test_backup_in_the_place_of_another_is_not_taken(app, path, folder):
    with app.app_context():
        first = folder / "backups" / backups.create(SYSTEM).name
        newest = folder / "backups" / later_backup(app)
        with transaction() as session:
            catalogue.create(session, SYSTEM, FIELDS, assistant_id="ast_third")
        third = folder / "backups" / backups.create(SYSTEM).name
        third.rename(newest)
        close(app)
        damage.note(path, ["by hand"])
        break_page(path, "aa_revision")
        assert recovery.recover(SYSTEM).source == first.name


def drop_database(path: Path) -> None:
    for part in path.parent.glob("assistants.db*"):
        part.unlink()


def test_altered_copies_are_never_used(broken, path, folder):
    for file in [*(folder / "snapshots").glob("*.db"), *(folder / "backups").glob("*.json")]:
        file.write_bytes(file.read_bytes().replace(b"Be one", b"Be two").replace(b"One", b"Two"))
    before = path.read_bytes()
    with pytest.raises(recovery.NothingToRecoverFrom):
        recovery.recover(SYSTEM)
    assert path.read_bytes() == before
    assert damage.find(path)
    assert not list(folder.glob("damaged-*"))


def test_what_differs_can_be_left(broken, path):
    done = recovery.recover(SYSTEM, take_newer=False)
    assert {d.is_taken for d in done.differences} == {False}
    assert len(titles(path)) == COUNT


def test_rows_that_cannot_be_read_come_from_the_copy(broken, path):
    close(broken)
    with closing(sqlite3.connect(path)) as connection:
        leaves = connection.execute("SELECT pageno FROM dbstat WHERE name='assistants' AND pagetype='leaf'").fetchall()
    content = bytearray(path.read_bytes())
    for (number,) in leaves[3:6]:
        content[(number - 1) * 4096 : number * 4096] = b"\x55" * 4096
    path.write_bytes(content)
    done = recovery.recover(SYSTEM)
    assert 0 < done.was_read < COUNT + 1
    assert done.unreadable > 0
    assert len(titles(path)) >= COUNT


def test_row_that_the_rules_refuse_is_listed_and_the_others_are_taken(broken, path):
    close(broken)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=1")
        connection.execute("UPDATE assistants SET status='esaft', version=9 WHERE id='ast_0003'")
        connection.commit()
    done = recovery.recover(SYSTEM)
    assert (done.was_read, done.unreadable) == (COUNT, 1)
    told = {d.id: d.is_taken for d in done.differences}
    assert told == {"ast_0003": False, "ast_0007": True, "ast_later": True}
    check_recovered(path)


def test_assistant_deleted_after_the_copy_comes_back_and_is_listed(app, path):
    fill(app, 20)
    with app.app_context():
        snapshots.take()
        with transaction() as session:
            catalogue.remove(session, SYSTEM, "ast_0004", version=1)
        close(app)
        break_page(path, "aa_revision")
        damage.note(path, ["by hand"])
        done = recovery.recover(SYSTEM)
    told = [(d.id, d.version_in_copy, d.version_read, d.is_taken) for d in done.differences]
    assert told == [("ast_0004", 1, None, False)]
    assert "ast_0004" in titles(path)


def test_backup_made_after_the_snapshot_brings_it_up_to_date(app, path):
    fill(app, 20)
    with app.app_context():
        snapshot = snapshots.take().name
        with transaction() as session:
            catalogue.update(session, SYSTEM, "ast_0007", {"title": "Later"}, version=1)
            catalogue.create(session, SYSTEM, FIELDS, assistant_id="ast_later")
        newer = backups.create(SYSTEM).name
        broken = later_backup(app)
        close(app)
        (path.parent / "backups" / broken).write_bytes(b"{")
        drop_database(path)
        done = recovery.recover(SYSTEM)
    assert (done.source, done.newer, done.recovered) == (snapshot, newer, 21)
    found = titles(path)
    assert (found["ast_0007"], "ast_later" in found) == ("Later", True)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT version FROM aa_revision WHERE assistant_id='ast_0007' ORDER BY number"
        ).fetchall()
    assert rows == [(1,), (2,)]


def test_copy_that_was_chosen_is_taken_alone(app, path):
    with app.app_context():
        snapshot = snapshots.take().name
        later_backup(app)
        close(app)
        drop_database(path)
        assert recovery.recover(SYSTEM, source=snapshot).newer is None
    assert not titles(path)


def test_lost_database_comes_back_from_its_copy(broken, path):
    close(broken)
    drop_database(path)
    assert recovery.recover(SYSTEM).was_read == 0
    assert len(titles(path)) == COUNT


def test_log_of_a_lost_file_is_set_aside_and_opens_with_the_file_when_that_is_found(broken, path, folder):
    close(broken)
    leave_in_the_log(path)
    path.rename(folder / "moved.db")
    done = recovery.recover(SYSTEM)
    assert titles(path)["ast_0003"] == "One"
    aside = folder / done.set_aside
    (folder / "moved.db").rename(aside / path.name)
    assert titles(aside / path.name)["ast_0003"] == "In the log alone"


def test_sound_database_is_left_alone(app, path):
    with app.app_context(), pytest.raises(Conflict, match="not damaged"):
        recovery.recover(SYSTEM)


def leave_in_the_log(path: Path) -> None:
    """A change that another process wrote before it died: it is in the `-wal`, and nowhere else."""
    child = os.fork()
    if child == 0:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("UPDATE assistants SET title='In the log alone', version=5 WHERE id='ast_0003'")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert path.with_name("assistants.db-wal").stat().st_size


class StoppedAt(backups.Silent):
    """A person cancels in this phase."""

    def __init__(self, phase: str) -> None:
        self.phase, self.now = phase, ""

    def update(self, phase, done=0, total=None):
        self.now = phase

    def check_cancelled(self):
        if self.now == self.phase:
            raise jobs.Cancelled


def test_cancelled_build_leaves_nothing_and_cancelled_swap_leaves_the_choices(broken, path, folder):
    for phase in ("building", "rescuing"):
        with pytest.raises(jobs.Cancelled):
            recovery.build(SYSTEM, StoppedAt(phase))
        assert not (folder / ".recovery").exists()
    recovery.build(SYSTEM, backups.Silent())
    for phase in ("writing", "proving"):
        with pytest.raises(jobs.Cancelled):
            recovery.apply(SYSTEM, StoppedAt(phase))
        assert damage.find(path)
        assert recovery.is_prepared()
    recovery.apply(SYSTEM, backups.Silent())
    check_recovered(path)


def test_task_that_was_killed_is_told_by_the_row_in_the_new_database(broken):
    report = recovery.build(SYSTEM, backups.Silent())
    assert recovery.find_outcome("job-1") is None
    recovery.apply(SYSTEM, backups.Silent(), job_id="job-1")
    assert recovery.find_outcome("job-1") == {"source": report.source}


def test_two_recoveries_at_once_are_told_apart(broken):
    with workshop.alone(), pytest.raises(recovery.RecoveryRuns):
        recovery.build(SYSTEM, backups.Silent())


def test_older_text_that_is_chosen_gets_a_number_of_its_own(broken, path, folder):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE assistants SET title='Rewound', version=1 WHERE id='ast_0003'")
        connection.commit()
    recovery.build(SYSTEM, backups.Silent())
    with recovery.open_plan() as plan:
        [rewound] = [each for each in plan.all() if each.id == "ast_0003"]
        assert not rewound.is_taken
        plan.decide({rewound.number: True})
    recovery.apply(SYSTEM, backups.Silent())
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT title, version FROM assistants WHERE id='ast_0003'").fetchone()
    assert found == ("Rewound", 2)


def test_pages_that_the_disk_does_not_read_are_copied_as_zeros(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * 3 * 4096 + b"end")
    real = os.pread

    def pread(file, size, offset):
        if offset <= 4096 < offset + size:
            raise OSError(errno.EIO, "Input/output error")
        return real(file, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    copying._copy(str(source), str(target))
    assert target.read_bytes() == b"x" * 4096 + bytes(4096) + b"x" * 4096 + b"end"


def test_command_reports_numbers_and_differences(tmp_path):
    site = Site(tmp_path)
    site.flask("db", "upgrade")
    site.flask("backup", "create")
    assert "not damaged" in site.flask("recover", ok=False).stderr
    damage.note(site.data / "assistants.db", ["by hand"])
    (site.data / "assistants.db").write_bytes(b"no database" * 1000)
    said = json.loads(site.flask("recover", "--json").stdout)
    assert (said["recovered"], said["unreadable"]) == (0, 0)
    assert (site.data / said["set_aside"] / "assistants.db").read_bytes() == b"no database" * 1000
    site.flask("doctor", ok=False)
    site.close()


def test_command_says_what_a_backup_does_not_hold(tmp_path):
    site = Site(tmp_path)
    site.flask("db", "upgrade")
    site.flask("backup", "create")
    drop_database(site.data / "assistants.db")
    said = site.flask("recover").stdout
    assert "people, tokens" in said
    site.close()


def test_command_puts_in_place_what_it_prepared_though_a_kill_left_a_log(tmp_path):
    site = Site(tmp_path)
    document, file = tmp_path / "document.json", site.data / "assistants.db"
    document.write_text(json.dumps([{"id": "ast_0003", "title": "Three", "prompt": "p"}]))
    site.flask("assistants", "import", str(document), "--yes")
    site.flask("backup", "create")
    break_page(file, "aa_revision")
    leave_in_the_log(file)
    site.flask("recover", "--dry-run")
    assert "Recovered" in site.flask("recover", "--prepared").stdout
    site.close()


def test_command_prepares_then_puts_in_place_with_the_choices(tmp_path):
    site = Site(tmp_path)
    document, names = tmp_path / "document.json", []
    for count in (1, 2):
        document.write_text(json.dumps([{"id": f"ast_{n}", "title": f"{n}", "prompt": "p"} for n in range(count)]))
        site.flask("assistants", "import", str(document), "--yes")
        names.append(json.loads(site.flask("backup", "create", "--json").stdout)["filename"])
    older, newer = names
    damage.note(site.data / "assistants.db", ["by hand"])
    break_page(site.data / "assistants.db", "aa_restore")
    assert "No recovery is prepared" in site.flask("recover", "--prepared", ok=False).stderr
    assert "no copy of this name" in site.flask("recover", "--from", "elsewhere", ok=False).stderr
    said = json.loads(site.flask("recover", "--from", older, "--dry-run", "--json").stdout)
    assert (said["source"], said["in_copy"], said["recovered"]) == (older, 1, 0)
    said = json.loads(site.flask("recover", "--from", newer, "--dry-run", "--json").stdout)
    assert (said["source"], said["in_copy"], said["differences"]) == (newer, 2, [])
    assert damage.find(site.data / "assistants.db")
    assert json.loads(site.flask("recover", "--prepared", "--json").stdout)["recovered"] == 2
    assert titles(site.data / "assistants.db") == {"ast_0": "0", "ast_1": "1"}
    site.close()
