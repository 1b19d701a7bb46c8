"""A site from link to link, as somebody who is signed in sees it: what can be read, and what pages offer to do."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, urljoin, urlsplit

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from tests.e2e.worlds import World
from tests.web.conftest import PARTIAL

# By hand: EVERY_PAGE=yes opens one page for each parameter of each function, not one for each function.
EVERY_PAGE = bool(os.environ.get("EVERY_PAGE"))
SENDING = "button:not([type=button]):not([formmethod=dialog]), input[type=submit]"


class Act(NamedTuple):
    """A form, or an element of htmx's, as a page offers it."""

    method: str
    address: str
    fields: tuple[tuple[str, str], ...]


@dataclass
class Walk:
    """Pages that were read, by address and whether htmx asks for them; who answered; what they offer to do."""

    read: dict[tuple[str, bool], str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    offered: set[Act] = field(default_factory=set)


def kinds(world: World, address: str) -> tuple[str, set[tuple[str, str]]]:
    """The function that answers an address, and what it has in common with others: it, and each of its parameters."""
    parts = urlsplit(address)
    try:
        endpoint, _ = world.app.url_map.bind("localhost").match(parts.path)
    except HTTPException as error:
        raise AssertionError(address) from error
    named = parse_qsl(parts.query) if EVERY_PAGE else []
    return endpoint, {(endpoint, name) for name, _ in [("", ""), *named]}


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


def walk(world: World, browser: FlaskClient) -> Walk:
    """Read every page from link to link."""
    rules = [rule for rule in world.app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
    starts = [rule.rule for rule in rules] + [each for each in world.names.values() if each.startswith("/")]
    waiting = [(address, False) for address in starts]
    alike: Counter[tuple[object, ...]] = Counter()
    found, seen = Walk(), set()
    while waiting:
        address, is_partial = waiting.pop(0)
        address = address.partition("#")[0]
        if not address.startswith("/") or (address, is_partial) in seen or address.startswith(("/static/", "/fail/")):
            continue
        seen.add((address, is_partial))
        endpoint, common = kinds(world, address)
        alike.update((each, is_partial) for each in common)
        if all(alike[each, is_partial] > 1 for each in common):
            continue
        answer = browser.get(address, headers=PARTIAL if is_partial else None, buffered=True)
        assert answer.status_code < 500, (address, answer.text)
        found.answered.add(endpoint)
        if answer.mimetype == "text/html":
            found.read[address, is_partial] = answer.text
            page = BeautifulSoup(answer.text, "html.parser")
            waiting += links(page, address)
            found.offered |= set(acts(page, address))
    return found
