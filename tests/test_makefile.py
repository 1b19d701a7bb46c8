"""What `make` says on a machine where something is missing, and that it does nothing twice."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from webadmin.config import PROJECT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def project(tmp_path):
    """A fresh clone, as far as the set-up looks at it."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"PYTHON={path}"


def test_old_python_is_named_with_its_remedy(project):
    run = make(project, fake_python(project, "exit 1"), "run")
    assert run.returncode != 0
    assert "Error: Python 3.11 or newer was not found" in run.stderr
    assert "Try: install it" in run.stderr


def test_missing_venv_module_is_named_with_its_remedy(project):
    run = make(project, fake_python(project, 'case "$2" in *ensurepip*) exit 1;; esac'), "run")
    assert run.returncode != 0
    assert "its venv or ensurepip module is missing" in run.stderr
    assert "Try: apt install python3-venv" in run.stderr
    assert not (project / ".venv").exists()


def test_moved_project_gets_a_new_environment(project):
    """A virtual environment holds absolute paths."""
    binaries = project / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to("/bin/true")
    for stamp in ("ready-run", "ready-dev"):
        (project / ".venv" / stamp).touch()
    (project / ".venv" / "made-in").write_text("/somewhere/else")
    assert "Setting up .venv" in make(project, "--dry-run", "setup").stdout
    (project / ".venv" / "made-in").write_text(str(project))
    assert "Setting up .venv" not in make(project, "--dry-run", "setup").stdout


def test_help_lists_every_target_that_has_a_description(project):
    shown = make(project).stdout
    names = ("run", "test", "check", "lint", "types", "layers", "format", "bench", "setup", "docs")
    assert all(f"make {name} " in shown for name in names)
