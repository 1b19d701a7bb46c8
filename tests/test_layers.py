from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from webadmin.config import PROJECT


def test_imports_point_downwards():
    command = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([command, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
