"""Hostile files by every way in – upload page, API (form, body, gzip), command line: the same verdict by each.

By hand: HOSTILE_FILES=all for every file of the table, HOSTILE_FILES=large for the large ones, each with how much
memory the server took.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from bs4 import BeautifulSoup

from tests import hostile
from tests.api.documents import IMPORT, record_lines
from tests.people import PASSWORD, close, csrf_token
from tests.sites import Site, wait_for
from webadmin.app import create_app
from webadmin.config import Config

CHOSEN = os.environ.get("HOSTILE_FILES")
FILES = hostile.FILES | hostile.LARGE
NAMES = list(hostile.LARGE if CHOSEN == "large" else hostile.FILES)[:: 1 if CHOSEN else 60]
HERE = [{"id": "here", "title": "Here", "prompt": "p"}]
MOST_MEGABYTES = 100
Verdict = tuple[str, int | None, int]


class Doors:
    """A site with all its doors; the methods `by_…` put a file in and tell what became of it."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder, {"ADMIN_USERNAME": "Ada", "ADMIN_PASSWORD": PASSWORD})
        self.server = self.site.serve()
        self.api = self.site.client(self.server)
        self.browser = httpx.Client(base_url=self.server.url, timeout=300)
        assert self.post("/sign-in", username="Ada", password=PASSWORD).status_code == 303
        self.app = create_app(Config.load(self.site.environment(), env_file=None))
        self.file = folder / "hostile.json"
        self.go_back()
        self.lines = record_lines(self.api)

    def close(self) -> None:
        self.api.close()
        self.browser.close()
        close(self.app)
        self.site.close()

    def go_back(self) -> None:
        self.api.post(IMPORT, json=HERE, params={"mode": "replace"}).raise_for_status()

    def post(self, path: str, files: dict[str, tuple[str, bytes]] | None = None, **fields: str) -> httpx.Response:
        token = csrf_token(self.browser.get("/sign-in" if path == "/sign-in" else "/import"))
        return self.browser.post(path, data={"csrf_token": token, **fields}, files=files)

    def by_form(self, raw: bytes) -> Verdict:
        """The one that really imports: a file that is refused must have changed nothing."""
        found = judged(lambda **options: said(self.api.post(IMPORT, files={"file": ("a", raw)}, data=options)))
        if found[1]:
            lines = record_lines(self.api)
            assert '"id":"here"' in lines
            assert lines.count("\n{") == 1 + found[1]
            self.go_back()
        assert record_lines(self.api) == self.lines
        return found

    def by_body(self, raw: bytes) -> Verdict:
        return self.dry(raw, {"Content-Type": "application/json"})

    def by_gzip(self, raw: bytes) -> Verdict:
        # One that is packed already goes as it is: packed twice it is another file of the table.
        packed = raw if raw.startswith(b"\x1f\x8b") else gzip.compress(raw, 1)
        return self.dry(packed, {"Content-Type": "application/gzip"})

    def dry(self, raw: bytes, headers: dict[str, str]) -> Verdict:
        return judged(
            lambda **options: said(
                self.api.post(IMPORT, content=raw, headers=headers, params={"dryRun": "true"} | options)
            )
        )

    def by_page(self, raw: bytes) -> Verdict:
        answer = self.post("/import", files={"file": ("a.json", raw)})
        if answer.status_code == 422:
            assert BeautifulSoup(answer.text, "html.parser").select_one("[role=alert]").text.strip()
            return "refused", None, 0
        assert answer.status_code == 303, answer.text
        page = wait_for(lambda: self.settled(answer.headers["Location"]), 600, pause=0.05)
        facts = {name.text.strip(): name.find_next("dd").text.split() for name in page.select("dt")}
        if "Records" not in facts:
            assert page.select_one("[role=alert]").text.strip()
            return "refused", None, 0
        self.post(f"/jobs/{answer.headers['Location'].rpartition('/')[2]}/cancel")
        good, total = (int(facts["Records"][place].replace(",", "")) for place in (0, 2))
        word = "altered" if "wrong" in facts["Checksum"] else "in part" if total > good else "whole"
        return word, good, total - good

    def settled(self, address: str) -> BeautifulSoup | None:
        answer = self.browser.get(address)
        assert answer.status_code == 200, answer.text
        assert len(answer.content) < 100_000
        page = BeautifulSoup(answer.text, "html.parser")
        return None if page.select("[data-poll]:not(#safety-pill)") else page

    def by_command(self, raw: bytes) -> Verdict:
        self.file.write_bytes(raw)
        names = {"onError": "--on-error", "acceptAltered": "--accept-altered"}

        def run(**options: str) -> dict | None:
            words = [word for name, value in options.items() for word in (names[name], value) if word != "true"]
            command = ["assistants", "import", str(self.file), "--dry-run", "--json", *words]
            with self.app.app_context():
                done = self.app.test_cli_runner().invoke(args=command)
            assert done.exit_code in (0, 1), done.output
            assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
            assert done.exit_code == 0 or "Error: " in done.stderr
            return json.loads(done.stdout) if done.exit_code == 0 else None

        return judged(run)


def said(answer: httpx.Response) -> dict | None:
    """The report of an import; None where it was refused in words."""
    if answer.status_code == 200:
        return answer.json()["data"]
    assert answer.status_code in (400, 413), answer.text
    assert answer.json()["error"]["message"].endswith(".")
    return None


def judged(send: Callable[..., dict | None]) -> Verdict:
    """Send a file without consent, then with each that may be given; a large one once, with all of them."""
    altered, skip = {"acceptAltered": "true"}, {"onError": "skip"}
    tries = [("whole", {}), ("altered", altered), ("in part", skip)]
    for word, options in [("whole", altered | skip)] if CHOSEN == "large" else tries:
        report = send(**options)
        if report is not None:
            good = report["created"] + report["updated"] + report["unchanged"]
            bad = len({error["index"] for error in report["errors"]})
            return "in part" if bad else word, good, bad
    return "refused", None, 0


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    made = Doors(tmp_path_factory.mktemp("doors"))
    yield made
    made.close()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_every_door_gives_the_same_verdict(doors, name):
    file, found = FILES[name], {}
    raw = file.make()
    idle = doors.server.memory_kilobytes("VmRSS")
    Path(f"/proc/{doors.server.process.pid}/clear_refs").write_text("5", encoding="ascii")
    ways = (doors.by_form, doors.by_page, doors.by_body, doors.by_gzip, doors.by_command)
    for door in ways[: 2 if CHOSEN == "large" else 5]:
        found[door.__name__] = door(raw)
        if not raw:
            break  # An empty body is one of the contract's own cases.
    assert set(found.values()) == {(file.verdict, file.good, file.bad)}, found
    grown = (doors.server.memory_kilobytes() - idle) / 1000
    print(f"{name}: {file.verdict}, {len(raw)} bytes, the server took {grown:.0f} MB more")
    if CHOSEN:
        assert grown < MOST_MEGABYTES
