"""A large catalogue through the real server: times, peak memory, a second reader meanwhile, cancelling half-way.

`python benchmarks/large.py [COUNT]` starts the server on a free port with a data folder of its own under the system's
temporary folder, and prints one line per measurement. Needs Linux (`/proc`).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable


class Server:
    """The program as a process of its own over a data folder."""

    def __init__(self, folder: Path, *, patience_seconds: float = 60) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environment = os.environ | {
            "DATABASE_PATH": str(folder / "assistants.db"),
            "DATABASE_BACKUP_DIR": str(folder / "backups"),
            "LOG_DIR": str(folder / "logs"),
            "PORT": str(self.port),
            "AUTO_BACKUP_ENABLED": "false",
            "ADMIN_USERNAME": "bench",
            "ADMIN_PASSWORD": "a bench password 42",
        }
        self.process = subprocess.Popen(
            [PYTHON, "wsgi.py"], cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait(patience_seconds)
        made = subprocess.run(
            [PYTHON, "-m", "flask", "token", "add", "bench", "--role", "admin"],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.token = made.stdout.strip()

    def _wait(self, seconds: float) -> None:
        for _ in range(int(20 * seconds)):
            try:
                if self.call("GET", "/healthz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the server did not start")

    def call(self, method: str, path: str, body: Path | None = None) -> tuple[int, bytes]:
        """One request, its body streamed from a file; the status and the whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1800)
        headers = {"Authorization": f"Bearer {getattr(self, 'token', '')}"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(body.stat().st_size)}
        with body.open("rb") if body else open(os.devnull, "rb") as content:
            connection.request(method, path, body=content if body else None, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def memory_mb(self, name: str = "VmHWM") -> float:
        """The process' peak (VmHWM) or present (VmRSS) resident memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000

    def processor(self) -> float:
        """The seconds of the processor that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reset_peak(self) -> float:
        """Forget the peak so far; what the process needs now is the idle figure."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.memory_mb("VmRSS")

    def stop(self) -> None:
        """End the process."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def timed(server: Server, what: str, method: str, path: str, body: Path | None = None) -> tuple[int, bytes]:
    """Make a call and print how long it took and by how much memory rose above idle."""
    idle = server.reset_peak()
    begun = time.perf_counter()
    status, answer = server.call(method, path, body)
    seconds = time.perf_counter() - begun
    print(f"{what}: {status}, {seconds:.1f} s, peak {server.memory_mb() - idle:.0f} MB above {idle:.0f} MB idle")
    return status, answer


def record_lines(document: bytes) -> str:
    """A checksum of the lines of the records."""
    begin, end = document.index(b'"assistants": ['), document.rindex(b"\n]")
    return hashlib.sha256(document[begin:end]).hexdigest()


def signed_in(server: Server) -> urllib.request.OpenerDirector:
    """A browser's session, made by the sign-in form."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    base = f"http://127.0.0.1:{server.port}"
    form = browser.open(f"{base}/sign-in").read().decode()
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    fields = {"csrf_token": token[1] if token else "", "username": "bench", "password": "a bench password 42"}
    browser.open(f"{base}/sign-in", urllib.parse.urlencode(fields).encode()).read()
    return browser


def read_meanwhile(server: Server, browser: urllib.request.OpenerDirector, done: threading.Event) -> list[float]:
    """Load the list as a second client until `done`; seconds of each load."""
    seconds = []
    while not done.is_set():
        begun = time.perf_counter()
        with browser.open(f"http://127.0.0.1:{server.port}/assistants") as answer:
            answer.read()
        seconds.append(time.perf_counter() - begun)
        done.wait(0.2)
    return seconds


def main() -> None:
    """Run the measurements and print them."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    folder = Path(tempfile.mkdtemp(prefix="large-"))
    document = folder / "catalogue.json"
    subprocess.run([PYTHON, "benchmarks/generate.py", str(count), str(document)], cwd=ROOT, check=True)
    print(f"{count} assistants, {document.stat().st_size / 1e6:.0f} MB")
    server = Server(folder)
    try:
        measure(server, document)
    finally:
        server.stop()
        shutil.rmtree(folder)


def measure(server: Server, document: Path) -> None:
    """Import, export, import again, cancel half-way."""
    browser = signed_in(server)
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_meanwhile, server, browser, done)
        _, answer = timed(server, "import", "POST", "/api/assistants/backup/import", document)
        done.set()
        seconds = reading.result()
    counts = json.loads(answer)["data"]
    print({name: counts[name] for name in ("created", "updated", "unchanged", "safetyBackup")})
    print(f"list meanwhile: {len(seconds)} loads, slowest {max(seconds):.2f} s")
    _, first = timed(server, "export", "GET", "/api/assistants/backup/export")
    lines = record_lines(first)
    _, answer = timed(server, "import of the same again", "POST", "/api/assistants/backup/import", document)
    counts = json.loads(answer)["data"]
    print({name: counts[name] for name in ("created", "updated", "unchanged", "safetyBackup")})
    _, second = server.call("GET", "/api/assistants/backup/export")
    print("record lines of both exports equal:", record_lines(second) == lines)
    cancel_half_way(server, browser, document)
    _, third = server.call("GET", "/api/assistants/backup/export")
    print("record lines after the cancelled import equal:", record_lines(third) == lines)


def cancel_half_way(server: Server, browser: urllib.request.OpenerDirector, document: Path) -> None:
    """Import a file in which every title differs, cancel when half of it is written, see when writing works again."""
    changed = document.with_name("changed.json")
    with document.open(encoding="utf-8") as old, changed.open("w", encoding="utf-8") as new:
        for line in old:
            new.write(line.replace('"title": "', '"title": "changed ', 1))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.call, "POST", "/api/assistants/backup/import", changed)
        job = half_written(server)
        form = browser.open(f"http://127.0.0.1:{server.port}/jobs/{job}").read().decode()
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        fields = urllib.parse.urlencode({"csrf_token": token[1] if token else ""}).encode()
        begun = time.perf_counter()
        browser.open(f"http://127.0.0.1:{server.port}/jobs/{job}/cancel", fields).read()
        with sqlite3.connect(server.environment["DATABASE_PATH"], timeout=60, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            print(f"cancelled: write lock free after {time.perf_counter() - begun:.2f} s")
            other.execute("ROLLBACK")
        status, answer = running.result()
    print(status, json.loads(answer)["error"]["message"])


def half_written(server: Server) -> str:
    """Wait until the running import has written half of its changes; the number of its task."""
    path = Path(server.environment["DATABASE_PATH"]).with_name("runtime.db")
    runtime = sqlite3.connect(path)
    while True:
        row = runtime.execute(
            "SELECT id FROM jobs WHERE state = 'running' AND phase = 'importing' AND done >= total / 2"
        ).fetchone()
        if row:
            return str(row[0])
        time.sleep(0.05)


if __name__ == "__main__":
    main()
