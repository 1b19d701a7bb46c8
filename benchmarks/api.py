"""Each call of the API beside the same call of a small Node server: 10,000 assistants, 8 clients, p50 and p95.

`NODE=/path/to/node python benchmarks/api.py [COUNT]` starts both servers on free ports, each with a database of its own
that holds the same records, and sends both the same calls in turns: a round here, the same round there, so that
whatever else the machine does falls on both. Node needs `node:sqlite` (22.5 or newer) or better-sqlite3; without it
only this program is measured. A call is timed from its first byte to the last of its answer. The rate limit is off,
unless RATE_LIMIT_MAX_REQUESTS says otherwise. Needs Linux (`/proc`).
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from large import PYTHON, ROOT, Server

CLIENTS = 8
ROUNDS = 4
PATH = "/api/assistants"
# The first round fills caches on both sides and does not count.
_COUNTED_FROM = 1

_SCHEMA = """
CREATE TABLE assistants (id TEXT PRIMARY KEY, title TEXT NOT NULL, desc TEXT NOT NULL, emoji TEXT NOT NULL,
  prompt TEXT NOT NULL, tags TEXT, is_public INTEGER NOT NULL, status TEXT NOT NULL, author TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT, reviewed_at TEXT, published_at TEXT, review_note TEXT,
  version INTEGER NOT NULL);
CREATE INDEX idx_status ON assistants(status);
CREATE INDEX idx_author ON assistants(author);
CREATE INDEX idx_created ON assistants(created_at DESC, id);
CREATE TABLE revision (number INTEGER PRIMARY KEY AUTOINCREMENT, assistant_id TEXT NOT NULL, version INTEGER,
  created_at TEXT NOT NULL, actor TEXT NOT NULL, fields TEXT NOT NULL, is_deletion INTEGER NOT NULL,
  record TEXT NOT NULL);
CREATE INDEX idx_revision ON revision(assistant_id, number);
CREATE TABLE trash (number INTEGER PRIMARY KEY AUTOINCREMENT, assistant_id TEXT NOT NULL, title TEXT NOT NULL,
  deleted_at TEXT NOT NULL, record TEXT NOT NULL);
"""


@dataclass
class Target:
    """A server under measurement: how to reach it, the cursors of its list, and the seconds of each call."""

    name: str
    port: int
    token: str
    cursors: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        """The bytes of a request."""
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return head.encode() + b"\r\n" + content

    def call(self, method: str, path: str) -> Any:
        """One call by one client; its `data`."""
        _, _, body = next(answers(self.port, [self.request(method, path)], clients=1))
        return json.loads(body)["data"]


@dataclass(frozen=True, slots=True)
class Call:
    """A kind of call: how it is made for the n-th time in all, how often a round, and the status it has."""

    name: str
    make: Callable[[Target, int], bytes]
    status: int = 200
    times: int = 80
    clients: int = CLIENTS


CALLS = (
    Call("list, first page", lambda to, _n: to.request("GET", PATH)),
    Call("list, search", lambda to, _n: to.request("GET", f"{PATH}?search=%E5%AE%A1%E6%9F%A5%20%E6%B5%8B%E8%AF%95")),
    Call("list, by cursor", lambda to, n: to.request("GET", f"{PATH}?cursor={to.cursors[n % len(to.cursors)]}")),
    Call("get", lambda to, n: to.request("GET", f"{PATH}/ast_{7000 + n % 500:07}")),
    Call("create", lambda to, n: to.request("POST", PATH, NEW | {"title": f"New {n}"}), 201),
    Call("update", lambda to, n: to.request("PUT", f"{PATH}/ast_{n:07}", {"title": f"T {n}", "version": 1 + n % 9})),
    Call("status", lambda to, n: _submit(to, 2001 + 6 * n)),
    Call("delete", lambda to, n: to.request("DELETE", f"{PATH}/ast_{6000 + n:07}")),
    Call("export", lambda to, _n: to.request("GET", f"{PATH}/backup/export"), times=2, clients=1),
)
NEW: dict[str, Any] = {}
_LEAST_COUNT = 7500


def _submit(to: Target, number: int) -> bytes:
    """Every sixth record that `generate` makes is a draft, from the fourth."""
    body = {"status": "pending", "version": 1 + number % 9}
    return to.request("PATCH", f"{PATH}/ast_{number:07}/status", body)


def answers(port: int, requests: Iterable[bytes], *, clients: int) -> Iterator[tuple[float, int, bytes]]:
    """Send the requests over so many connections, each waiting for its answer; seconds, status and body of each."""
    pending = iter(requests)
    ready = selectors.DefaultSelector()
    for _ in range(clients):
        client = _Client(port)
        if client.send_next(pending):
            ready.register(client.socket, selectors.EVENT_READ, client)
    while ready.get_map():
        for key, _ in ready.select():
            client = key.data
            answer = client.receive()
            if answer is None:
                continue
            yield answer
            if not client.send_next(pending):
                ready.unregister(client.socket)
                client.socket.close()


class _Client:
    """One connection. All share one thread: threads of one process would wait for each other inside the measurement."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_next(self, pending: Iterator[bytes]) -> bool:
        """Send the next request; False when none is left."""
        request = next(pending, None)
        if request is None:
            return False
        self.received = bytearray()
        self.began = time.perf_counter()
        self.socket.sendall(request)
        return True

    def receive(self) -> tuple[float, int, bytes] | None:
        """Read what came; seconds, status and body once the answer is whole."""
        part = self.socket.recv(1 << 20)
        if not part:
            raise SystemExit("a server closed a connection in the middle of an answer")
        self.received += part
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.received[:end]).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self.received) < end + 4 + length:
            return None
        return time.perf_counter() - self.began, int(head.split(b" ", 2)[1]), bytes(self.received[end + 4 :])


