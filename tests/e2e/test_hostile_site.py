"""A site full of hostile texts, as an administrator's browser meets it: no text runs, reading changes nothing, and what
a page of another site sends does nothing.

By hand: EVERY_PAGE=yes opens a page for each parameter of each function, HOSTILE_TEXTS=each adds an assistant for each.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.crawl import Act, Walk, walk
from tests.e2e.hostile_world import ALL, RENDERED, TEXTS
from tests.e2e.worlds import World, build
from tests.people import session_token
from tests.web.conftest import PARTIAL

# When a session was last used, how many calls were made, and that somebody took data out or was refused.
NOT_COMPARED = {"sessions", "rate", "heartbeat", "sqlite_sequence", "aa_audit", "refusals"}


TRAP = Path(__file__).with_name("hostile.js")


def state(folder: Path) -> dict[str, object]:
    """Every row of the databases, every file beside them."""
    found: dict[str, object] = {}
    for name in ("assistants.db", "runtime.db"):
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.text_factory = bytes
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type='table' AND rootpage > 0").fetchall()
            for (table,) in tables:
                if table.decode() not in NOT_COMPARED:
                    rows = connection.execute(f'SELECT * FROM "{table.decode()}"').fetchall()
                    found[f"{name} {table.decode()}"] = sorted(map(repr, rows))
    for path in folder.rglob("*"):
        is_data = not re.search(r"\.db(-wal|-shm)?$|\.lock$|/logs/|/\.incoming/", str(path))
        if path.is_file() and is_data:
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def forgeries(act: Act, token: str) -> Iterator[dict[str, Any]]:
    """Each way of sending it that a page of another site has, or that might do without its own token."""
    fields = dict(act.fields)
    text = json.dumps(fields)
    yield {"data": fields}
    yield {"data": fields, "headers": PARTIAL}
    yield {"data": fields | {"csrf_token": "forged"}, "headers": {"X-CSRFToken": "forged"}}
    yield {"data": fields, "headers": {"Authorization": "Basic QWRhOng="}}
    yield {"data": fields | {"_method": "GET"}, "headers": {"X-HTTP-Method-Override": "GET"}}
    for kind in ("application/json", "text/plain", "multipart/form-data"):
        yield {"data": text, "content_type": kind}
    # With the right token, as if it had leaked.
    yield {"data": fields | {"csrf_token": token}, "headers": {"Origin": "https://evil.example"}}
    yield {
        "data": text,
        "headers": {"X-CSRFToken": token, "Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    }


def check_forgeries(world: World, browser: FlaskClient, found: Walk) -> None:
    """Send each form and each htmx action that the pages offer without its token, and as another site's page would."""
    matching, known = world.app.url_map.bind("localhost"), set()
    token = session_token(browser)
    for act in sorted(found.offered):
        endpoint = matching.match(urlsplit(act.address).path, act.method)[0]
        # Each form once, and of those that do the same one in every way.
        for forged in list(forgeries(act, token))[: 1 if endpoint in known else None]:
            answer = browser.open(act.address, method=act.method, **forged)
            assert answer.status_code == 403, (act.method, act.address, forged, answer.text)
        if endpoint not in known:
            address = f"{act.address.partition('?')[0]}?_method={act.method}"
            browser.get(address, headers={"X-HTTP-Method-Override": act.method}).close()
        known.add(endpoint)
    assert len(known) > 40
    own = {"X-CSRFToken": token, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert browser.post("/preferences", data={"theme": "dark"}, headers=own).status_code == 303


def check(page: Page, where: object) -> None:
    found = page.evaluate("hostileFound()")
    assert found == [], (where, found)
    assert RENDERED not in page.content(), where


def edit_and_delete(page: Page) -> None:
    """What appears without a new page: preview, differences, a refused form, the question, the toast."""
    page.goto("/assistants/edit/fourth")
    page.locator("#desc").fill(ALL[1:])
    page.locator("#prompt").fill(f"{ALL}\n{ALL[::-1]}")
    expect(page.locator("#card-preview")).to_contain_text(ALL[1:30])
    page.locator("#show-changes").click()
    expect(page.locator("#prompt-pane .diff")).to_be_visible()
    check(page, "differences")
    page.locator("#title").fill("")
    page.locator("#save-bar .primary").click()
    expect(page.locator("main [role=alert]").first).to_be_visible()
    check(page, "a refused form")
    page.goto("/assistants/delete/fourth")
    page.get_by_role("button", name="Delete assistant").click()
    expect(page.locator("#toasts")).to_contain_text(TEXTS[0])
    check(page, "toast")


def check_in_browser(world: World, chromium: Chromium, found: Walk) -> None:
    """Open every page and fragment that shows a hostile text: nothing of it runs, is markup, or is even tried."""
    context = chromium.new_context(base_url=world.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    context.add_cookies([{"name": "aa_session", "value": world.session(), "url": world.url}])
    context.add_init_script(path=TRAP)
    page = context.new_page()
    elsewhere: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(world.url) else elsewhere.append(request.url))
    page.on("dialog", lambda dialog: dialog.accept() if dialog.type == "beforeunload" else elsewhere.append("dialog"))
    showing = [where for where, text in found.read.items() if "ran(" in text]
    for address, is_partial in sorted(showing, key=lambda where: where[1]):
        if is_partial:
            page.evaluate("url => htmx.ajax('GET', url, {target: '#main', swap: 'innerHTML'})", address)
        else:
            page.goto(address, wait_until="load")
        check(page, address)
    print(len(showing), "of", len(found.read), "pages and fragments show a hostile text")
    assert len(showing) > 20
    edit_and_delete(page)
    assert elsewhere == []
    context.close()


@pytest.mark.timeout(1800)
def test_a_hostile_site_does_nothing_to_whoever_reads_it(tmp_path: Path, chromium: Chromium) -> None:
    """One test, since the site takes longest to build."""
    with build("hostile", tmp_path) as world:
        browser = world.browser().client
        browser.get("/backups")  # What somebody put into the folder is noted at the first look.
        before = state(tmp_path)
        found = walk(world, browser)
        assert len(found.answered) > 50
        check_forgeries(world, browser, found)
        assert {name for name, value in state(tmp_path).items() if before.get(name) != value} == set()
        check_in_browser(world, chromium, found)
