"""How long 8 clients wait while a backup is made, and without one: `python benchmarks/meanwhile.py [COUNT [ROUNDS]]`.

The catalogue has COUNT (100,000) assistants of 2.5 kB. Each client reads one or the newest, or changes one, and asks
again as soon as it has its answer. In each of the ROUNDS (3) a backup is made, and then the clients go on for as long
without one. Needs Linux.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backups import fill
from large import Server

_CLIENTS = 8
_ACTS = ("get", "get", "get", "list", "update")
Waits = dict[str, list[float]]


class Clients:
    """What waits there were, by kind of call, in the phase that is on."""

    def __init__(self, server: Server, count: int) -> None:
        self._server, self._count = server, count
        self._done = threading.Event()
        self.waits: Waits = defaultdict(list)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let all of them work meanwhile."""
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(_CLIENTS)]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self._done.set()
            for each in threads:
                each.join()

    def _work(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 (which one is read, no secret)
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=120)
        while not self._done.is_set():
            act = chance.choice(_ACTS)
            # Each client changes its own, so that no change refuses another.
            path = f"/api/assistants/ast_{chance.randrange(self._count // _CLIENTS) * _CLIENTS + number:07}"
            if act == "list":
                path = "/api/assistants?pageSize=20"
            if act == "update":
                record = json.loads(self._ask(connection, "GET", path))["data"]
                change = json.dumps(
                    {"version": record["version"], "title": f"{record['title'][:60]} {chance.random()}"}
                )
            begun = time.perf_counter()
            self._ask(connection, "PUT", path, change) if act == "update" else self._ask(connection, "GET", path)
            self.waits[act].append(time.perf_counter() - begun)

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._server.token}", "Content-Type": "application/json"}
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text


def main() -> None:
    """Run the rounds and print the waits of both phases."""
    count, rounds = ([int(each) for each in sys.argv[1:]] + [100_000, 3][len(sys.argv) - 1 :])[:2]
    os.environ["RATE_LIMIT_MAX_REQUESTS"] = "0"
    folder = Path(tempfile.mkdtemp(prefix="meanwhile-"))
    try:
        fill(folder / "assistants.db", folder / "changed.json", count, 380)
        server = Server(folder, patience_seconds=3600)
        try:
            measure(server, count, rounds)
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def measure(server: Server, count: int, rounds: int) -> None:
    """Take turns: a backup and the same time without one."""
    clients = Clients(server, count)
    phases: dict[str, Waits] = {"with a backup": defaultdict(list), "without": defaultdict(list)}
    with clients.working():
        for _ in range(rounds):
            clients.waits = phases["with a backup"]
            begun = time.perf_counter()
            status, _answer = server.call("POST", "/api/assistants/backup/create")
            seconds = time.perf_counter() - begun
            print(f"backup: {status}, {seconds:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
            clients.waits = phases["without"]
            time.sleep(seconds)
    print("| ms | calls | p50 | p95 | slowest |\n| --- | --- | --- | --- | --- |")
    for phase, waits in phases.items():
        for act, seconds in sorted(waits.items()):
            ms = sorted(1000 * each for each in seconds)
            p95 = statistics.quantiles(ms, n=20)[-1]
            print(f"| {act}, {phase} | {len(ms)} | {statistics.median(ms):.0f} | {p95:.0f} | {ms[-1]:.0f} |")


if __name__ == "__main__":
    main()