def find_node() -> str | None:
    """A Node that has one of the two SQLite packages; None, after saying so, when there is none."""
    node = os.environ.get("NODE") or shutil.which("node")
    asked = "try { require('node:sqlite') } catch { require('better-sqlite3') }"
    if node and subprocess.run([node, "-e", asked], capture_output=True, cwd=ROOT, check=False).returncode == 0:
        return node
    print(f"{node or 'node'} has neither node:sqlite (Node 22.5 or newer) nor better-sqlite3; name another with NODE=…")
    print("Only this program is measured.")
    return None


def start_node(node: str, folder: Path, records: list[dict[str, Any]]) -> tuple[Target, subprocess.Popen[str]]:
    """The Node server over a database that holds the same records."""
    path, token = folder / "node.db", "a token of the measurement"
    with sqlite3.connect(path) as connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO assistants VALUES (:id, :title, :desc, :emoji, :prompt, :tags, :isPublic, :status, :author,"
            " :createdAt, :updatedAt, NULL, NULL, NULL, :version)",
            ({**record, "tags": json.dumps(record["tags"], ensure_ascii=False)} for record in records),
        )
    connection.close()
    program = ROOT / "benchmarks" / "node_server.mjs"
    process = subprocess.Popen(
        [node, program, path, token], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None  # noqa: S101 (for mypy: it was asked for)
    return Target("Node", int(process.stdout.readline()), token), process


def collect_cursors(target: Target, most: int = 200) -> None:
    """The cursors of the first pages of the list, as far apart as its pages are."""
    cursor = ""
    while len(target.cursors) < most:
        cursor = target.call("GET", f"{PATH}?pageSize=20&cursor={cursor}")["nextCursor"]
        if not cursor:
            return
        target.cursors.append(cursor)


def run_round(target: Target, call: Call, number: int) -> None:
    """One round of one kind of call, its seconds kept unless it is the warm-up."""
    first = number * call.times
    made = [call.make(target, n) for n in range(first, first + call.times)]
    for seconds, status, body in answers(target.port, made, clients=call.clients):
        if status != call.status:
            raise SystemExit(f"{target.name}, {call.name}: {status} {body[:300].decode()}")
        if number >= _COUNTED_FROM:
            target.seconds.setdefault(call.name, []).append(seconds)


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile, in milliseconds."""
    return statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=20)[-1] * 1000


def show(targets: list[Target]) -> None:
    """The table of the results."""
    heads = [f"{target.name} {which}" for target in targets for which in ("p50", "p95")]
    ratios = ["ratio p50", "ratio p95"] if len(targets) > 1 else []
    print("| ms | " + " | ".join(heads + ratios) + " |\n|" + " --- |" * (1 + len(heads + ratios)))
    for call in CALLS:
        figures = [percentiles(target.seconds[call.name]) for target in targets]
        cells = [f"{figure:.1f}" for pair in figures for figure in pair]
        cells += [f"{mine / other:.1f}" for mine, other in zip(*figures, strict=True)] if ratios else []
        print(f"| {call.name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Start both, measure in turns, print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    if count < _LEAST_COUNT:
        raise SystemExit(f"The calls touch {_LEAST_COUNT} assistants; name a higher number.")
    os.environ.setdefault("RATE_LIMIT_MAX_REQUESTS", "0")
    folder = Path(tempfile.mkdtemp(prefix="api-"))
    document = folder / "catalogue.json"
    subprocess.run([PYTHON, "benchmarks/generate.py", str(count), str(document)], cwd=ROOT, check=True)
    records = json.loads(document.read_bytes())["assistants"]
    NEW.update({name: records[0][name] for name in ("desc", "emoji", "prompt", "tags")})
    server = Server(folder)
    processes = []
    try:
        status, answer = server.call("POST", f"{PATH}/backup/import", document)
        if status != 200:
            raise SystemExit(answer.decode())
        targets = [Target("ours", server.port, server.token)]
        node = find_node()
        if node:
            target, process = start_node(node, folder, records)
            processes.append(process)
            targets.append(target)
        measure(targets, count)
    finally:
        server.stop()
        for process in processes:
            process.terminate()
            process.wait(20)
        shutil.rmtree(folder)


def measure(targets: list[Target], count: int) -> None:
    """All rounds on each target in turn, then the table."""
    for target in targets:
        collect_cursors(target)
    for number in range(ROUNDS):
        for call in CALLS:
            for target in targets:
                run_round(target, call, number)
    print(f"\n{count} assistants, {CLIENTS} clients, {os.cpu_count()} cores\n")
    show(targets)


if __name__ == "__main__":
    main()
