"""A site whose storage can be made to fail, what can be done to it, and what it holds."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from bs4 import BeautifulSoup

from tests.sites import Server, Site
from tests.syscalls import Storage
from webadmin.backups import Integrity
from webadmin.backups.document import open_document
from webadmin.config import PROJECT

PASSWORD = "a long walk by the river"
# The server makes no backup by itself, so that the calls of an operation are its own.
_OF_TASKS = {"AUTO_BACKUP_ENABLED": "true", "AUTO_BACKUP_TIME": "00:00", "BACKUP_MAX_COUNT": "5"}
NAMES = re.compile(r"assistants_backup_\d{8}_\d{6}\.json")
# What an operation makes for its own use and takes away again.
PASSING = ("backups/.tmp-*", "snapshots/.tmp-*", ".incoming/scratch-*", ".incoming/*.upload", ".incoming/*.scratch*")


@dataclass(frozen=True)
class State:
    """What a person would call the contents; times are left out, so that it can be told beforehand."""

    # Of each assistant: title, status, version.
    assistants: dict[str, tuple[str, str, int]]
    revisions: Counter[str]
    trash: Counter[str]
    imports: int
    settings: dict[str, str]
    marks: dict[str, tuple[int, str | None]]
    files: frozenset[str]
    binned: frozenset[str]
    snapshots: int

    def catalogue(self) -> tuple[Any, ...]:
        """All but the files."""
        return self.assistants, self.revisions, self.trash, self.imports, self.settings, self.marks

    def differs_from(self, other: State) -> str:
        """What is another, in few words."""
        ours, theirs = vars(self), vars(other)
        return "; ".join(
            f"{name}: {list(dict(ours[name]).items() ^ dict(theirs[name]).items())[:6]}"
            if isinstance(ours[name], dict)
            else f"{name}: {ours[name]} instead of {theirs[name]}"
            for name in ("assistants", "revisions", "trash", "imports", "settings", "marks")
            if ours[name] != theirs[name]
        )

    def imported(self, records: Iterable[dict[str, Any]], *, is_all: bool = False) -> State:
        """This state after an import of these records."""
        after, revisions, trash = dict(self.assistants), Counter(self.revisions), Counter(self.trash)
        sent = {each["id"]: each for each in records}
        for id, each in sent.items():
            old = after.get(id)
            if old is None or old[0] != each["title"]:
                after[id] = (each["title"], old[1] if old else "draft", old[2] + 1 if old else 1)
                revisions[id] += 1
        for id in self.assistants.keys() - sent.keys() if is_all else ():
            del after[id]
            trash[id] += 1
            revisions[id] += 1
        return replace(self, assistants=after, revisions=revisions, trash=trash, imports=self.imports + 1)


@cache
def is_whole(path: Path, _size: int, _changed_at: int) -> bool:
    with path.open("rb") as file:
        return open_document(file).integrity is Integrity.RIGHT


def names_of(folder: Path) -> frozenset[str]:
    found = [path for path in folder.glob("*.json") if NAMES.fullmatch(path.name)] if folder.is_dir() else []
    torn = [path.name for path in found if not is_whole(path, path.stat().st_size, path.stat().st_mtime_ns)]
    assert not torn, torn
    return frozenset(path.name for path in found)


def look(data: Path, *, database: Path | None = None) -> State:
    """What lies in a data folder; `database` is looked at instead of the one in it."""
    with closing(sqlite3.connect(database or data / "assistants.db", timeout=30)) as connection:
        rows = lambda sql: connection.execute(sql).fetchall()  # noqa: E731
        return State(
            assistants={r[0]: r[1:] for r in rows("SELECT id, title, status, version FROM assistants")},
            revisions=Counter(r[0] for r in rows("SELECT assistant_id FROM aa_revision")),
            trash=Counter(r[0] for r in rows("SELECT assistant_id FROM aa_trash")),
            imports=rows("SELECT count(*) FROM aa_restore")[0][0],
            settings=dict(rows("SELECT name, value FROM aa_setting")),
            marks={r[0]: r[1:] for r in rows("SELECT name, is_pinned, note FROM aa_backup WHERE is_pinned")},
            files=names_of(data / "backups"),
            binned=names_of(data / "backups/.bin"),
            snapshots=len(list((data / "snapshots").glob("assistants_*.db"))),
        )


def look_after_crash(data: Path, scratch: Path) -> State:
    """What a start would find if the machine stopped now: the log is read anew, from the bytes alone."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for suffix in ("", "-wal"):
        path = data / f"assistants.db{suffix}"
        if path.exists():
            shutil.copyfile(path, scratch / path.name)
    found = look(data, database=scratch / "assistants.db")
    with closing(sqlite3.connect(scratch / "assistants.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return found


@dataclass
class Answer:
    """What somebody was told: whether it was done, the status, the words."""

    is_done: bool
    status: int
    words: str
    complaint: str = ""


@dataclass
class World:
    """A running site with a person signed in, a token, a few assistants and two backups."""

    site: Site
    storage: Storage = field(init=False)
    server: Server = field(init=False)
    client: httpx.Client = field(init=False)
    browser: httpx.Client = field(init=False)
    tasks: subprocess.Popen[str] | None = None
    token: str = ""
    count: int = 0

    def __post_init__(self) -> None:
        self.storage = Storage(self.site.data)

    def found(self) -> None:
        """Make what every operation needs."""
        self.site.flask("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
        self.token = self.site.token()
        self.start()
        for number in range(4):
            fields = {"id": f"ast_{number}", "title": "at first", "desc": "d", "emoji": "1", "prompt": "p" * 3000}
            assert self.client.post("/api/assistants", json=fields).status_code == 201
        assert self.back_up().is_done
        assert self.back_up().is_done

    def start(self) -> None:
        self.server = self.site.serve(launch=self.storage.launch)
        self.client = self.site.client(self.server, self.token)
        self.browser = httpx.Client(base_url=self.server.url, timeout=100)
        self.sign_in(self.browser)

    def stop(self) -> None:
        self.client.close()
        self.browser.close()
        if self.server.process.poll() is None:
            self.server.kill()
        if self.tasks is not None:
            self.tasks.kill()
            self.tasks.wait()
            self.tasks.stdin.close()
            self.tasks.stdout.close()
            self.tasks = None

    def keep(self) -> None:
        """Let what is there now be what `renew` goes back to."""
        self.stop()
        shutil.copytree(self.site.data, self.site.folder / "kept")
        self.start()

    def renew(self) -> None:
        self.stop()
        shutil.rmtree(self.site.data)
        shutil.copytree(self.site.folder / "kept", self.site.data)
        self.start()

    def look(self) -> State:
        return look(self.site.data)

    def next_number(self) -> int:
        self.count += 1
        return self.count

    def made_backup(self) -> str:
        """The name of a backup that was just made."""
        before = names_of(self.site.backups)
        assert self.back_up().is_done
        [name] = names_of(self.site.backups) - before
        return name

    def put_file(self) -> str:
        """The name of a file that somebody has put into the folder a while ago, and nobody has looked at."""
        name = f"assistants_backup_put_{self.next_number()}.json"
        path = self.site.backups / name
        path.write_text('[{"id": "a", "title": "t", "prompt": "p"}]', encoding="utf-8")
        os.utime(path, (time.time() - 600, time.time() - 600))
        return name

    def complaints_of_reading(self) -> list[str]:
        """Which of the ways to read what is there does not go on."""
        newest = max(names_of(self.site.backups))
        answers = {
            "the API": self.client.get("/api/assistants"),
            "the list": self.browser.get("/assistants"),
            "the backups": self.browser.get("/backups"),
            "a download": self.browser.get(f"/backups/{newest}/download"),
        }
        return [
            f"{name} cannot be read: {a.status_code} {told(a).words[:200]}"
            for name, a in answers.items()
            if a.status_code != 200
        ]

    def passing(self) -> list[str]:
        return [str(path.relative_to(self.site.data)) for each in PASSING for path in self.site.data.glob(each)]

    def clear_passing(self) -> None:
        """Take away what an earlier fault left, so that what comes now is of the next one."""
        for name in self.passing():
            (self.site.data / name).unlink()

    # What can be done, each telling what was answered.

    def call(self, method: str, path: str, **options: Any) -> Answer:
        """A call of the API; what is refused is refused in words."""
        answer = self.client.request(method, path, **options)
        if answer.is_success:
            return Answer(True, answer.status_code, answer.text[:300])
        error = answer.json()["error"]
        complaint = (
            "" if error["code"] == "SERVICE_UNAVAILABLE" and answer.status_code == 503 else "no refusal in words"
        )
        return Answer(False, answer.status_code, f"{error['code']} {error['message']}", complaint)

    def back_up(self) -> Answer:
        return self.call("POST", "/api/assistants/backup/create")

    def import_records(self, records: list[dict[str, Any]], mode: str) -> Answer:
        return self.call("POST", f"/api/assistants/backup/import?mode={mode}", json=records)

    def sign_in(self, browser: httpx.Client) -> Answer:
        page = browser.get("/sign-in")
        if page.status_code != 200:
            return told(page)
        fields = {"csrf_token": form_token(page), "username": "ada", "password": PASSWORD}
        answer = browser.post("/sign-in", data=fields)
        if answer.status_code != 303:
            return told(answer)
        return Answer(browser.get("/assistants").status_code == 200, 303, "")

    def post(self, path: str, **fields: Any) -> Answer:
        """Send a form of a page; done when it leads on."""
        page = self.browser.get("/import")
        if page.status_code != 200:
            return told(page)
        answer = self.browser.post(path, data={"csrf_token": form_token(page), **fields})
        return Answer(True, 303, answer.headers["location"]) if answer.status_code == 303 else told(answer)

    def upload(self, number: int) -> Answer:
        """Keep a file among the backups."""
        page = self.browser.get("/backups/upload")
        if page.status_code != 200:
            return told(page)
        content = (self.site.backups / max(names_of(self.site.backups))).read_bytes()
        fields, files = {"csrf_token": form_token(page)}, {"file": (f"mine {number}.json", content)}
        answer = self.browser.post("/backups/upload", data=fields, files=files)
        return Answer(True, 303, "") if answer.status_code == 303 else told(answer)

    def lead_through(self, path: str, query: str = "", **fields: Any) -> Answer:
        """Begin an import, restore or undo by its form, and apply what is then shown."""
        begun = self.post(path, **fields)
        if not begun.is_done:
            return begun
        deadline = time.monotonic() + 100
        address = begun.words + query
        while time.monotonic() < deadline:
            page = self.browser.get(address)
            if page.status_code != 200:
                return told(page)
            seen = BeautifulSoup(page.text, "html.parser")
            if seen.select_one(f"a[href='/import/{address.split('/')[2].split('?')[0]}/records.csv']"):
                return Answer(True, 200, "")
            form = seen.select_one("form[action$='/apply']")
            if form is None and (link := seen.select_one("#import-bar a.primary")):
                asked = self.browser.get(link["href"])
                if asked.status_code != 200:
                    return told(asked)
                form = BeautifulSoup(asked.text, "html.parser").select_one("form[action$='/apply']")
            if form is not None:
                sent = {each["name"]: each.get("value", "") for each in form.select("input[name]")}
                answer = self.browser.post(form["action"], data=sent)
                if answer.status_code != 303:
                    return told(answer)
                address = answer.headers["location"]
            elif not seen.select("[data-poll]:not(#safety-pill)"):
                return Answer(False, 200, words(seen.select_one("main")))
            time.sleep(0.05)
        raise AssertionError(f"{address} did not end in time")

    def task(self, name: str) -> Answer:
        """A scheduled task, in a process of its own."""
        if self.tasks is None:
            self.tasks = self.storage.launch(
                [sys.executable, "-m", "tests.faults.tasks"],
                cwd=PROJECT,
                env=self.site.environment() | _OF_TASKS,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self.tasks.stdout.readline() == "ready\n"
        self.tasks.stdin.write(f"{name}\n")
        self.tasks.stdin.flush()
        outcome = json.loads(self.tasks.stdout.readline())
        return Answer(
            not outcome["words"] and "traceback" not in outcome, 0, outcome["words"], outcome.get("traceback", "")
        )


def words(node: BeautifulSoup) -> str:
    return " ".join(node.get_text(" ").split())


def told(answer: httpx.Response) -> Answer:
    """The words of a page that refuses."""
    seen = BeautifulSoup(answer.text, "html.parser")
    complaint = "" if answer.status_code == 503 else "no refusal in words"
    return Answer(False, answer.status_code, words(seen.select_one("main") or seen), complaint)


def form_token(page: httpx.Response) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
