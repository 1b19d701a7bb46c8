"""Two servers and the command line on one folder: the second task is told who runs what since when, in each place."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.sites import Server, Site, wait_for

IMPORT = "/api/assistants/backup/import"
CREATE = "/api/assistants/backup/create"
# In the words of the one who is told: what, who, since when.
TOLD = re.compile(r"Something else is running: import, started by tests at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\+00:00\.")
PASSWORD = "a long walk by the river"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.flask("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    yield made
    made.close()


def signed_in(server: Server) -> httpx.Client:
    browser = httpx.Client(base_url=server.url, follow_redirects=True, timeout=100)
    fields = {"csrf_token": form_token(browser.get("/sign-in").text), "username": "ada", "password": PASSWORD}
    assert browser.post("/sign-in", data=fields).status_code == 200
    return browser


def form_token(page: str) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def records(title: str) -> list[dict[str, str]]:
    return [{"id": f"ast_{number}", "title": title, "prompt": "p" * 2000} for number in range(4000)]


@contextlib.contextmanager
def import_under_way(site: Site, server: Server, token: str) -> Iterator[None]:
    """An import of the first server, which stands still in its safety backup: no database is locked then."""
    with site.client(server, token) as client, ThreadPoolExecutor(1) as pool:
        client.post(IMPORT, json=records("old"))
        running = pool.submit(client.post, IMPORT, json=records("new"))
        try:
            wait_for(lambda: running.done() or list(site.backups.glob(".tmp-*")), pause=0.005)
            server.process.send_signal(signal.SIGSTOP)
            yield
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert running.result().json()["data"]["updated"] == 4000


def test_second_task_is_told_who_runs_what_since_when_wherever_it_starts(site):
    first, second = site.serve(), site.serve()
    token = site.token()
    with site.client(second, token) as client, contextlib.closing(signed_in(second)) as browser:
        ours = form_token(browser.get("/backups").text)
        with import_under_way(site, first, token):
            for answer in (client.post(CREATE), client.post(IMPORT, json=[{"id": "x", "title": "t", "prompt": "p"}])):
                assert answer.status_code == 503, answer.text
                assert TOLD.match(answer.json()["error"]["message"])
                assert int(answer.headers["Retry-After"]) > 0
            page = browser.post("/backups", data={"csrf_token": ours}).text
            assert TOLD.search(page)
            for command in (["backup", "create"], ["backup", "prune"]):
                done = site.flask(*command, ok=False)
                assert done.returncode == 1
                assert TOLD.search(done.stderr)
                assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["Error", "Try"]
        assert client.post(CREATE).status_code == 201
    assert json.loads(site.flask("backup", "list", "--json").stdout)[0]["state"] == "verified"
