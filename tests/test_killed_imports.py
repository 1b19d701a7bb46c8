"""kill -9 in an import or a restore, at times again in the next start: the catalogue is as before, or as planned.

By hand in earnest: `KILL_ROUNDS=150 .venv/bin/python -m pytest -n 0 -s -o timeout=0 tests/test_killed_imports.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from bs4 import BeautifulSoup

from tests.api.story import READER
from tests.killing import BACKUP, Victim, exported, wait_until
from tests.sites import Server, wait_for

ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
SIZE = 600
WAYS = (("api", "merge"), ("command", "replace"), ("page", "replace"))
WAYS += (("api", "replace"), ("command", "merge"), ("page", "replace"))
Catalogue = dict[str, dict[str, Any]]


def planned(mine: Catalogue, theirs: Catalogue, mode: str) -> Catalogue:
    """What an import must make of a catalogue (contract 4)."""
    after = dict(mine) if mode == "merge" else {id: each for id, each in mine.items() if id in theirs}
    for id, each in theirs.items():
        old = mine.get(id)
        if old is None:
            after[id] = each
        elif contents(old) != contents(each):
            after[id] = each | {"version": max(each["version"], old["version"] + 1)}
    return after


def contents(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "version"}


def all_contents(found: Catalogue) -> Catalogue:
    return {id: contents(each) for id, each in found.items()}


def by_id(lines: list[bytes]) -> Catalogue:
    return {each["id"]: each for each in map(json.loads, lines)}


class Pages:
    """A browser without scripts, signed in."""

    def __init__(self, server: Server) -> None:
        self.client = httpx.Client(base_url=server.url, follow_redirects=True, timeout=100)
        form = self.page("/sign-in").select_one("form[action='/sign-in']")
        self.submit(form, username=READER["ADMIN_USERNAME"], password=READER["ADMIN_PASSWORD"])

    def page(self, path: str) -> BeautifulSoup:
        return read(self.client.get(path))

    def submit(self, form: BeautifulSoup, **changes: str) -> httpx.Response:
        fields = {each["name"]: each.get("value", "") for each in form.select("input[name]")}
        return self.client.post(form["action"], data=fields | changes)

    def close(self) -> None:
        self.client.close()

    def reviewed(self, path: str, name: str, **parameters: str) -> BeautifulSoup:
        """The form that applies what a backup would do; `path` says whether it is restored or an import undone."""
        token = self.page("/import").select_one("input[name=csrf_token]")["value"]
        answer = self.client.post(path, data={"csrf_token": token, "name": name})
        read(answer)
        wait_for(lambda: not self.page(answer.url.path).select("[data-poll]:not(#safety-pill)"), 100)
        page = read(self.client.get(answer.url.path, params=parameters))
        question = page.select_one("#import-bar a.primary")
        form = (self.page(question["href"]) if question else page).select_one("form[action$='/apply']")
        assert form is not None, " ".join(page.get_text(" ").split())
        return form


def read(answer: httpx.Response) -> BeautifulSoup:
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


@dataclass
class Restores:
    """A site with a catalogue and a backup of another; what a run came to."""

    site: Victim
    backup: str
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)

    def begin_by_api(self, server: Server, mode: str) -> Callable[[], None]:
        """Import the file over the API; the answer does not come when the server dies."""
        content, headers = (self.site.backups / self.backup).read_bytes(), {"Content-Type": "application/json"}

        def run() -> None:
            with self.site.caller(server) as client:
                client.post(f"{BACKUP}/import", params={"mode": mode}, content=content, headers=headers)

        return run

    def begin_by_page(self, server: Server, mode: str) -> Callable[[], None]:
        """Restore the listed backup by the pages: what is timed and killed is the last step."""
        browser = Pages(server)
        form = browser.reviewed("/import/backup", self.backup, mode=mode)

        def run() -> None:
            with contextlib.closing(browser):
                browser.submit(form)

        return run

    def kill_in(self, way: str, mode: str, server: Server) -> None:
        """Begin, and kill what does it at a moment of its own, which may come too late."""
        if way == "command":
            # The server lives on.
            command = self.site.command("backup", "restore", self.backup, "--mode", mode, "--yes")
            self.wait_for_moment(lambda: command.poll() is not None)
            command.kill()
            command.wait()
            self.site.kills += 1
            return
        work = {"api": self.begin_by_api, "page": self.begin_by_page}[way](server, mode)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(work)
            self.wait_for_moment(running.done)
            self.site.kill(server)
            with contextlib.suppress(httpx.TransportError):
                running.result()

    def wait_for_moment(self, is_over: Callable[[], bool]) -> None:
        """A while after the beginning, the first byte of the safety backup, its name, or the end."""
        folder, names = self.site.backups, set(self.site.backup_names())
        reached: Callable[[], object] = self.site.chance.choice(
            [
                lambda: True,
                lambda: list(folder.glob(".tmp-*")),
                lambda: set(self.site.backup_names()) - names,
                # Its end: what is killed then has happened.
                lambda: False,
            ]
        )
        wait_until(lambda: bool(reached()) or is_over(), 60)
        time.sleep(self.site.chance.uniform(0, 1))

    def runs(self) -> list[tuple[str, int, int]]:
        """The imports that were applied: safety backup, first and last revision."""
        with self.site.opened("assistants.db") as database:
            wanted = "SELECT safety_backup, first_revision, last_revision FROM aa_restore ORDER BY id"
            return database.execute(wanted).fetchall()

    def done(self) -> int:
        """How many tasks have come to their end, as their rows say."""
        with self.site.opened("runtime.db") as database:
            return database.execute("SELECT count(*) FROM jobs WHERE state='done'").fetchone()[0]

    def undo(self, server: Server) -> None:
        """Take the last import back, by the pages."""
        done = self.done()
        with contextlib.closing(Pages(server)) as browser:
            browser.submit(browser.reviewed("/import/undo", self.runs()[-1][0]))
            wait_for(lambda: self.done() > done, 100)


@pytest.fixture
def restores(tmp_path):
    site = Victim(tmp_path, dict(READER))
    server = site.start()
    with site.caller(server) as client:
        for first, text in ((SIZE // 3, "theirs"), (0, "mine")):
            document = [
                {"id": f"ast_{number}", "title": text if number % 3 else "same", "prompt": "产品 words " * 60}
                | {"createdAt": "2026-01-15T10:30:00.000Z"}
                for number in range(first, first + SIZE)
            ]
            parameters = {"mode": "replace"}
            assert client.post(f"{BACKUP}/import", json=document, params=parameters).status_code == 200
            if first:
                backup = client.post(f"{BACKUP}/create").json()["data"]["filename"]
    yield Restores(site, backup)
    site.close()


@pytest.mark.timeout(200 * ROUNDS)
def test_killed_import_happened_or_did_not(restores):
    site = restores.site
    [server] = site.servers
    theirs = by_id(site.read_whole(restores.backup)[1])
    for number in range(ROUNDS):
        way, mode = WAYS[number % len(WAYS)]
        with site.caller(server) as client:
            before = exported(client)
        runs, done = restores.runs(), restores.done()
        restores.kill_in(way, mode, server)
        if number % 3 == 1:
            for each in list(site.servers):
                site.kill(each)
            site.start_and_kill()
        if server not in site.servers:
            server = site.start()
        with site.caller(server) as client:
            found = exported(client)
            site.check_sound(client)
        if found == before:
            restores.ends[way, "before"] += 1
            assert (restores.runs(), restores.done()) == (runs, done)
            continue
        assert found == planned(before, theirs, mode)
        restores.ends[way, "after"] += 1
        assert restores.done() == done + 1
        [(safety, first, last)] = restores.runs()[len(runs) :]
        assert by_id(site.read_whole(safety)[1]) == before
        assert last - first + 1 == sum(found.get(id) != before.get(id) for id in found.keys() | before.keys())
        restores.undo(server)
        with site.caller(server) as client:
            assert all_contents(exported(client)) == all_contents(before)
        print(f"round {number + 1}: {dict(restores.ends)}", flush=True)
    print(f"\n{ROUNDS} rounds, {site.kills} kills: {dict(restores.ends)}, 0 between; {site.ready_words()}")
