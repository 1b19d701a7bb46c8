"""kill -9 at random moments: a backup exists whole or not at all, an import happened or did not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backups.conftest import ADA, document, lines, make_record
from tests.people import close
from tests.sites import Site
from webadmin import backups, jobs
from webadmin.app import create_app
from webadmin.backups import Integrity
from webadmin.backups import folder as folder_of
from webadmin.backups.document import open_document
from webadmin.config import PROJECT, Config

ROUNDS = int(os.environ.get("KILL_ROUNDS", "6"))
PROGRAM = """
import sys
from pathlib import Path
from flask import Flask
from webadmin import backups, config, db, operations, runtime
from webadmin.accounts import Actor, ActorKind
from webadmin.config import Config
from webadmin.runtime import Runtime

act, folder, source, scratch = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
values = Config.load({"DATABASE_PATH": str(folder / "assistants.db"), "DATABASE_BACKUP_DIR": str(folder / "backups"),
                      "LOG_DIR": str(folder / "logs"), "TIMEZONE": "UTC"}, env_file=None)
store = Runtime(folder / "runtime.db")
config.use(lambda: values)
runtime.use(lambda: store)
app = Flask("killed")
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{values.database_path}"
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = db.engine_options(5000)
db.db.init_app(app)
ada = Actor(ActorKind.PERSON, "ada")
with app.app_context():
    db.prepare(db.db.engine)
    print("ready", flush=True)
    while act == "backup":
        backups.create(ada)
    staged = backups.stage_file(ada, source, scratch)
    operations.apply_import(ada, staged, mode=backups.Mode.REPLACE, source_name="x")
"""


def kill_after(seconds: float, act: str, folder: Path, source: Path, scratch: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, act, str(folder), str(source), str(scratch)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_killed_backup_leaves_no_torn_file(data: Config, fill: Callable[..., None], tmp_path: Path) -> None:
    fill(*(make_record(number, prompt="产品 " * 500) for number in range(500)))
    chosen = random.Random(7)
    for _ in range(ROUNDS):
        kill_after(chosen.uniform(0, 0.4), "backup", data.database_path.parent, tmp_path, tmp_path)
    backups.create(ADA)
    assert list(data.database_backup_dir.glob(".tmp-*")) == []
    entries = folder_of.entries(data.database_backup_dir)
    for entry in entries:
        with folder_of.open_backup(data.database_backup_dir, entry.name) as file:
            found = open_document(file)
        assert (found.integrity, found.count) == (Integrity.RIGHT, 500)
    assert len(entries) > 1


AT_A_POINT = """
import os, signal, sys
from webadmin import backups, jobs, safety
from webadmin.accounts import Actor, ActorKind
from webadmin.app import create_app
from webadmin.backups import writer, folder

def die(*_arguments, **_more):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "after its name":
    writer.remember = die
else:
    folder.publish = die
with create_app().app_context():
    job = safety.start_backup(Actor(ActorKind.PERSON, "ada"))
    print(job.id, flush=True)
    jobs.wait(job.id, 60)
"""


@pytest.mark.parametrize("point", ["before its name", "after its name"])
def test_task_of_a_killed_backup_tells_whether_there_is_a_file(tmp_path: Path, point: str) -> None:
    site = Site(tmp_path)
    environment = site.environment() | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", AT_A_POINT, point], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    app = create_app(Config.load(environment, env_file=None))
    with app.app_context():
        job = jobs.get(done.stdout.strip())
        names = site.backup_names()
        if point == "before its name":
            assert (job.state, job.result, names) == (jobs.State.STOPPED, None, [])
        else:
            assert (job.state, [job.result["filename"]]) == (jobs.State.DONE, names)
            assert backups.verify(names[0]).is_verified
    close(app)


def test_killed_import_happened_or_did_not(data: Config, fill: Callable[..., None], tmp_path: Path) -> None:
    fill(*(make_record(number) for number in range(300)))
    source = tmp_path / "source.json"
    chosen = random.Random(8)
    for number in range(ROUNDS):
        before = lines()[1:]
        whole = [make_record(each, title=f"round {number}") for each in range(200, 2000)]
        source.write_bytes(document(*whole))
        scratch = tmp_path / f"killed-{number}.db"
        kill_after(chosen.uniform(0, 1.2), "import", data.database_path.parent, source, scratch)
        after = lines()[1:]
        if after != before:
            assert [json.loads(line.rstrip(b",\n"))["title"] for line in after[:-1]] == [f"round {number}"] * 1800
    fill(make_record(1, title="the lock is free"))
