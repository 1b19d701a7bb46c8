"""A disk with little room left, and less, and none: refusals in words, reading goes on, nothing lost, works again.

Where this account may mount, the data folder is a tmpfs of that size; elsewhere no file of the server may grow further.
By hand `DISK_ROOMS=0,4000,…` (bytes) tries others.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from contextlib import closing

import httpx
import pytest

from tests.faults.world import look_after_crash, names_of
from tests.sites import Site, wait_for
from tests.test_one_at_a_time import signed_in

ROOMS = [int(room) for room in os.environ.get("DISK_ROOMS", "0,300000").split(",")]
PASSWORD = "a long walk by the river"
PLENTY = 64_000_000
TEXT = "长 text\n" * 1000


class Disk:
    """The disk of a data folder, or what comes near to one."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o700)
        mounted = ["mount", "-t", "tmpfs", "-o", f"size={PLENTY},mode=700", "tmpfs", str(folder)]
        can_mount = shutil.which("mount") is not None
        self.is_real = can_mount and subprocess.run(mounted, capture_output=True, check=False).returncode == 0

    def leave(self, server, room):
        """Let so many bytes be free, to the page."""
        if self.is_real:
            usage = shutil.disk_usage(self.folder)
            size = -(-(usage.used + room) // 4096) * 4096
            subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)
        else:
            largest = max(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest + room, resource.RLIM_INFINITY))

    def close(self):
        if self.is_real:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "data")
    print(f"a tmpfs: {made.is_real}")
    yield made
    made.close()


def refused_in_words(answer: httpx.Response) -> bool:
    """Whether it was refused, which it may be with 503 in words alone."""
    if answer.is_success:
        return False
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "SERVICE_UNAVAILABLE"), answer.text
    assert error["message"]
    return True


def create(client, id):
    fields = {"id": id, "title": id, "desc": "d", "emoji": "1", "prompt": TEXT}
    return client.post("/api/assistants", json=fields)


def listed(client):
    answer = client.get("/api/assistants?pageSize=100")
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["total"] <= 100
    return {each["id"]: each["title"] for each in answer.json()["data"]["data"]}


def import_all(client, ids, title):
    records = [{"id": id, "title": title, "prompt": TEXT} for id in ids]
    return client.post("/api/assistants/backup/import", json=records)


def test_less_and_less_room_loses_nothing_and_is_told_in_words(disk, tmp_path):
    site = Site(tmp_path)
    site.flask("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    token = site.token()
    server = site.serve()
    with site.client(server, token) as client, closing(signed_in(server)) as browser:
        assert create(client, "first").status_code == 201
        assert client.post("/api/assistants/backup/create").status_code == 201
        for room in ROOMS:
            disk.leave(server, room)
            acknowledged = listed(client)
            for number in range(20):
                if refused_in_words(create(client, f"room-{room}-{number}")):
                    break
                acknowledged[f"room-{room}-{number}"] = f"room-{room}-{number}"
            was_backed_up = not refused_in_words(client.post("/api/assistants/backup/create"))
            before = listed(client)
            assert before == acknowledged
            title = f"imported with {room}"
            if not refused_in_words(import_all(client, list(before)[:10], title)):
                acknowledged |= dict.fromkeys(list(before)[:10], title)
            assert listed(client) == acknowledged
            assert look_after_crash(site.data, tmp_path / "crash").assistants.keys() == acknowledged.keys()
            newest = max(names_of(site.backups))
            reads = ("/", "/assistants", "/backups", f"/backups/{newest}/download", "/health")
            assert {path: browser.get(path).status_code for path in reads} == dict.fromkeys(reads, 200)
            # Backups may have been made meanwhile, with room that was there; none is half a one.
            print(f"room {room}: {len(acknowledged)} assistants, backed up: {was_backed_up}")
            disk.leave(server, PLENTY)
            assert create(client, f"again-{room}").status_code == 201
            assert client.post("/api/assistants/backup/create").status_code == 201
            assert client.get("/api/assistants/backup/export").status_code == 200
        last = listed(client)
    server.kill()
    with site.client(site.serve(), token) as client:
        assert listed(client) == last
        wait_for(lambda: not list(site.backups.glob(".tmp-*")))
    site.close()
