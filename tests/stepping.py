"""A program that dies at each of its steps in turn: `python -m tests.stepping FOLDER ROUNDS ACT`.

A step is a statement to a database, a commit, or a call that opens, names or removes a file of the data folder. Each
round does the act on a copy of one data folder in a child that is killed just before one step (every step where ROUNDS
allows, else about so many, spread evenly), in every third round kills the start that follows at a step of its own too,
and then starts as a server does. One line of JSON tells what was there before, one what is when nobody is killed, and
one for each round what was found.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event

from tests import earlier
from webadmin import backups, catalogue, config, db, operations, runtime, upgrade
from webadmin.accounts import Actor, ActorKind
from webadmin.backups import Integrity, InvalidBackup, Mode
from webadmin.backups.document import open_document, records
from webadmin.config import Config
from webadmin.runtime import Runtime

ADA = Actor(ActorKind.PERSON, "ada")
SIZE = 12
_FILE_CALLS = frozenset({"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.utime", "sqlite3.connect"})
_KEPT_BY_US = ("aa_revision", "aa_trash", "aa_restore")


def in_child(work: Callable[[], None]) -> bool:
    """Whether a child came to the end of its work; it may have been killed."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f"the work failed: {status}"
    return status == 0


def open_site(folder: Path) -> None:
    """What a server does with a data folder before it serves."""
    values = Config.load(
        {
            "DATABASE_PATH": str(folder / "assistants.db"),
            "DATABASE_BACKUP_DIR": str(folder / "backups"),
            "LOG_DIR": str(folder / "logs"),
            "TIMEZONE": "UTC",
        },
        env_file=None,
    )
    store = Runtime(folder / "runtime.db")
    config.use(lambda: values)
    runtime.use(lambda: store)
    app = Flask("killed")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{values.database_path}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = db.engine_options(5000)
    db.db.init_app(app)
    app.app_context().push()
    db.prepare(db.db.engine)
    upgrade.open_database()


def back_up(_folder: Path) -> None:
    backups.create(ADA)


def import_in(mode: Mode) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        staged = backups.stage_file(ADA, folder / "source.json", folder / "scratch.db")
        operations.apply_import(ADA, staged, mode=mode, source_name="source")

    return run


def delete(_folder: Path) -> None:
    chosen = catalogue.Chosen(tuple(f"ast_{number:02}" for number in range(0, SIZE, 2)))
    operations.change_assistants(ADA, chosen, catalogue.to_trash, before="before a deletion")


# What is done once the site is open; the upgrade is in the opening itself.
ACTS: dict[str, Callable[[Path], None]] = {
    "backup": back_up,
    "merge": import_in(Mode.MERGE),
    "replace": import_in(Mode.REPLACE),
    "delete": delete,
    "upgrade": lambda _folder: None,
}


def perform(act: str, folder: Path) -> None:
    open_site(folder)
    ACTS[act](folder)


def killed_before(step: int, folder: Path, work: Callable[[], None]) -> Callable[[], None]:
    """The work, which does not live to see its step of this number; 0 writes down how many there are."""

    def run() -> None:
        count = 0

        def reach(*_: Any) -> None:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

        def call(name: str, arguments: tuple[Any, ...]) -> None:
            if name in _FILE_CALLS and str(folder) in str(arguments[:2]):
                reach()

        event.listen(Engine, "before_cursor_execute", reach)
        event.listen(Engine, "commit", reach)
        sys.addaudithook(call)
        work()
        if step == 0:
            (folder / "steps").write_text(str(count))

    return run


def prepare(act: str, folder: Path) -> None:
    """The folder that each round begins with."""
    folder.mkdir(parents=True)
    with closing(earlier.connect(folder / "assistants.db")) as program:
        for number in range(SIZE):
            earlier.insert(program, f"ast_{number:02}", prompt="产品 🧑‍💻\r\n" * 20)
    changed = [
        {
            "id": f"ast_{number:02}",
            "title": f"New {number}",
            "prompt": "产品\r\n",
            "createdAt": "2026-01-15T10:30:00.000Z",
        }
        for number in range(SIZE // 2, 2 * SIZE)
    ]
    (folder / "source.json").write_text(json.dumps(changed))
    if act != "upgrade":
        in_child(lambda: open_site(folder))


def state(folder: Path) -> list[Any]:
    """Everything that an act changes all at once or not at all."""
    with closing(sqlite3.connect(folder / "assistants.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT * FROM assistants ORDER BY id").fetchall()
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'aa_%'")}
        counts = [database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in _KEPT_BY_US if t in tables]
    return [hashlib.sha256(repr(rows).encode()).hexdigest(), len(tables), *counts]


def torn(folder: Path) -> list[str]:
    """The files with the name of a backup that are not whole."""
    found = []
    for path in (folder / "backups").glob("assistants_backup_*"):
        with path.open("rb") as file:
            try:
                document = open_document(file)
                is_whole = len(list(records(file, document))) == document.count
            except InvalidBackup:
                is_whole = False
            if not is_whole or document.integrity is not Integrity.RIGHT:
                found.append(path.name)
    return found


def found_in(folder: Path) -> dict[str, Any]:
    backups = list((folder / "backups").glob("assistants_backup_*"))
    return {"state": state(folder), "torn": torn(folder), "backups": len(backups)}


def play(act: str, start: Path, folder: Path, step: int, again: int | None) -> dict[str, Any]:
    """One round. `again` is the step of the following start that is killed too."""
    shutil.copytree(start, folder)
    is_done = in_child(killed_before(step, folder, lambda: perform(act, folder)))
    found = {"step": step, "isDone": is_done, **found_in(folder)}
    if again is not None:
        in_child(killed_before(again, folder, lambda: open_site(folder)))
    assert in_child(lambda: perform("backup", folder))
    found["restarted"] = state(folder)
    found["left"] = [path.name for path in folder.rglob(".tmp-*") if "snapshots" not in path.parts]
    if step == 0:
        found["steps"] = int((folder / "steps").read_text())
    shutil.rmtree(folder)
    return found


def main() -> None:
    place, rounds, act = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    start = place / "start"
    prepare(act, start)
    print(json.dumps(found_in(start)))
    whole = play(act, start, place / "0", 0, None)
    print(json.dumps(whole))
    for number, step in enumerate(range(1, whole["steps"] + 1, max(1, whole["steps"] // rounds))):
        again = 1 + step % 25 if number % 3 == 2 else None
        print(json.dumps(play(act, start, place / str(step), step, again)), flush=True)


if __name__ == "__main__":
    main()
