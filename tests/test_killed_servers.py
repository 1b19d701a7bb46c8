"""kill -9 of real servers under writers: what was acknowledged is there, what was not is whole or absent.

By hand in earnest: `KILL_ROUNDS=200 .venv/bin/python -m pytest -n 0 -s -o timeout=0 tests/test_killed_servers.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.killing import ASSISTANTS, BACKUP, Victim, exported, prove_all, wait_until
from tests.sites import Server

ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
WRITERS = 3
OWNED = 60
# How many writes a server may live at most, all writers together.
MOST_WRITES = 60
# The test itself removes older files that were read whole, lest 200 rounds fill the disk.
KEPT_FILES = 40
SCRAPS = ("产品", "🧑‍💻", "é", "e\u0301", "\r\n", "«quote»", "\\", '"', "plain words ")
# What an assistant holds, as far as a writer chooses it, and its version; None when there is none.
State = tuple[str, str, int] | None


@dataclass
class Writer:
    """A client that knows what each of its assistants must hold, and how often each was written.

    `doubt` is the call that was under way when the server died: the assistant, and what it holds if that was done.
    """

    name: str
    chance: random.Random
    states: dict[str, State] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    doubt: tuple[str, State] | None = None
    acknowledged: int = 0
    refused: int = 0
    made: int = 0

    def work(self, client: httpx.Client) -> None:
        """Write until the server is gone."""
        with contextlib.suppress(httpx.TransportError):
            while True:
                self._write(client)

    def _write(self, client: httpx.Client) -> None:
        living = [id for id, state in self.states.items() if state]
        kind = self.chance.choices(("create", "update", "delete"), (len(living) < OWNED, 3, len(living) > OWNED // 2))
        fields = {"title": self._text(3), "prompt": self._text(300)}
        id, after, call = self._planned(kind[0], living, fields)
        self.doubt = id, after
        answer = client.send(client.build_request(**call))
        if answer.status_code == 503:
            self.refused += 1
        else:
            assert answer.status_code in (200, 201), answer.text
            self.acknowledged += 1
            self.note(id, after)
        self.doubt = None

    def _planned(self, kind: str, living: list[str], fields: dict[str, str]) -> tuple[str, State, dict[str, Any]]:
        if kind == "create":
            self.made += 1
            id = f"{self.name}-new-{self.made}"
            body = {"id": id, "desc": "d", "emoji": "🚀", **fields}
            return id, (*fields.values(), 1), {"method": "POST", "url": ASSISTANTS, "json": body}
        id = self.chance.choice(living)
        if kind == "delete":
            return id, None, {"method": "DELETE", "url": f"{ASSISTANTS}/{id}"}
        version = self.states[id][2]
        body = {**fields, "version": version}
        return id, (*fields.values(), version + 1), {"method": "PUT", "url": f"{ASSISTANTS}/{id}", "json": body}

    def _text(self, most: int) -> str:
        return "x" + "".join(self.chance.choices(SCRAPS, k=self.chance.randint(1, most))) + "x"

    def note(self, id: str, after: State) -> None:
        self.states[id] = after
        self.written[id] += 1

    def settle(self, found: dict[str, State]) -> bool:
        """Learn what became of the call that nobody answered, whole or not at all; whether it was done."""
        if self.doubt is None:
            return False
        (id, after), before = self.doubt, self.states.get(self.doubt[0])
        self.doubt = None
        assert found.get(id) in (before, after), (id, before, after)
        if found.get(id) == after:
            self.note(id, after)
            return True
        return False


@dataclass
class Writers:
    """All who write on one site, and what became of it: backups that somebody was told of, and those read whole."""

    site: Victim
    writers: list[Writer]
    settled: int = 0
    told: dict[str, str] = field(default_factory=dict)
    whole: dict[str, str] = field(default_factory=dict)
    removed: int = 0

    def acknowledged(self) -> int:
        return sum(writer.acknowledged for writer in self.writers)

    def back_up(self, client: httpx.Client) -> None:
        """«Back up now» until the server is gone; a second server is told that the folder is in use."""
        with contextlib.suppress(httpx.TransportError):
            while True:
                answer = client.post(f"{BACKUP}/create")
                assert answer.status_code in (201, 503), answer.text
                if answer.status_code == 201:
                    made = answer.json()["data"]
                    self.told[made["filename"]] = made["sha256"]

    def work_until_killed(self, servers: list[Server]) -> None:
        """All write and back up; one server dies after the other, each at a moment of its own."""
        site = self.site
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(site.caller(server)) for server in servers]
            pool = stack.enter_context(ThreadPoolExecutor(WRITERS + len(servers)))
            # Whatever fails: a writer ends when its server does.
            stack.callback(lambda: [site.kill(server) for server in servers if server in site.servers])
            running = [
                pool.submit(writer.work, clients[number % len(clients)]) for number, writer in enumerate(self.writers)
            ]
            running += [pool.submit(self.back_up, client) for client in clients]
            for server in servers:
                # Counted in writes: a machine at work does few in a second. A dead server's writers are done.
                target = self.acknowledged() + site.chance.randint(0, MOST_WRITES)
                wait_until(lambda target=target: self.acknowledged() >= target, 20)
                time.sleep(site.chance.uniform(0, 0.05))
                site.kill(server)
            for each in running:
                each.result()

    def check(self, server: Server) -> None:
        with self.site.caller(server) as client:
            found: dict[str, State] = {
                id: (each["title"], each["prompt"], each["version"]) for id, each in exported(client).items()
            }
            self.settled += sum(writer.settle(found) for writer in self.writers)
            expected = {id: state for writer in self.writers for id, state in writer.states.items() if state}
            assert found == expected
            self.check_revisions(expected)
            self.site.check_sound(client)
            self.check_backups()

    def check_revisions(self, expected: dict[str, State]) -> None:
        """One for each write, the newest one of what is there."""
        with self.site.opened("assistants.db") as database:
            revisions = database.execute("SELECT assistant_id, record FROM aa_revision ORDER BY number").fetchall()
            self.check_entries(database)
        newest = {id: json.loads(record) for id, record in revisions}
        assert Counter(id for id, _ in revisions) == sum((writer.written for writer in self.writers), Counter())
        assert {id: (newest[id]["title"], newest[id]["prompt"], newest[id]["version"]) for id in expected} == expected

    def check_entries(self, database: sqlite3.Connection) -> None:
        """Each revision has its entry in the activity log, told of or not, and each entry its revisions."""
        referred = list[int]()
        for (after,) in database.execute("SELECT after_ref FROM aa_audit WHERE after_ref LIKE 'revision%'"):
            first, _, last = after.partition(":")[2].partition("-")
            referred += range(int(first), int(last or first) + 1)
        assert sorted(referred) == [
            number for (number,) in database.execute("SELECT number FROM aa_revision ORDER BY 1")
        ]

    def check_backups(self) -> None:
        """Every file of a backup's name is whole, and what somebody was told of is the file that is there."""
        names = self.site.backup_names()
        for name in names:
            if name not in self.whole:
                self.whole[name], _ = self.site.read_whole(name)
        assert self.told.items() <= self.whole.items()
        # Several backups in a second have names of the seconds to come, so a name that is free again is soon another's.
        for name in names[:-KEPT_FILES]:
            (self.site.backups / name).unlink()
            self.told.pop(name, None)
            del self.whole[name]
            self.removed += 1


