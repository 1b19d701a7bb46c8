"""Recovery from the page of one server while another serves the same file: both go on with the new one."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.people import PASSWORD
from tests.sites import Site, wait_for
from tests.test_damage import FIELDS, break_page

COUNT = 60


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path, {"PORT": "0"})
    yield made
    made.close()


def sign_in(url: str) -> httpx.Client:
    """Ada's browser."""
    browser = httpx.Client(base_url=url, timeout=60)
    post(browser, "/sign-in", username="Ada", password=PASSWORD)
    return browser


def post(browser: httpx.Client, address: str, *, on: str | None = None, **fields: str) -> httpx.Response:
    """Send a form with the token of the page on which it stands."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(on or address).text)[1]
    answer = browser.post(address, data={"csrf_token": token, **fields})
    assert answer.status_code in (200, 303), answer.text
    return answer


def files_open(site: Site, pid: int) -> set[str]:
    """The files of the data folder that a process holds open."""
    found = set()
    for each in site.folder.__class__(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(each.readlink()))
        except FileNotFoundError:
            continue
    return {name for name in found if name.startswith(str(site.data))}


def test_both_servers_go_on_with_the_recovered_file(site):
    site.flask("user", "add", "Ada", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    first, second = site.serve(), site.serve()
    token = site.token()
    with site.client(first, token) as writing:
        for number in range(COUNT):
            fields = FIELDS | {"id": f"ast_{number:03}", "prompt": f"{number} " * 300}
            assert writing.post("/api/assistants", json=fields).status_code == 201
        name = writing.post("/api/assistants/backup/create").json()["data"]["filename"]
        assert writing.put("/api/assistants/ast_007", json={"title": "Later", "version": 1}).status_code == 200
    break_page(site.data / "assistants.db", "aa_revision")
    site.flask("doctor", ok=False)
    with closing(sign_in(first.url)) as ada, site.client(second, token) as other:
        assert other.post("/api/assistants", json=FIELDS).status_code == 503
        post(ada, "/health/recovery", on="/health", name=name)
        wait_for(lambda: ada.get("/health/recovery").status_code == 200)
        shown = ada.get("/health/recovery").text
        assert "ast_007" in shown
        edition = re.search(r'name="edition" value="([^"]+)"', shown)[1]
        post(ada, "/health/recovery/apply", on="/health/recovery", edition=edition)
        wait_for(lambda: not (site.data / "assistants.db.damaged").exists())
        # A backup holds no tokens: Ada and the token are gone, the assistants are not.
        assert wait_for(lambda: other.get("/api/assistants").status_code == 401)
    token = site.token("after")
    for written, server in enumerate((first, second)):
        with site.client(server, token) as client:
            assert client.get("/api/assistants").json()["data"]["total"] == COUNT + written
            assert client.get("/api/assistants/ast_007").json()["data"]["title"] == "Later"
            fields = FIELDS | {"id": f"by_{server.process.pid}"}
            assert client.post("/api/assistants", json=fields).status_code == 201
        assert not [each for each in files_open(site, server.process.pid) if "(deleted)" in each]
    with closing(sqlite3.connect(site.data / "assistants.db")) as connection:
        assert connection.execute("SELECT count(*) FROM assistants").fetchone() == (COUNT + 2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    [aside] = site.data.glob("damaged-*/assistants.db")
    assert aside.stat().st_size
