"""What backups and restores cost beside SQLite's own tools: `python benchmarks/backups.py [COUNT [WORDS]]`.

COUNT (100,000) assistants, each with a prompt of WORDS (380) words, lie in a database of the earlier system and go
through the real server: opened, backed up, exported, planned, restored, verified. Each line says the time, the
processor time and by how much memory rose above that of the idle server; beside it stand the sqlite3 shell and SQLite's
backup API on the same database. Needs Linux.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generate import records
from large import Server, signed_in

_CHUNK = 1024 * 1024
EARLIER = """
CREATE TABLE assistants (id TEXT PRIMARY KEY, title TEXT NOT NULL, desc TEXT NOT NULL, emoji TEXT NOT NULL,
    prompt TEXT NOT NULL, tags TEXT, is_public INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'draft',
    author TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT, reviewed_at TEXT, published_at TEXT,
    review_note TEXT, version INTEGER DEFAULT 1);
CREATE TABLE backups (id INTEGER PRIMARY KEY AUTOINCREMENT, filename TEXT NOT NULL, created_at TEXT NOT NULL,
    record_count INTEGER NOT NULL, file_size INTEGER NOT NULL, is_auto INTEGER NOT NULL DEFAULT 0);
CREATE TABLE migrations (id INTEGER PRIMARY KEY, version TEXT NOT NULL UNIQUE, applied_at TEXT NOT NULL,
    description TEXT);
"""


@dataclass(slots=True)
class Cost:
    """What one piece of work took: seconds by the clock, seconds of the processor, memory above idle."""

    seconds: float = 0
    processor: float = 0
    peak_mb: float | None = None

    def __str__(self) -> str:
        memory = "" if self.peak_mb is None else f", peak {self.peak_mb:.0f} MB above idle"
        return f"{self.seconds:.1f} s, {self.processor:.1f} s of the processor{memory}"


class Meter:
    """Measures what the server does; idle is what it needed after its first answers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        for path in ("/api/assistants", "/api/health", "/api/assistants/backup/list"):
            server.call("GET", path)
        self.idle_mb = server.memory_mb("VmRSS")
        print(f"idle: {self.idle_mb:.0f} MB", flush=True)

    @contextmanager
    def cost(self, what: str) -> Iterator[Cost]:
        """Measure the block, and print it under this name."""
        self.server.reset_peak()
        found, begun, processor = Cost(), time.perf_counter(), self.server.processor()
        yield found
        found.seconds, found.processor = time.perf_counter() - begun, self.server.processor() - processor
        found.peak_mb = self.server.memory_mb() - self.idle_mb
        print(f"{what}: {found}", flush=True)


def beside(what: str, work: Callable[[], Any]) -> Cost:
    """Measure what a tool of SQLite's does, in this process or a child."""
    before, begun = _own_processor(), time.perf_counter()
    work()
    found = Cost(time.perf_counter() - begun, _own_processor() - before)
    print(f"  {what}: {found}", flush=True)
    return found


def _own_processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def ratio(what: str, ours: Cost, theirs: Cost) -> None:
    """Print how many times as long as the other ours took."""
    print(
        f"  {what}: {ours.seconds / theirs.seconds:.1f} times by the clock, "
        f"{ours.processor / theirs.processor:.1f} by the processor",
        flush=True,
    )


