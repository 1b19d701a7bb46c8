"""Many backups in the folder: `python benchmarks/history.py [COUNT]`.

COUNT (10,000) small backups, three a day: the median time of each page, call and command that shows them, by the clock
and of the processor, and how far memory rises above the idle server's. Needs Linux.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import OpenerDirector

from large import PYTHON, ROOT, Server, signed_in

_ROUNDS = 5
_PAGES = ("/", "/backups", "/backups?kind=safety", "/health", "/assistants", "/import")
_COMMANDS = (("backup", "list"), ("backup", "prune", "--dry-run"), ("doctor",))


def main() -> None:
    """Fill a folder and ask for everything that lists it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    os.environ["RATE_LIMIT_MAX_REQUESTS"] = "0"
    folder = Path(tempfile.mkdtemp(prefix="history-"))
    try:
        server = Server(folder)
        try:
            browser = signed_in(server)
            measure(server, browser, "with no backup")
            fill(server, folder / "backups", count)
            begun = time.perf_counter()
            server.call("GET", "/api/assistants/backup/list")
            print(f"first look at {count} files: {time.perf_counter() - begun:.1f} s", flush=True)
            measure(server, browser, f"with {count} backups")
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def fill(server: Server, backups: Path, count: int) -> None:
    """Make one backup, and write it again with the time of every eighth hour before it."""
    _, answer = server.call("POST", "/api/assistants/backup/create")
    text = (backups / json.loads(answer)["data"]["filename"]).read_text()
    head, rest = text.split('"timestamp": "')
    _, rest = rest.split('"', 1)
    now = datetime.now(UTC)
    for number in range(1, count):
        moment = now - timedelta(hours=8 * number)
        body = f'{head}"timestamp": "{moment:%Y-%m-%dT%H:%M:%S.000Z}"{rest}'
        (backups / f"assistants_backup_{moment:%Y%m%d_%H%M%S}.json").write_text(body)


def measure(server: Server, browser: OpenerDirector, what: str) -> None:
    """Print the median of each, in milliseconds."""
    print(f"{what}, load {os.getloadavg()[0]:.1f}")
    idle = server.reset_peak()
    for path in _PAGES:
        told(path, server, lambda path=path: browser.open(f"http://127.0.0.1:{server.port}{path}").read())
    for path in ("/api/assistants/backup/list", "/api/health"):
        told(path, server, lambda path=path: server.call("GET", path)[1])
    print(f"peak {server.memory_mb() - idle:.0f} MB above {idle:.0f} MB", flush=True)
    for command in _COMMANDS:
        told(f"flask {' '.join(command)}", None, lambda command=command: run(server, *command), rounds=2)


def run(server: Server, *command: str) -> bytes:
    """A command over the same data."""
    command_line = [PYTHON, "-m", "flask", *command]
    return subprocess.run(command_line, cwd=ROOT, env=server.environment, stdout=subprocess.PIPE, check=False).stdout


def told(what: str, server: Server | None, work: Callable[[], bytes], *, rounds: int = _ROUNDS) -> None:
    """Do it some times; the median, and the size of the answer."""
    seconds, processor, answer = [], [], b""
    for _ in range(rounds):
        begun, used = time.perf_counter(), used_by(server)
        answer = work()
        seconds.append(time.perf_counter() - begun)
        processor.append(used_by(server) - used)
    by_clock, by_processor = (1000 * statistics.median(each) for each in (seconds, processor))
    print(f"{what}: {by_clock:.0f} ms, {by_processor:.0f} ms of the processor, {len(answer) / 1000:.0f} kB", flush=True)


def used_by(server: Server | None) -> float:
    """The processor seconds of the server, or of the commands that were run."""
    if server is not None:
        return server.processor()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
