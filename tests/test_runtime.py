"""runtime.db: private, shared, and made anew when it is damaged or lost."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from webadmin.runtime import Runtime, RuntimeLocked, RuntimeUnavailable

BEAT = "INSERT INTO heartbeat (name, at, details) VALUES (?, 'now', '{}')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runtime.db"


@pytest.fixture
def store(path: Path):
    store = Runtime(path)
    store.write(BEAT, ("first",))
    yield store
    store.close()


def wait_of(store: Runtime) -> int:
    return int(store.read("PRAGMA busy_timeout")[0][0])


def names(store: Runtime) -> list[str]:
    return [row["name"] for row in store.read("SELECT name FROM heartbeat ORDER BY name")]


def test_the_file_and_its_log_are_private(store: Runtime, path: Path) -> None:
    for file in path.parent.glob("runtime.db*"):
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_two_connections_see_each_other(store: Runtime, path: Path) -> None:
    other = Runtime(path)
    other.write(BEAT, ("second",))
    assert names(store) == ["first", "second"]
    other.close()


def test_many_threads_lose_no_write(store: Runtime) -> None:
    threads = [threading.Thread(target=store.write, args=(BEAT, (f"t{n:02}",))) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(store)) == 31


@pytest.mark.parametrize("damage", [b"this is not a database" * 500, b"SQLite format 3\0" + os.urandom(5000)])
def test_a_damaged_file_is_set_aside_and_made_anew(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    store = Runtime(path)
    store.write(BEAT, ("after",))
    assert names(store) == ["after"]
    (aside,) = path.parent.glob("runtime.db.damaged-*")
    assert aside.read_bytes() == damage
    store.close()


def test_a_file_damaged_while_it_is_open_is_replaced(store: Runtime, path: Path) -> None:
    store.read("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(b"garbage!" * 2000)
    Runtime(path).write(BEAT, ("after",))
    assert names(store) == ["after"]


def test_a_file_removed_while_it_is_open_is_made_anew(store: Runtime, path: Path) -> None:
    path.unlink()
    store.write(BEAT, ("after",))
    assert names(store) == ["after"]


def test_a_schema_of_a_later_version_is_set_aside(store: Runtime, path: Path) -> None:
    store.read("PRAGMA user_version=99")
    store.close()
    assert names(store) == []
    assert list(path.parent.glob("runtime.db.damaged-*"))


def test_a_child_after_fork_uses_its_own_connection(store: Runtime) -> None:
    child = os.fork()
    if child == 0:
        try:
            store.write(BEAT, ("child",))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    store.write(BEAT, ("parent",))
    assert names(store) == ["child", "first", "parent"]


def test_a_folder_that_cannot_be_used_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RuntimeUnavailable) as caught:
        Runtime(tmp_path / "file" / "runtime.db").read("SELECT 1")
    assert caught.value.code == "SERVICE_UNAVAILABLE"
    assert caught.value.hint


def test_a_lock_held_by_another_program_is_no_damage(store: Runtime, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.read("PRAGMA busy_timeout=50")
    with pytest.raises(RuntimeLocked) as caught:
        store.write(BEAT, ("late",))
    assert "Another program holds" in str(caught.value)
    assert "fuser" in str(caught.value.hint)
    # A page asks more than once: it does not wait as long each time.
    assert wait_of(store) == 100
    other.execute("ROLLBACK")
    other.close()
    store.write(BEAT, ("late",))
    assert names(store) == ["first", "late"]
    store._locked_until = 0.0
    assert wait_of(store) == 3000
