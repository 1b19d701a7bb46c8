"""What a page of another site can make a signed-in browser do: nothing. And what reading changes: nothing.

The pages of a full site are read from link to link, as an administrator sees them. By hand: EVERY_PAGE=yes follows all
links, not one of each kind.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from tests.e2e.worlds import World, build
from tests.people import session_token
from tests.web.conftest import PARTIAL

MOST_ALIKE = 10_000 if os.environ.get("EVERY_PAGE") else 1
# When a session was last used, and how many calls were made.
NOT_COMPARED = {"sessions", "rate", "heartbeat", "sqlite_sequence"}


SENDING = "button:not([type=button]):not([formmethod=dialog]), input[type=submit]"


class Act(NamedTuple):
    """A form, or an element of htmx's, as a page offers it."""

    method: str
    address: str
    fields: tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with build("full", tmp_path_factory.mktemp("forged")) as made:
        yield made


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


def kinds(world: World, address: str) -> tuple[str, set[tuple[str, str]]]:
    """The function that answers an address, and what it has in common with others: it, and each of its parameters."""
    parts = urlsplit(address)
    try:
        endpoint, _ = world.app.url_map.bind("localhost").match(parts.path)
    except HTTPException as error:
        raise AssertionError(address) from error
    return endpoint, {(endpoint, name) for name, _ in [("", ""), *parse_qsl(parts.query)]}


def links(page: BeautifulSoup, path: str) -> Iterator[tuple[str, bool]]:
    """Addresses of this site that a page leads to by reading, and whether htmx asks for them."""
    for name in ("href", "hx-get", "data-poll", "src"):
        for node in page.select(f"[{name}]"):
            if node.name not in ("link", "script", "img"):
                yield urljoin(path, node[name]), name != "href"
    for form in page.select("form:not([method])"):
        yield urljoin(path, form.get("action") or path), False


def acts(page: BeautifulSoup, path: str) -> Iterator[Act]:
    for form in page.select("form[method=post]"):
        fields = [(each["name"], each.get("value") or each.text) for each in form.select("[name]")]
        fields = tuple((name, value) for name, value in fields if name != "csrf_token")
        addresses = {each.get("formaction") or form.get("action") or path for each in form.select(SENDING)}
        for address in sorted(addresses):
            yield Act("POST", urljoin(path, address), fields)
    for method in ("post", "put", "patch", "delete"):
        for node in page.select(f"[hx-{method}]"):
            yield Act(method.upper(), urljoin(path, node[f"hx-{method}"] or path), ())


def walk(world: World, browser: FlaskClient) -> tuple[set[str], set[Act]]:
    """Read every page from link to link; which functions answered, and what the pages offer to do."""
    rules = [rule for rule in world.app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
    starts = [rule.rule for rule in rules] + [each for each in world.names.values() if each.startswith("/")]
    waiting = [(address, False) for address in starts]
    seen: set[tuple[str, bool]] = set()
    alike: Counter[tuple[object, ...]] = Counter()
    answered: set[str] = set()
    offered: set[Act] = set()
    while waiting:
        address, is_partial = waiting.pop(0)
        address = address.partition("#")[0]
        if not address.startswith("/") or (address, is_partial) in seen or address.startswith(("/static/", "/fail/")):
            continue
        seen.add((address, is_partial))
        endpoint, common = kinds(world, address)
        alike.update((each, is_partial) for each in common)
        if all(alike[each, is_partial] > MOST_ALIKE for each in common):
            continue
        answer = browser.get(address, headers=PARTIAL if is_partial else None, buffered=True)
        assert answer.status_code < 500, (address, answer.text)
        answered.add(endpoint)
        if answer.mimetype == "text/html":
            page = BeautifulSoup(answer.text, "html.parser")
            waiting += links(page, address)
            offered |= set(acts(page, address))
    return answered, offered


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


@pytest.mark.timeout(600)
def test_reading_changes_nothing_and_no_form_works_without_its_token(world: World) -> None:
    browser = world.browser().client
    before = state(world.folder)
    answered, offered = walk(world, browser)
    assert {name for name, value in state(world.folder).items() if before.get(name) != value} == set()
    assert len(answered) > 50
    matching, known = world.app.url_map.bind("localhost"), set()
    token = session_token(browser)
    for act in sorted(offered):
        endpoint = matching.match(urlsplit(act.address).path, act.method)[0]
        # Each form once, and of those that do the same one in every way.
        for forged in list(forgeries(act, token))[: 1 if endpoint in known else None]:
            answer = browser.open(act.address, method=act.method, **forged)
            assert answer.status_code == 403, (act.method, act.address, forged, answer.text)
        if endpoint not in known:
            address = f"{act.address.partition('?')[0]}?_method={act.method}"
            browser.get(address, headers={"X-HTTP-Method-Override": act.method}).close()
        known.add(endpoint)
    assert len(known) > 45
    assert {name for name, value in state(world.folder).items() if before.get(name) != value} == set()
    own = {"X-CSRFToken": token, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert browser.post("/preferences", data={"theme": "dark"}, headers=own).status_code == 303
