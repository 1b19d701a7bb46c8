"""A site in which everything that people and files can bring is hostile: markup, scripts, templates, odd characters."""

from __future__ import annotations

import json
import os
import re
from urllib.parse import quote

from tests.e2e.worlds import WORLDS, World, _full, document
from tests.factories import make_record, store
from tests.people import sign_in
from webadmin import accounts, backups, catalogue
from webadmin.accounts import SYSTEM
from webadmin.backups import Kind
from webadmin.catalogue import Record
from webadmin.db import transaction

TEXTS = (
    "<script>ran('script')</script>",
    "\"><img src=x onerror=ran('img')>",
    "'><svg/onload=ran('svg')>",
    "</textarea></title></style></script></template><script>ran('breakout')</script>",
    "javascript:ran('address')//",
    "\" autofocus onfocus=ran('focus') x='",
    "<a href=\"javascript:ran('link')\" hx-get=/hostile hx-trigger=load hx-on:load=\"ran('htmx')\">x</a>",
    "--><!--<iframe srcdoc=\"<script>parent.ran('frame')</script>\"></iframe>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=ran('mutation')&gt;\">",
    "<base href=//evil.example/><meta http-equiv=refresh content=0;url=//evil.example/><form action=//evil.example/>",
    "{{1337*7331}}{% if 1 %}${1337*7331}<%= 1337*7331 %>#{1337*7331}{{config.SECRET_KEY}}{{''.__class__}}",
    "%s %(name)s {0} {0.__class__} \u202e\u2028\x1b[31m\r\n&lt;script&gt;ran('entity')&lt;/script&gt;&#x3C;b&#x3E;",
)
ALL = " ".join(TEXTS)
# What a template would make of one of them.
RENDERED = "9801547"


def hostile_record(record_id: str, text: str, **changes: object) -> Record:
    lines = re.sub(r"[\r\n]", " ", text)
    return make_record(
        record_id,
        title=lines,
        desc=text,
        emoji=lines,
        prompt=f"{text}\n{{{text}}}",
        tags=[text, lines[:50]],
        author=lines,
        review_note=text,
        extra={text: json.dumps(text).encode()},
        category=[text],
        **changes,
    )


def _hostile(world: World) -> None:
    """Whatever can be brought in holds all of them: records, files, names, notes, searches."""
    _full(world)
    each = TEXTS if os.environ.get("HOSTILE_TEXTS") == "each" else ()
    records = [hostile_record(f"hostile{n}", text) for n, text in enumerate(each)]
    store(world.app, hostile_record(ALL[:255], ALL), hostile_record("second", ALL, status="pending"), *records)
    store(world.app, hostile_record("third", ALL, status="rejected"), hostile_record("fourth", ALL, status="draft"))
    browser = world.browser()
    with world.app.app_context():
        name = backups.create(SYSTEM, reason=Kind.MANUAL, note=ALL).name
        with transaction() as session:
            for number, text in enumerate(TEXTS):
                for make in (accounts.invite, accounts.issue_token):
                    shown = re.sub(r"[^\x21-\x7e]+", " ", text).strip()[: 60 - len(str(number))].strip()
                    make(session, SYSTEM, f"{shown}{number}")
            catalogue.update(session, SYSTEM, "second", {"prompt": "was hostile", "desc": ALL[::-1]}, version=1)
            catalogue.remove(session, SYSTEM, "third", version=1)
    for number, text in enumerate((*TEXTS, ALL[:180])):
        found = f"assistants_backup_{text.replace('/', '⁄').replace(chr(0), '')[:150]}{number}.json"
        (world.folder / "backups" / found).write_bytes(document() if number % 2 else b"no backup")
    world.names["file"] = f"/backups/{quote(found, safe='')}"
    bad = {"id": ALL, "title": "x", "prompt": "p", "status": ALL, "createdAt": ALL, ALL: ALL}
    changed = {
        "id": "second",
        "title": ALL[::-1],
        "prompt": ALL[5:],
        "tags": [ALL],
        ALL: ALL,
        "createdAt": "2026-01-15",
    }
    world.names["review"] = browser.imported(document(changed, {"id": "new one", "title": ALL, "prompt": ALL}))
    world.names["decide"] = browser.imported(document(changed, bad))
    world.names["refused"] = str(browser.upload(b"{" + ALL.encode(), name=f"{ALL[:200]}.json").location)
    browser.settled(world.names["refused"])
    browser.post(f"/backups/{name}/compare")
    elsewhere = world.app.test_client()
    elsewhere.environ_base["HTTP_USER_AGENT"] = re.sub(r"[^\x20-\x7e]", "", ALL)
    sign_in(elsewhere, "Ada")
    for path in (
        "/assistants",
        "/assistants/suggestions",
        "/trash",
        "/backups",
        "/import",
        "/settings/people",
        "/health",
    ):
        for field in ("q", "tag", "author", "status", "kind", "next", "tab"):
            world.names[f"{path} {field}"] = f"{path}?{field}={quote(ALL)}"
    world.names["lost"] = f"/assistants/edit/{quote(ALL[:100])}"


WORLDS["hostile"] = _hostile
