"""SIGKILL at any step of a recovery, and again in the next: the damaged file with its note, or the recovered one.

`KILL_ROUNDS=50 pytest tests/test_recovery_kills.py` for by hand; it says where each round was killed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.people import close
from tests.test_recovery import COUNT, check_recovered, leave_in_the_log, titles
from tests.test_recovery import broken as broken  # noqa: PLC0414 (a fixture)
from tests.test_recovery import path as path  # noqa: PLC0414 (a fixture)
from webadmin import damage, recovery
from webadmin.accounts import SYSTEM
from webadmin.errors import Conflict

ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
SEED = int(os.environ.get("KILL_SEED", "0")) or random.randrange(1, 10**6)
# What changes names or opens files; SQLite's own writes lie between, and are met by the rounds that count time.
STEPS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "sqlite3.connect"}
SWAP = 20
"""The last steps of all, in which the new file takes its place."""


def recover_in_a_child(
    folder: Path, *, at_step: int | None = None, after_seconds: float | None = None
) -> tuple[int, int]:
    """Recover in a process of its own that is killed at a step or after a time; its status, and the steps it took."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        taken = 0

        def count(event: str, arguments: tuple) -> None:
            nonlocal taken
            if event in STEPS and str(folder) in str(arguments[0]):
                taken += 1
                if taken == at_step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        with suppress(Conflict):
            recovery.recover(SYSTEM)
        os.write(writing, str(taken).encode())
        os._exit(0)
    os.close(writing)
    if after_seconds is not None:
        time.sleep(after_seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(reading) as told:
        return status, int(told.read() or 0)


def check_one_or_the_other(path: Path) -> None:
    """The damaged file with its note, where writing is refused, or the recovered one."""
    assert path.exists()
    if damage.find(path) is None:
        check_recovered(path)


@pytest.mark.timeout(120 + 40 * ROUNDS)
def test_kill_at_any_step_and_again_in_the_next_recovery(broken, path, folder, tmp_path):
    close(broken)
    leave_in_the_log(path)
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    began = time.monotonic()
    status, steps = recover_in_a_child(folder)
    seconds = time.monotonic() - began
    assert (status, steps > SWAP) == (0, True)
    check_recovered(path)
    chance, killed = random.Random(SEED), 0
    print(f"seed {SEED}, {steps} steps in {seconds:.1f} s")
    for number in range(ROUNDS):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        # Half of the rounds at the steps of the swap, a quarter anywhere, a quarter by the clock.
        first = {"at_step": steps - chance.randrange(SWAP)}
        if number % 4 == 1:
            first = {"at_step": chance.randrange(1, steps + 1)}
        if number % 4 == 3:
            first = {"after_seconds": chance.uniform(0, seconds)}
        second = {"at_step": chance.randrange(1, steps + 1)}
        for kill in (first, second):
            killed += recover_in_a_child(folder, **kill)[0] != 0
            check_one_or_the_other(path)
        print(f"round {number}: {first}, then {second}; damaged: {damage.find(path) is not None}")
        assert recover_in_a_child(folder)[0] == 0
        check_recovered(path)
        assert titles(path)["ast_0003"] == "In the log alone"
        assert len(titles(path)) == COUNT + 1
        assert len(list(folder.glob("damaged-*/assistants.db"))) == 1
        assert not (folder / ".recovery").exists()
        assert damage.find(path) is None
    print(f"killed {killed} times")
    assert killed >= ROUNDS
