"""A task whose process was killed tells what became of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.people import close
from tests.sites import Site
from webadmin import backups, jobs
from webadmin.app import create_app
from webadmin.config import PROJECT, Config

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