def main() -> None:
    """Run the measurements in a folder of their own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    words = sys.argv[2] if len(sys.argv) > 2 else "380"
    # Asking each moment whether a task has ended is not what is measured.
    os.environ |= {"RATE_LIMIT_MAX_REQUESTS": "0", "MAX_UPLOAD_SIZE": str(2**34)}
    folder = Path(tempfile.mkdtemp(prefix="backups-"))
    try:
        (folder / "old").mkdir()
        changed = folder / "changed.json"
        fill(folder / "old" / "assistants.db", changed, count, int(words))
        size = (folder / "old" / "assistants.db").stat().st_size
        print(f"{count} assistants, {size / 1e6:.0f} MB, load {os.getloadavg()[0]:.1f}", flush=True)
        backup, told = measure(folder, changed)
        for each in folder.iterdir():
            if each != backup:
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        recover(folder / "new", backup, told)
        print(f"load at the end {os.getloadavg()[0]:.1f}")
    finally:
        shutil.rmtree(folder)


_COLUMNS = (
    *("id", "title", "desc", "emoji", "prompt", "tags", "isPublic", "status", "author", "createdAt", "updatedAt"),
    *("reviewedAt", "publishedAt", "reviewNote", "version"),
)


def fill(database: Path, changed: Path, count: int, words: int) -> None:
    """Write the rows as the earlier system does, and a file in which a tenth differs and a twentieth is new."""
    with sqlite3.connect(database) as old, changed.open("w", encoding="utf-8") as file:
        old.executescript(EARLIER)
        file.write(f'{{"version": "1.0", "exportedAt": "2026-01-15T10:30:00.000Z", "count": {count}, "assistants": [\n')
        for number, record in enumerate(records(count, words)):
            row = [record.get(name) for name in _COLUMNS]
            row[5] = json.dumps(record["tags"], ensure_ascii=False)
            old.execute(f"INSERT INTO assistants VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 (question marks)
            if number % 10 == 1:
                record["title"] = f"changed {record['title']}"
            elif number % 20 == 2:
                record["id"] = f"new_{number}"
            file.write(("," if number else "") + json.dumps(record, ensure_ascii=False) + "\n")
        file.write("]}\n")


def measure(folder: Path, changed: Path) -> tuple[Path, float]:
    """Everything that is done with a filled catalogue; a backup of it, and how long its restore is said to take."""
    data, begun = folder / "old", time.perf_counter()
    server = Server(data, patience_seconds=7200)
    try:
        print(
            f"first opening: {time.perf_counter() - begun:.1f} s, {server.processor():.1f} s of the processor",
            flush=True,
        )
        meter = Meter(server)
        database = data / "assistants.db"
        size = sum(each.stat().st_size for each in data.glob("assistants.db*"))
        print(f"database with its log: {size / 1e6:.0f} MB", flush=True)
        with meter.cost("back up, with proof") as ours:
            _, answer = server.call("POST", "/api/assistants/backup/create")
        row = json.loads(answer)["data"]
        backup = data / "backups" / row["filename"]
        copied = beside("SQLite's backup API", lambda: copy_database(database, folder / "copy.db"))
        checked = beside("integrity_check of that copy", lambda: check_database(folder / "copy.db"))
        ratio("backup with proof / backup API with check", ours, both(copied, checked))
        (folder / "copy.db").unlink()
        with meter.cost("export") as ours:
            save(server, folder / "export.json")
        whole = beside(".dump", lambda: shell(database, ".dump", folder / "whole.sql"))
        (folder / "whole.sql").unlink()
        table = beside(".dump assistants", lambda: shell(database, ".dump assistants", folder / "table.sql"))
        ratio("export / .dump", ours, whole)
        ratio("export / .dump assistants", ours, table)
        for mode in ("merge", "replace"):
            with meter.cost(f"plan, {mode}"):
                _import(server, changed, f"?mode={mode}&dryRun=true")
        with meter.cost("restore, merge (a tenth changed, a twentieth new)"):
            _import(server, changed)
        with meter.cost("restore, replace (the same back)"):
            _import(server, backup, "?mode=replace")
        with meter.cost("verify"):
            verify(server, backup.name)
        beside("sqlite3 reads .dump assistants", lambda: read_back(folder / "table.sql", folder / "back.db"))
    finally:
        server.stop()
    return backup.rename(folder / backup.name), row["restoreSeconds"]


def recover(data: Path, backup: Path, told: float) -> None:
    """Restore the backup into an empty catalogue, and compare with what was told."""
    data.mkdir()
    server = Server(data, patience_seconds=7200)
    try:
        with Meter(server).cost("restore into an empty catalogue") as taken:
            _import(server, backup)
    finally:
        server.stop()
    print(f"told {told:.1f} s, taken {taken.seconds:.1f} s ({told / taken.seconds:.2f})", flush=True)


def both(one: Cost, other: Cost) -> Cost:
    """The two after each other."""
    return Cost(one.seconds + other.seconds, one.processor + other.processor)


def _import(server: Server, document: Path, query: str = "") -> None:
    status, answer = server.call("POST", f"/api/assistants/backup/import{query}", document)
    if status != 200:
        raise SystemExit(f"{status}: {answer[:500]!r}")
    counts = json.loads(answer)["data"]
    print("  ", {name: counts[name] for name in ("created", "updated", "unchanged", "deleted", "safetyBackup")})


def save(server: Server, target: Path) -> None:
    """Download an export."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    path, headers = "/api/assistants/backup/export", {"Authorization": f"Bearer {server.token}"}
    connection.request("GET", path, headers=headers)
    with connection.getresponse() as answer, target.open("wb") as file:
        shutil.copyfileobj(answer, file, _CHUNK)
    target.unlink()


def verify(server: Server, name: str) -> None:
    """Have a backup proved again, as its page does, and wait for the end."""
    browser, base = signed_in(server), f"http://127.0.0.1:{server.port}"
    form = browser.open(f"{base}/backups/{name}").read().decode()
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    answer = browser.open(f"{base}/backups/{name}/verify", f"csrf_token={token[1] if token else ''}".encode())
    job = answer.geturl().rpartition("/jobs/")[2]
    while "/jobs/" in answer.geturl():
        time.sleep(0.1)
        state = json.loads(server.call("GET", f"/api/jobs/{job}")[1])["data"]["state"]
        if state not in ("waiting", "running"):
            print("  ", state)
            return


def copy_database(source: Path, target: Path) -> None:
    """SQLite's backup API, and the copy on the disk."""
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def check_database(path: Path) -> None:
    """SQLite's own check."""
    found = sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone()
    assert found == ("ok",), found  # noqa: S101 (a measurement of a broken file is none)


def shell(database: Path, command: str, target: Path) -> None:
    """A command of the sqlite3 shell, what it prints into a file; the same by Python where there is no shell."""
    if program := shutil.which("sqlite3"):
        with target.open("wb") as out:
            subprocess.run([program, database, command], stdout=out, check=True)
        return
    print("  (no sqlite3 shell here: Python's iterdump, of everything)")
    with target.open("w", encoding="utf-8") as text:
        text.writelines(f"{line}\n" for line in sqlite3.connect(database).iterdump())


def read_back(script: Path, target: Path) -> None:
    """Make a database from a dump."""
    if program := shutil.which("sqlite3"):
        with script.open("rb") as text:
            subprocess.run([program, target], stdin=text, check=True, stdout=subprocess.DEVNULL)
        return
    with sqlite3.connect(target) as other:
        other.executescript(script.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
