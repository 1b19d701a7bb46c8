"""docs/restore-runbook.md, every command of it: in order, in a fresh folder, with the real command line and server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import earlier
from tests.sites import Site
from webadmin.config import PROJECT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")

TEXT = (PROJECT / "docs/restore-runbook.md").read_text(encoding="utf-8")
# What a clone has of the program; the environment is the one that runs the tests, so that nothing is installed.
CLONED = ("webadmin", "templates", "static", "data/README.md", "wsgi.py", "Makefile", "requirements.txt")
TAKE_SNAPSHOT = """
from webadmin import snapshots
from webadmin.app import create_app
with create_app().app_context():
    print(snapshots.take().name)
"""


def sections() -> dict[str, list[str]]:
    """The commands under each heading that has some, by the number of the heading."""
    parts = re.split(r"^## (.*)$", TEXT, flags=re.MULTILINE)
    commands = {
        heading: re.findall(r"^    (.*)$", body, flags=re.MULTILINE)
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {heading.partition(".")[0]: found for heading, found in commands.items() if found}


@dataclass
class Lost:
    """What is left of the machine that is gone."""

    clone: Path
    file: Path
    older: Path
    snapshots: Path
    snapshot: str
    database: Path


@pytest.fixture(scope="module")
def lost(tmp_path_factory) -> Lost:
    folder = tmp_path_factory.mktemp("lost")
    site = Site(folder)
    site.flask("user", "add", "ada", "--role", "admin", "--password-stdin", stdin="a long walk by the river\n")
    names = []
    for count in (2, 3):
        document = folder / "document.json"
        document.write_text(json.dumps([{"id": f"ast_{n}", "title": f"{n}", "prompt": "产品"} for n in range(count)]))
        site.flask("assistants", "import", str(document), "--yes")
        names.append(json.loads(site.flask("backup", "create", "--json").stdout)["filename"])
        if count == 2:
            taken = subprocess.run(
                [sys.executable, "-c", TAKE_SNAPSHOT],
                cwd=PROJECT, env=site.environment(), capture_output=True, text=True, check=True,
            )  # fmt: skip
    with earlier.connect(folder / "earlier.db") as connection:
        earlier.insert(connection, id="ast_of_earlier")
    connection.close()
    clone = folder / "clone"
    for name in CLONED:
        source, target = PROJECT / name, clone / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return Lost(
        clone,
        site.backups / names[1],
        site.backups / names[0],
        site.data / "snapshots",
        taken.stdout.strip(),
        folder / "earlier.db",
    )


@dataclass
class Machine:
    """A new machine: a folder, where one stands in it, and the servers that run."""

    lost: Lost
    here: Path
    name: str = ""
    servers: list[subprocess.Popen[str]] = field(default_factory=list)
    url: str = ""
    said: str = ""

    def type(self, command: str) -> None:
        """Do what the line says, as typed into a terminal."""
        if command == "make run":
            self._serve()
        elif command.startswith("cd "):
            self.here /= command.removeprefix("cd ")
        else:
            self._run(self._filled(command))
            if command.startswith("git clone"):
                _lend_environment(self.here / "assistant-admin")

    def _filled(self, command: str) -> str:
        """The line with what the reader has to fill in."""
        own = {
            "git clone ADDRESS": f"cp -r {self.lost.clone}",
            "http://127.0.0.1:8000": self.url,
            "SNAPSHOT": self.lost.snapshot,
            "DATABASE": str(self.lost.database),
            "FILES": f"{self.lost.older} {self.lost.file}",
            "FILE": str(self.lost.file),
            "NAME": self.lost.file.name,
        }
        return re.sub("|".join(own), lambda found: own[found[0]], command)

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.here, env=self._environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        self.said += f"$ {command}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, self.said

    def _serve(self) -> None:
        process = subprocess.Popen(
            ["make", "run"],
            cwd=self.here, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        self.servers.append(process)
        for line in process.stdout:
            self.said += line
            if found := re.search(r" is at (http://\S+)/", line):
                self.url = found[1]
                return
        raise AssertionError(self.said)

    def press_control_c(self) -> None:
        for server in self.servers:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(30)
            server.stdout.close()
        self.servers.clear()

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.lost.clone.parent), "PORT": "0"}

    def ids(self) -> list[str]:
        with sqlite3.connect(self.here / "data/assistants.db") as connection:
            return [each for (each,) in connection.execute("SELECT id FROM assistants ORDER BY id")]


def _lend_environment(project: Path) -> None:
    """As if the packages had been installed: that is `make`'s, and tested with it."""
    made = project / ".venv"
    made.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (made / name).symlink_to(Path(sys.prefix) / name)
    (made / "made-in").write_text(str(project))
    (made / "ready-run").touch()


@pytest.fixture
def machine(lost, tmp_path):
    made = Machine(lost, tmp_path)
    yield made
    made.press_control_c()


def test_every_command_stands_in_a_section_that_is_run():
    assert sorted(sections()) == ["1", "2", "3", "4", "5", "6"]


def test_one_file_and_a_new_machine_become_a_running_catalogue(machine):
    for command in sections()["1"]:
        machine.type(command)
    assert machine.ids() == ["ast_0", "ast_1", "ast_2"]
    digits = re.findall(r"[0-9a-f]{64}", machine.said)
    assert digits[0] == digits[1]
    assert "\nsame\n" in machine.said
    assert '"status"' in machine.said


def test_a_folder_of_backups_becomes_a_running_catalogue_with_its_list(machine):
    for command in sections()["2"]:
        machine.type(command)
    assert machine.ids() == ["ast_0", "ast_1", "ast_2"]
    assert re.search(rf"^{machine.lost.older.name} .* verified", machine.said, flags=re.MULTILINE)


def test_a_snapshot_brings_people_back_and_a_newer_backup_the_rest(machine):
    shutil.copytree(machine.lost.snapshots, machine.here / "snapshots")
    for command in sections()["3"]:
        machine.type(command)
    assert machine.ids() == ["ast_0", "ast_1", "ast_2"]
    assert re.search(r"^ada ", machine.said, flags=re.MULTILINE)


@pytest.fixture
def data(machine):
    """The data folder of a machine that is still there, with a torn database, its backups and snapshots."""
    for command in ("git clone ADDRESS assistant-admin", "cd assistant-admin", "make run"):
        machine.type(command)
    machine.press_control_c()
    made = machine.here / "data"
    shutil.copytree(machine.lost.snapshots, made / "snapshots", dirs_exist_ok=True)
    (made / "backups").mkdir(exist_ok=True)
    shutil.copy(machine.lost.file, made / "backups")
    (made / "assistants.db").write_bytes(b"torn" * 5000)
    return made


def test_a_damaged_database_is_put_aside_and_replaced_in_place(machine, data):
    for command in sections()["4"]:
        machine.type(command)
    assert machine.ids() == ["ast_0", "ast_1", "ast_2"]
    assert (data / "broken/assistants.db").read_bytes() == b"torn" * 5000


def test_a_lost_database_begins_empty_and_takes_the_backup(machine, data):
    shutil.rmtree(data / "snapshots")
    for command in sections()["5"]:
        machine.type(command)
    assert machine.ids() == ["ast_0", "ast_1", "ast_2"]
    assert re.search(rf"^{machine.lost.file.name} .*", machine.said, flags=re.MULTILINE)


def test_a_backup_comes_into_the_earlier_systems_database(machine):
    for command in sections()["6"]:
        machine.type(command)
    assert machine.ids() == ["ast_0", "ast_1", "ast_2", "ast_of_earlier"]
