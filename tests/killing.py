"""Sites whose processes are killed, and what must hold when they are started again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx

from tests.sites import FLASK, Server, Site, wait_for
from webadmin.backups import Integrity
from webadmin.backups.document import open_document, records
from webadmin.config import PROJECT

ASSISTANTS = "/api/assistants"
BACKUP = f"{ASSISTANTS}/backup"


@dataclass
class Victim(Site):
    """A site that is killed over and over, at moments that its seed chooses."""

    chance: random.Random = field(default_factory=lambda: random.Random(2024))
    secret: str = ""
    kills: int = 0
    ready_seconds: list[float] = field(default_factory=list)
    ready_cpu_seconds: list[float] = field(default_factory=list)

    def caller(self, server: Server) -> httpx.Client:
        """A client of the API whose answers nobody holds against its document: that takes longer than they do."""
        self.secret = self.secret or self.token()
        return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {self.secret}"}, timeout=100)

    def start(self) -> Server:
        """A server that answers a question about the catalogue; how long that took is noted."""
        began = time.monotonic()
        server = self.serve()
        with self.caller(server) as client:
            assert client.get(ASSISTANTS).status_code == 200
        self.ready_seconds.append(time.monotonic() - began)
        self.ready_cpu_seconds.append(server.cpu_seconds())
        return server

    def kill(self, server: Server) -> None:
        server.kill()
        self.servers.remove(server)
        self.kills += 1

    def start_and_kill(self) -> None:
        """A server dies while it starts on what the last one left."""
        server = self.spawn()
        time.sleep(self.chance.uniform(0, self.ready_seconds[-1]))
        self.kill(server)

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command of `flask` that runs on."""
        return subprocess.Popen(
            [FLASK, *arguments],
            cwd=PROJECT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[sqlite3.Connection]:
        """A database of the site."""
        with contextlib.closing(sqlite3.connect(self.data / name, timeout=60)) as database:
            yield database

    def check_sound(self, client: httpx.Client) -> None:
        """Sound pages, no half-written backup, and no task that seems to run."""
        with self.opened("assistants.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for id in self._running():
            client.get(f"/api/jobs/{id}")
        wait_for(lambda: not self._running())
        wait_for(lambda: not list(self.backups.glob(".tmp-*")))

    def _running(self) -> list[str]:
        with self.opened("runtime.db") as database:
            return [id for (id,) in database.execute("SELECT id FROM jobs WHERE state='running'")]

    def read_whole(self, name: str) -> tuple[str, list[bytes]]:
        """The checksum of a backup and its records. Fails when it is not whole."""
        with (self.backups / name).open("rb") as file:
            document = open_document(file)
            assert document.integrity is Integrity.RIGHT
            found = [line for _, line in records(file, document)]
            assert len(found) == document.count
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest(), found

    def ready_words(self) -> str:
        waits, work = sorted(self.ready_seconds), sorted(self.ready_cpu_seconds)
        return (
            f"ready after {waits[-1]:.2f} s at most, {median(waits):.2f} s at the median,"
            f" of which it worked {work[-1]:.2f} s at most, {median(work):.2f} s at the median"
        )


def exported(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """The catalogue as an export has it, by id."""
    return {each["id"]: each for each in client.get(f"{BACKUP}/export").json()["assistants"]}


def prove_all(site: Site) -> None:
    """Every backup is proved by the command that people use."""
    found = json.loads(site.flask("backup", "verify", "--all", "--json").stdout)
    assert {each["state"] for each in found} == {"verified"}


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for what may never come, closely."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
