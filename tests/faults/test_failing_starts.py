"""A call fails while the program starts: it serves all the same or ends in words, and the next start finds everything.

Here one call of each start fails, by hand each: `FAULTS=all` and the other variables of test_failing_calls.py.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from contextlib import closing

import pytest

from tests import earlier
from tests.faults.test_failing_calls import ERRNOS, FAULTS, Fault, chosen
from tests.people import close
from tests.sites import Site
from tests.syscalls import Call, Storage
from webadmin import backups, keyfile
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.config import PROJECT, Config

TITLES = ["助手 0", "助手 1", "助手 2"]


def nothing(_site):
    return []


def database_of_the_earlier_system(site):
    site.data.mkdir(mode=0o700)
    with closing(earlier.connect(site.data / "assistants.db")) as connection:
        for number, title in enumerate(TITLES):
            earlier.insert(connection, id=f"ast_{number}", title=title)
    return TITLES


def database_of_ours(site):
    titles = database_of_the_earlier_system(site)
    assert exported(site) == titles
    return titles


def exported(site):
    """What a start without faults finds, by its titles."""
    app = create_app(Config.load(site.environment(), env_file=None))
    with app.app_context():
        made = backups.export(SYSTEM)
        with made.file as file:
            found = [each["title"] for each in json.load(file)["assistants"]]
    close(app)
    return found


def start(site, storage) -> str:
    """Start the server and end it again; what it said on stderr when it did not serve."""
    process = storage.launch(
        [sys.executable, "wsgi.py"],
        cwd=PROJECT,
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    is_serving = any(" is at http" in line for line in process.stdout)
    if is_serving:
        process.kill()
    _, said = process.communicate(timeout=60)
    return "" if is_serving else said


def try_start(folder, make, fault: Fault) -> tuple[list[str], list[Call]]:
    """What is not as it should be after a start with a fault, and the calls of the start."""
    folder.mkdir(parents=True)
    site, storage = Site(folder), Storage(folder / "data")
    titles = make(site)
    storage.fail(fault.at, fault.number, for_ever=fault.is_for_ever)
    said = start(site, storage)
    calls, failed = storage.calls(), storage.mend()
    found = []
    if said and not (said.startswith("Error: ") and "Traceback" not in said):
        found.append(f"not in words: {said}")
    if exported(site) != titles:
        found.append("the next start does not find what was there")
    # What could not even be deleted is gone an hour later.
    for path in (folder / "data").glob(".tmp-*"):
        os.utime(path, (time.time() - 4000, time.time() - 4000))
    keyfile.remove_leftovers(folder / "data")
    if left := [path.name for path in folder.glob("data/*") if path.name.startswith(".tmp")]:
        found.append(f"left over: {left}")
    return [f"{fault}, {failed[:1]}: {each}" for each in found], calls


@pytest.mark.parametrize("make", [nothing, database_of_the_earlier_system, *([database_of_ours] if FAULTS else [])])
def test_start_with_a_failing_call_ends_in_words_and_the_next_one_works(tmp_path, make):
    if FAULTS:
        _, calls = try_start(tmp_path / "whole", make, Fault(0, 0, is_for_ever=False))
        faults = list(chosen(make.__name__, calls))
    else:
        draw = random.Random(make.__name__)
        faults = [Fault(draw.randint(1, 60), draw.choice(ERRNOS), is_for_ever=True)]
    found = []
    for number, fault in enumerate(faults):
        said, _ = try_start(tmp_path / str(number), make, fault)
        print("".join(f"\n{each}" for each in said), end="", flush=True)
        found += said
    print(f"\n{make.__name__}: {len(faults)} faults, {len(found)} complaints", flush=True)
    assert not found, "\n".join(found)