@pytest.fixture
def everybody(tmp_path):
    site = Victim(tmp_path)
    writers = [Writer(f"writer-{number}", random.Random(number)) for number in range(WRITERS)]
    prompt = "产品 plain words " * 40
    for writer in writers:
        for number in range(OWNED):
            writer.note(f"{writer.name}-{number}", ("found", prompt, 1))
    document = [{"id": id, "title": "found", "prompt": prompt} for writer in writers for id in writer.states]
    server = site.start()
    with site.caller(server) as client:
        assert client.post(f"{BACKUP}/import", json=document).status_code == 200
    site.kill(server)
    yield Writers(site, writers)
    site.close()


@pytest.mark.timeout(600)
def test_no_acknowledged_write_is_lost_and_no_backup_is_torn(everybody):
    site = everybody.site
    for number in range(ROUNDS):
        if number % 3 == 2:
            site.start_and_kill()
        servers = [site.start() for _ in range(1 + number % 2)]
        everybody.check(servers[0])
        everybody.work_until_killed(servers)
    last = site.start()
    everybody.check(last)
    site.kill(last)
    prove_all(site)
    assert all(writer.acknowledged for writer in everybody.writers)
    print(
        f"\n{ROUNDS} rounds, {site.kills} kills: {everybody.acknowledged()} writes acknowledged, 0 lost;"
        f" {sum(each.refused for each in everybody.writers)} refused; {everybody.settled} done that nobody was told of;"
        f" {len(everybody.whole) + everybody.removed} backups, 0 torn; {site.ready_words()}"
    )
