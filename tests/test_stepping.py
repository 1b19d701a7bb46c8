"""A kill just before any step of a backup, an import, a deletion or an upgrade: all of it is there, or nothing.

At every step, by hand: `KILL_STEPS=1000 .venv/bin/python -m pytest -n 5 -rP -o timeout=0 tests/test_stepping.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.stepping import ACTS
from webadmin.config import PROJECT

STEPS = os.environ.get("KILL_STEPS", "6")


@pytest.mark.parametrize("act", ACTS)
def test_a_kill_at_any_step_leaves_all_or_nothing(tmp_path, act):
    command = [sys.executable, "-m", "tests.stepping", str(tmp_path), STEPS, act]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, whole, *rounds = map(json.loads, done.stdout.splitlines())
    assert whole["backups"] == before["backups"] + 1
    for each in rounds:
        if each["isDone"]:
            # One run may take a few steps less than another, as it is quicker; then there was nothing to kill.
            assert (each["step"] > 0.9 * whole["steps"], each["state"]) == (True, whole["state"])
            continue
        assert each["state"] in (before["state"], whole["state"])
        # Nothing changes before it was backed up; what did not happen leaves nothing but, at times, that backup.
        assert each["backups"] in (before["backups"], whole["backups"])
        assert each["state"] == before["state"] or each["backups"] == whole["backups"]
        assert (each["torn"], each["left"]) == ([], [])
        assert each["restarted"] == (whole["state"] if act == "upgrade" else each["state"])
    assert rounds
    print(f"\n{act}: killed before {len(rounds)} of {whole['steps']} steps, 0 between, 0 torn")
