"""A site as people run it: the real server in processes of its own, its command line, and clients over HTTP."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.contract import check_httpx
from webadmin.config import PROJECT

FLASK = Path(sys.executable).with_name("flask")


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)
        self.process.stdout.close()

    def cpu_seconds(self) -> float:
        """The time that its process has worked so far."""
        spent = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kilobytes(self, name: str = "VmHWM") -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(rf"{name}:\s+(\d+)", status)[1])


@dataclass
class Site:
    """A data folder, the settings that point to it, and whatever runs on it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def backups(self) -> Path:
        return self.data / "backups"

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DATABASE_PATH": str(self.data / "assistants.db"),
            "DATABASE_BACKUP_DIR": str(self.backups),
            "LOG_DIR": str(self.folder / "logs"),
            "TIMEZONE": "UTC",
            "PORT": "0",
            "AUTO_BACKUP_ENABLED": "false",
            "RATE_LIMIT_MAX_REQUESTS": "0",
            **self.settings,
        }

    def flask(self, *arguments: str, stdin: str | None = None, ok: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [FLASK, *arguments],
            cwd=PROJECT,
            env=self.environment(),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert not ok or done.returncode == 0, done.stderr
        return done

    def serve(self, *, file_bytes: int | None = None, launch=subprocess.Popen) -> Server:
        """Start a server and wait until it serves; `file_bytes` is how large its files may grow, as on a full disk.

        `launch` starts its process, as `subprocess.Popen` does.
        """
        server = self.spawn(launch)
        if file_bytes is not None:
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        for line in server.process.stdout:
            found = re.search(r" is at (http://\S+)/", line)
            if found:
                server.url = found[1]
                return server
        raise AssertionError((self.folder / "stderr").read_text(encoding="utf-8"))

    def spawn(self, launch=subprocess.Popen) -> Server:
        """Start a server and do not wait for anything."""
        with (self.folder / "stderr").open("ab") as stderr:
            process = launch(
                [sys.executable, "wsgi.py"],
                cwd=PROJECT,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        server = Server(process, "")
        self.servers.append(server)
        return server

    def token(self, name: str = "tests") -> str:
        return self.flask("token", "add", name, "--role", "admin").stdout.strip()

    def client(self, server: Server, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        hooks = {"response": [check_httpx]}
        return httpx.Client(base_url=server.url, headers=headers, timeout=100, event_hooks=hooks)

    def close(self) -> None:
        for log in (self.folder / "logs").glob("*.log"):
            print(log.read_text(encoding="utf-8"))  # Shown by pytest when the test failed.
        for server in self.servers:
            if server.process.poll() is None:
                server.kill()
            server.process.stdout.close()

    def backup_names(self) -> list[str]:
        return sorted(path.name for path in self.backups.glob("assistants_backup_*.json"))


def wait_for(condition, seconds: float = 60, *, pause: float = 0.2):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError("it did not come to pass in time")
