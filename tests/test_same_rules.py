"""The same values by every way in – pages, API, command line – get the same verdict in the same words.

Where the ways differ, the medium does it, and the test says how: a browser's one-line field drops CR and LF, its field
of many lines sends LF as CR LF, it sends no half of a surrogate pair, and the tags of a page are one line with commas.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import time
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.factories import make_record, store, stored
from tests.people import add_person, add_token, close, session_token, sign_in
from webadmin import jobs
from webadmin.app import create_app
from webadmin.config import Config
from webadmin.web.texts import join_tags

FAMILY = "👩‍👩‍👧‍👦"
ACCENTED = "e\u0301\u0302\u0323"
API = "/api/assistants"
NEW = {"title": "T", "desc": "d", "emoji": "🤖", "prompt": "p", "tags": [], "isPublic": False}
LIMITS = {"title": 60, "desc": 70, "emoji": 50, "prompt": 80}
PYTHON_NAMES = {"isPublic": "is_public", "reviewNote": "review_note"}


def texts(limit: int) -> dict[str, str]:
    """Values for a field of so many user-perceived characters."""
    return {
        "at the limit": "x" * limit,
        "one more": "x" * (limit + 1),
        "families at the limit": FAMILY * limit,
        "one family more": FAMILY * (limit + 1),
        "combining marks at the limit": ACCENTED * limit,
        "one combined character more": ACCENTED * (limit + 1),
        "flags at the limit": "🇨🇳" * limit,
        "one flag more": "🇨🇳" * (limit + 1),
        "Chinese at the limit": "中" * limit,
        "one Chinese character more": "中" * (limit + 1),
        "a thousand marks on one letter": "a" + "\u0301" * 1000,
        "NUL": "a\0b",
        "only NUL": "\0",
        "empty": "",
        "spaces": " \t ",
        "wide space": "\u3000",
        "no-break space": "\u00a0",
        "zero width": "\u200b",
        "spaces around": "  a  ",
        "line ends": "a\r\nb\nc\rd",
        "line ends at the end": "a\n\n",
        "line separator": "a\u2028b",
        "right to left": "\u202eabc\u202c\u200f",
        "byte order mark": "\ufeffa",
        "control characters": "\x01\x1b[31m\x7f",
        "formula": "=cmd()",
        "markup": "<script>alert(1)</script>&amp;",
        "Jinja": "{{7*7}}{% for %}",
        "format": "%(name)s {0} %s",
        "number": "9" * limit,
        "null": "null",
        "last code point": "\U0010ffff",
        "composed and not": "é e\u0301",
    }


def tag_lists() -> dict[str, list[str]]:
    return {
        "at the limit": [f"t{n}" for n in range(32)],
        "one more": [f"t{n}" for n in range(33)],
        "long at the limit": ["x" * 100],
        "long by one": ["x" * 101],
        "family at the limit": [FAMILY * 100],
        "family by one": [FAMILY * 101],
        "two long ones": ["x" * 101, "y" * 102],
        "comma": ["a,b", "c，d"],
        "quote": ['say "x"'],
        "blank": [""],
        "spaces": ["  "],
        "NUL": ["a\0b"],
        "markup": ["<b>", "{{7*7}}", "=cmd()"],
        "right to left": ["\u202eabc\u202c"],
    }


class Ways:
    """One site, entered as Ada by the pages, as a robot by the API, and by the command line."""

    def __init__(self, folder: Any) -> None:
        limits = {f"{name.upper()}_MAX": str(limit) for name, limit in LIMITS.items()}
        places = {
            "DATABASE_PATH": str(folder / "assistants.db"),
            "DATABASE_BACKUP_DIR": str(folder / "backups"),
            "LOG_DIR": str(folder / "logs"),
            "RATE_LIMIT_MAX_REQUESTS": "0",
        }
        self.app = create_app(Config.load(places | limits, env_file=None))
        self.app.testing = False
        self.folder = folder
        add_person(self.app, "Ada")
        self.browser = self.app.test_client()
        sign_in(self.browser, "Ada")
        self.headers = {"Authorization": f"Bearer {add_token(self.app)}"}
        self.count = 0

    def api(self, method: str, path: str, **options: Any) -> Any:
        return self.app.test_client().open(path, method=method, headers=self.headers, buffered=True, **options)

    def page(self, path: str, **fields: Any) -> Any:
        return self.browser.post(path, data={"csrf_token": session_token(self.browser), **fields}, buffered=True)

    def new_record(self, **changes: Any) -> str:
        self.count += 1
        store(self.app, make_record(f"one_{self.count}", status="draft", **changes))
        return f"one_{self.count}"


@pytest.fixture(scope="module")
def ways(tmp_path_factory) -> Any:
    made = Ways(tmp_path_factory.mktemp("ways"))
    yield made
    close(made.app)


def as_browser(field: str, value: Any) -> str:
    """What a browser sends for a field that shows this value."""
    if field == "tags":
        return re.sub(r"[\r\n]", "", join_tags(value))
    if field in ("prompt", "review_note"):
        return re.sub(r"\r\n?|\n", "\r\n", value)
    return re.sub(r"[\r\n]", "", value)


def as_stored(field: str, value: Any) -> Any:
    """What the pages then store in a new text: line ends of one-line fields are gone, others are LF."""
    if field == "prompt":
        return re.sub(r"\r\n?|\n", "\n", value)
    return value if field == "tags" else as_browser(field, value)


def said_by_api(answer: Any) -> list[tuple[str, str]]:
    """What is wrong, by field; nothing when it was taken."""
    if answer.status_code in (200, 201):
        return []
    assert answer.status_code == 400, answer.text
    return sorted(
        (PYTHON_NAMES.get(e["field"], e["field"]), e["message"]) for e in answer.get_json()["error"]["details"]
    )


def said_by_page(answer: Any) -> list[tuple[str, str]]:
    """The same from the summary above the form, whose lines are links to the fields: «Title: …»."""
    if answer.status_code in (302, 303):
        return []
    assert answer.status_code == 422, answer.text
    links = BeautifulSoup(answer.text, "html.parser").select("[role=alert] li a")
    return sorted((link["href"].removeprefix("#"), link.text.partition(": ")[2]) for link in links)


CASES = [(field, name) for field, limit in LIMITS.items() for name in texts(limit)]
CASES += [("tags", name) for name in tag_lists()]


def value_of(field: str, name: str) -> Any:
    return tag_lists()[name] if field == "tags" else texts(LIMITS[field])[name]


class TestFields:
    @pytest.mark.parametrize(("field", "name"), CASES)
    def test_new_assistant_is_judged_alike(self, ways, field, name):
        value = value_of(field, name)
        made = ways.api("POST", API, json=NEW | {field: value})
        form = {key: as_browser(key, each) for key, each in NEW.items() if key != "isPublic"}
        ways.count += 1
        answer = ways.page("/assistants/new", **form | {field: as_browser(field, value), "new_id": f"new_{ways.count}"})
        assert said_by_page(answer) == said_by_api(made)
        if made.status_code == 201:
            assert made.get_json()["data"][field] == value
            assert getattr(stored(ways.app, f"new_{ways.count}"), field) == as_stored(field, value)

    @pytest.mark.parametrize(("field", "name"), CASES)
    def test_change_is_judged_alike(self, ways, field, name):
        value = value_of(field, name)
        mine, theirs = ways.new_record(), ways.new_record()
        old = stored(ways.app, theirs)
        changed = ways.api("PUT", f"{API}/{mine}", json={field: value, "version": 1})
        form = {each: as_browser(each, getattr(old, each)) for each in (*LIMITS, "tags")}
        form |= {field: as_browser(field, value), "is_public": "1", "version": "1"}
        answer = ways.page(f"/assistants/edit/{theirs}", **form)
        assert said_by_page(answer) == said_by_api(changed)
        if changed.status_code == 200:
            assert changed.get_json()["data"][field] == value
            assert getattr(stored(ways.app, theirs), field) == as_stored(field, value)
        else:
            assert stored(ways.app, mine).version == stored(ways.app, theirs).version == 1

    def test_several_faults_are_all_named_by_both(self, ways):
        bad = {"title": "", "desc": "x" * 71, "emoji": " ", "prompt": "\u3000", "tags": ["x" * 101]}
        made = said_by_api(ways.api("POST", API, json=NEW | bad))
        form = {field: as_browser(field, value) for field, value in bad.items()}
        assert said_by_page(ways.page("/assistants/new", **form, new_id="bad")) == made
        assert {field for field, _ in made} == set(bad)

    @pytest.mark.parametrize("is_public", [True, False])
    def test_switch_is_the_same_field(self, ways, is_public):
        mine, theirs = (ways.new_record(is_public=not is_public) for _ in range(2))
        old = stored(ways.app, theirs)
        form = {each: as_browser(each, getattr(old, each)) for each in (*LIMITS, "tags")}
        assert ways.page(f"/assistants/edit/{theirs}", **form, version="1", **{"is_public": "1"} if is_public else {})
        assert ways.api("PUT", f"{API}/{mine}", json={"isPublic": is_public, "version": 1}).status_code == 200
        assert stored(ways.app, mine).is_public is stored(ways.app, theirs).is_public is is_public

    def test_half_a_surrogate_pair_reaches_only_the_api(self, ways):
        # Browsers send U+FFFD instead (WHATWG Encoding, «UTF-8 encode»).
        refused = ways.api("POST", API, data=b'{"title": "\\ud800", "desc": "d", "emoji": "e", "prompt": "p"}',
                           content_type="application/json")  # fmt: skip
        assert [field for field, _ in said_by_api(refused)] == ["title"]
        answer = ways.page("/assistants/new", title="\ufffd", desc="", emoji="e", prompt="p", new_id="half")
        assert said_by_page(answer) == []
        assert stored(ways.app, "half").title == "\ufffd"

    def test_tags_typed_twice_are_one_on_pages_only(self, ways):
        # A person who types a tag again means the one that is there; a program's list is taken as it is.
        made = ways.api("POST", API, json=NEW | {"tags": ["a", "a", "b"]})
        assert made.get_json()["data"]["tags"] == ["a", "a", "b"]
        ways.page("/assistants/new", title="T", desc="", emoji="e", prompt="p", tags="a, a, b", new_id="twice")
        assert stored(ways.app, "twice").tags == ["a", "b"]

    @pytest.mark.parametrize("limit", [60, 61])
    def test_what_was_longer_before_may_stay_while_another_field_changes(self, ways, limit):
        mine, theirs = (ways.new_record(title="x" * (limit + 100)) for _ in range(2))
        old = stored(ways.app, theirs)
        form = {each: as_browser(each, getattr(old, each)) for each in (*LIMITS, "tags")} | {"desc": "changed"}
        changed = ways.api("PUT", f"{API}/{mine}", json={"title": old.title, "desc": "changed", "version": 1})
        assert said_by_api(changed) == []
        assert said_by_page(ways.page(f"/assistants/edit/{theirs}", **form, is_public="1", version="1")) == []
        assert stored(ways.app, mine).desc == stored(ways.app, theirs).desc == "changed"


class TestStatus:
    @pytest.mark.parametrize("note", ["at the limit", "one more", "one family more", "NUL", "right to left", "Jinja"])
    def test_note_is_judged_alike(self, ways, note):
        text = texts(2000)[note]
        mine, theirs = ways.new_record(), ways.new_record()
        for each in (mine, theirs):
            ways.api("PATCH", f"{API}/{each}/status", json={"status": "pending", "version": 1})
        moved = ways.api("PATCH", f"{API}/{mine}/status", json={"status": "rejected", "reviewNote": text, "version": 2})
        answer = self.move(ways, theirs, "rejected", review_note=as_browser("review_note", text))
        assert said_by_page(answer) == said_by_api(moved)
        assert stored(ways.app, mine).review_note == stored(ways.app, theirs).review_note

    @pytest.mark.parametrize("way", [(), ("pending",), ("pending", "rejected"), ("published",)])
    @pytest.mark.parametrize("status", ["draft", "pending", "published", "rejected", "archived"])
    def test_moves_are_the_same(self, ways, way, status):
        mine, theirs = ways.new_record(), ways.new_record()
        for each in (mine, theirs):
            for version, step in enumerate(way, 1):
                body = {"status": step, "version": version, "reviewNote": "why"}
                assert ways.api("PATCH", f"{API}/{each}/status", json=body).status_code == 200
        before = stored(ways.app, mine)
        moved = ways.api("PATCH", f"{API}/{mine}/status", json={"status": status, "version": before.version})
        # On pages a rejection needs a note, over the API it is optional.
        answer = self.move(ways, theirs, status, review_note="why")
        assert bool(said_by_page(answer)) == bool(said_by_api(moved))
        assert {field for field, _ in said_by_page(answer)} == {field for field, _ in said_by_api(moved)}
        assert stored(ways.app, mine).status == stored(ways.app, theirs).status

    @staticmethod
    def move(ways: Ways, id: str, status: str, **fields: str) -> Any:
        old = stored(ways.app, id)
        form = {each: as_browser(each, getattr(old, each)) for each in (*LIMITS, "tags")}
        return ways.page(
            f"/assistants/edit/{id}", **form, is_public="1", version=str(old.version), move=status, **fields
        )


GOOD = {"id": "good", "title": "Good", "prompt": "p", "author": "zhou", "createdAt": "2026-01-01T00:00:00.000Z"}
# A good record among these, each with one thing that is wrong or worth a word.
ODD = [
    GOOD,
    GOOD | {"id": "long-title", "title": FAMILY * 61},
    GOOD | {"id": "title-at-the-limit", "title": FAMILY * 60},
    GOOD | {"id": "long-emoji", "emoji": "x" * 51},
    GOOD | {"id": "many-tags", "tags": [f"t{n}" for n in range(33)]},
    GOOD | {"id": "long-tag", "tags": ["x" * 101]},
    GOOD | {"id": "formula", "title": "=cmd()", "desc": "<script>alert(1)</script>", "prompt": "{{7*7}} %(name)s"},
    GOOD | {"id": "marks", "title": "\u202eabc\u202c", "desc": "a\r\nb"},
    GOOD | {"id": "a/b?c", "mine": {"deep": [1.50, None]}},
    GOOD | {"id": ""},
    GOOD | {"id": 7},
    GOOD | {"id": "x" * 256},
    GOOD | {"id": "no-title", "title": ""},
    GOOD | {"id": "number-title", "title": 9},
    GOOD | {"id": "no-prompt", "prompt": None},
    GOOD | {"id": "nul", "desc": "a\0b"},
    GOOD | {"id": "nul-inside", "mine": ["\0"]},
    GOOD | {"id": "surrogate", "prompt": "\ud800"},
    GOOD | {"id": "status", "status": "archived"},
    GOOD | {"id": "date", "createdAt": "yesterday"},
    GOOD | {"id": "tags", "tags": [1, 2]},
    GOOD | {"id": "public", "isPublic": "true"},
    GOOD | {"id": "version", "version": 1.5},
    GOOD | {"id": "huge-version", "version": 2**63},
    GOOD | {"id": "huge-count", "usageCount": 10**30},
    GOOD | {"id": "rating", "rating": "5"},
    "not a record",
    [],
    GOOD | {"title": "The same id again"},
]
WHOLE = {"version": "1.0", "exportedAt": "2026-01-01T00:00:00.000Z", "count": len(ODD), "assistants": ODD}


def altered() -> bytes:
    """A file as this program writes it, with one word changed."""
    head = (
        b'{"metadata": {"version": "1.0.0", "timestamp": "2026-01-01T00:00:00.000Z", "recordCount": 1, "format": 1},\n'
        b'"assistants": [\n' + json.dumps(GOOD).encode() + b"\n],\n"
    )
    digest = hashlib.sha256(head).hexdigest().encode()
    return head.replace(b"Good", b"Evil") + b'"integrity": {"count": 1, "sha256": "' + digest + b'"}}\n'


UNREADABLE = {
    "empty": b"",
    "white space": b" \n",
    "text": b"not json at all",
    "a number": b"7",
    "another object": b'{"hello": "world"}',
    "cut": json.dumps(WHOLE).encode()[:-20],
    "brackets": b"[" * 100_000,
    "wrong count": json.dumps(WHOLE | {"count": 3}).encode(),
    "trailing": b"[] x",
    "database": b"SQLite format 3\0" + bytes(100),
    "zip": b"PK\x03\x04" + bytes(100),
    "utf-16": json.dumps([GOOD]).encode("utf-16"),
    "cut gzip": gzip.compress(json.dumps([GOOD]).encode())[:-9],
}


class TestImport:
    @pytest.mark.parametrize("mode", ["merge", "skip", "replace"])
    def test_same_file_gives_the_same_report_and_the_same_catalogue(self, ways, mode):
        content = json.dumps(WHOLE).encode()
        found = {}
        for name, way in (("api", by_api), ("command line", by_command_line), ("pages", by_pages)):
            begin(ways)
            found[name] = (*way(ways, content, mode), records(ways))
        counts, errors, warnings, _ = found["api"]
        assert counts["created"] == 7
        assert len(errors) == 20
        assert {(id, field) for _, id, field, _ in warnings} == {
            ("long-title", "title"),
            ("long-emoji", "emoji"),
            ("many-tags", "tags"),
            ("long-tag", "tags"),
        }
        assert found["command line"] == found["api"]
        assert found["pages"] == found["api"]

    def test_one_bad_record_refuses_the_file_by_every_way(self, ways):
        begin(ways)
        before, content = records(ways), json.dumps(WHOLE).encode()
        refused = ways.api("POST", f"{API}/backup/import", data=content, content_type="application/json")
        assert refused.status_code == 400
        errors = findings(refused.get_json()["error"]["details"])
        run = command(ways, content)
        assert run.exit_code == 1
        told = re.findall(r"^  record (\d+), id (.*?), (\S+): (.*)$", run.stderr, re.MULTILINE)
        # The command line shows the first twenty, counts from 1, has a dash for no id, «record» where it is no field.
        assert [(int(i) - 1, None if id == "—" else id, None if field == "record" else field, said)
                for i, id, field, said in told] == errors[:20]  # fmt: skip
        assert shown(ways.browser.get(upload(ways, content)).text)[0] == errors
        assert records(ways) == before

    @pytest.mark.parametrize("name", UNREADABLE)
    def test_file_that_cannot_be_taken_is_refused_in_the_same_words(self, ways, name):
        begin(ways)
        before, content = records(ways), UNREADABLE[name]
        by_form = {"file": (io.BytesIO(content), "f.json")}
        answer = ways.api("POST", f"{API}/backup/import", data=by_form)
        assert answer.status_code == 400, answer.text
        said = answer.get_json()["error"]["message"]
        run = command(ways, content)
        assert run.exit_code == 1
        error = re.search(r"^Error: (.*)$", run.stderr, re.MULTILINE)[1]
        assert said.startswith(error)
        sent = ways.page("/import", file=(io.BytesIO(content), "f.json"))
        page = sent.text if sent.status_code == 422 else settled(ways, sent.location)
        assert error in " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split()), page
        assert records(ways) == before

    def test_altered_file_is_taken_by_every_way_only_when_that_is_said(self, ways):
        content = altered()
        begin(ways)
        before = records(ways)
        refused = ways.api("POST", f"{API}/backup/import", data={"file": (io.BytesIO(content), "f")})
        run = command(ways, content)
        assert (refused.status_code, run.exit_code) == (400, 1)
        error = re.search(r"^Error: (.*)$", run.stderr, re.MULTILINE)[1]
        assert refused.get_json()["error"]["message"].startswith(error)
        # Each in its own words.
        assert refused.get_json()["error"]["message"].endswith("(acceptAltered=true).")
        assert run.stderr.endswith("(--accept-altered).\n")
        # A page asks instead, in words of its own.
        asks = BeautifulSoup(ways.browser.get(upload(ways, content)).text, "html.parser")
        assert "was changed after it was made" in asks.select_one(".note.bad").text
        assert not asks.select("form[action$='/apply']")
        assert records(ways) == before
        taken = []
        for way in (by_api, by_command_line, by_pages):
            begin(ways)
            taken.append((*way(ways, content, "merge", accept_altered=True), records(ways)))
        assert taken[0] == taken[1] == taken[2]
        assert "Evil" in [each["title"] for each in taken[0][-1]]


def begin(ways: Ways) -> None:
    """A catalogue in which one record is as in the file, one other, one not in it."""
    start = [GOOD, GOOD | {"id": "formula"}, GOOD | {"id": "only here"}]
    # An emptied catalogue first: a record that changes back would keep its higher version.
    for content in ([], start):
        asked = {"mode": "replace", "confirmDeleteAll": "true"}
        answer = ways.api("POST", f"{API}/backup/import", query_string=asked, json=content)
        assert answer.status_code == 200, answer.text


def records(ways: Ways) -> list[Any]:
    return ways.api("GET", f"{API}/backup/export").get_json()["assistants"]


def findings(details: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(each["index"], each["id"] or None, each["field"], each["message"]) for each in details]


COUNTS = ("created", "updated", "unchanged", "deleted", "skipped")


def of_report(report: dict[str, Any]) -> tuple[Any, ...]:
    assert report["safetyBackup"]
    return {name: report[name] for name in COUNTS}, findings(report["errors"]), findings(report["warnings"])


def by_api(ways: Ways, content: bytes, mode: str, *, accept_altered: bool = False) -> tuple[Any, ...]:
    asked = {"mode": mode, "onError": "skip", "acceptAltered": str(accept_altered).lower()}
    answer = ways.api("POST", f"{API}/backup/import", query_string=asked, data={"file": (io.BytesIO(content), "f")})
    assert answer.status_code == 200, answer.text
    return of_report(answer.get_json()["data"])


def command(ways: Ways, content: bytes, *options: str) -> Any:
    file = ways.folder / "file.json"
    file.write_bytes(content)
    with ways.app.app_context():  # As the command `flask` has it before it looks for ours.
        return ways.app.test_cli_runner().invoke(args=["assistants", "import", str(file), "--yes", *options])


def by_command_line(ways: Ways, content: bytes, mode: str, *, accept_altered: bool = False) -> tuple[Any, ...]:
    accepted = ["--accept-altered"] if accept_altered else []
    run = command(ways, content, "--mode", mode, "--on-error", "skip", "--json", *accepted)
    assert run.exit_code == 0, run.stderr
    return of_report(json.loads(run.stdout))


def upload(ways: Ways, content: bytes) -> str:
    """The address of the import of a file that was checked."""
    answer = ways.page("/import", file=(io.BytesIO(content), "f.json"))
    assert answer.status_code == 303, answer.text
    settled(ways, answer.location)
    return str(answer.location)


def settled(ways: Ways, address: str) -> str:
    """The page once nothing runs on it any more."""
    for _ in range(200):
        text = ways.browser.get(address).text
        if "data-poll" not in text.partition("<main")[2]:
            return text
        time.sleep(0.05)
    raise AssertionError("the task did not end in time")


def by_pages(ways: Ways, content: bytes, mode: str, *, accept_altered: bool = False) -> tuple[Any, ...]:
    address = upload(ways, content)
    asked = f"mode={mode}&errors=skip" + ("&altered=accept" if accept_altered else "")
    errors, warnings = shown(ways.browser.get(f"{address}?{asked}").text)
    form = BeautifulSoup(ways.browser.get(f"{address}/confirm?{asked}", follow_redirects=True).text, "html.parser")
    form = form.select_one("form[action$='/apply']")
    fields = {each["name"]: each.get("value", "") for each in form.select("input[name]")}
    assert ways.browser.post(form["action"], data=fields).status_code == 303
    settled(ways, address)
    with ways.app.app_context():
        counts = jobs.get(address.rsplit("/", 1)[1]).result["counts"]
    return {name: counts[name] for name in COUNTS}, errors, warnings


def shown(text: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The errors and the warnings of a page of the import."""
    page = BeautifulSoup(text, "html.parser")
    warned = page.select("details li .row-text")
    return tuple(
        [one(row) for row in page.select("li .row-text") if (row in warned) is is_warning]
        for is_warning in (False, True)
    )


def one(row: Any) -> tuple[Any, ...]:
    number, _, said = row.select_one("p").text.partition(" · ")
    field, _, id = row.select_one("small").text.partition(" · ")
    return int(number.removeprefix("Record ")) - 1, id or None, field or None, said
