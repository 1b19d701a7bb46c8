"""The catalogue's pages over HTTP, as a browser without scripts uses them, and the parts that htmx asks for."""

import json
import re
import sqlite3
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.factories import make_record, store, stored
from tests.people import add_person, close, csrf_token, sign_in
from webadmin import catalogue
from webadmin.accounts import OTHER_PROGRAM, SYSTEM
from webadmin.app import create_app
from webadmin.db import db, transaction

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
EDIT = "/assistants/edit/ast_1"


def soup(answer, status=200):
    assert answer.status_code == status, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def titles(page):
    return [each.text.strip() for each in page.select("tr[data-row] .entry-title a")]


def fields_of(form):
    """What a browser sends for a form in which nobody changed anything, without its buttons."""
    values = {}
    for field in form.select("input, textarea, select"):
        kind, name = field.get("type"), field.get("name")
        if not name or (kind in {"checkbox", "radio"} and not field.has_attr("checked")):
            continue
        if field.name == "textarea":
            values[name] = re.sub(r"\r\n?|\n", "\r\n", field.get_text().removeprefix("\n"))
        elif kind == "hidden":
            values[name] = re.sub(r"\r\n?|\n", "\r\n", field.get("value", ""))
        else:
            values[name] = re.sub(r"[\r\n]", "", field.get("value", field.get("checked", "")))
    return values


def editor(browser, path=EDIT):
    return fields_of(soup(browser.get(path)).select_one("#editor"))


def save(browser, path=EDIT, headers=None, **changes):
    return browser.post(path, data=editor(browser, path) | changes, headers=headers)


def post(browser, path, **fields):
    return browser.post(path, data={"csrf_token": csrf_token(browser.get("/assistants/new")), **fields})


@pytest.fixture
def three(app):
    store(
        app,
        make_record("a", title="SQL Explainer", desc="Plain language", prompt="Find the slow part", tags=["data"]),
        make_record(
            "b", title="单元测试生成器", status="draft", is_public=False, author="zhou.min", tags=["测试", "coding"]
        ),
        make_record("c", title="Dockerfile Slimmer", desc="<script>alert(1)</script>", status="draft", tags=[]),
    )


class TestList:
    def test_shows_everything_with_counts(self, ada, three):
        page = soup(ada.get("/assistants"))
        assert sorted(titles(page)) == sorted(["SQL Explainer", "单元测试生成器", "Dockerfile Slimmer"])
        assert [each.get_text(strip=True) for each in page.select(".tabs .count")] == ["3", "1", "0", "2", "0"]
        assert "Rows 1–3 · 3 match" in page.select_one(".pager").text
        assert not page.find("script", string=re.compile("alert"))

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=sql", ["SQL Explainer"]),
            ("q=测试", ["单元测试生成器"]),
            ("q=slow part", ["SQL Explainer"]),
            ("status=published", ["SQL Explainer"]),
            ("author=zhou.min", ["单元测试生成器"]),
            ("visibility=private", ["单元测试生成器"]),
            ("tag=coding&tag=测试", ["单元测试生成器"]),
            ("tag=coding&q=SQL", []),
            ("sort=title", ["Dockerfile Slimmer", "SQL Explainer", "单元测试生成器"]),
        ],
    )
    def test_finds_what_the_address_says(self, ada, three, query, found):
        assert titles(soup(ada.get(f"/assistants?{query}"))) == found

    def test_shows_what_was_edited_between_two_days(self, app, ada):
        times = {
            "old": "2026-10-31T23:59:59.000Z",
            "in": "2026-11-02T10:00:00.000Z",
            "late": "2026-11-03T00:00:00.000Z",
        }
        store(app, *(make_record(each, title=each, updated_at=at) for each, at in times.items()))
        store(app, make_record("never", title="never edited", created_at="2026-11-01T00:00:00.000Z"))
        page = soup(ada.get("/assistants?from=2026-11-01&to=2026-11-02&sort=title"))
        assert titles(page) == ["in", "never edited"]
        chip = page.select_one(".chip.on")
        assert "1 Nov to 2 Nov" in chip.text
        assert chip["href"] == "/assistants?sort=title"
        kept = {field["name"]: field["value"] for field in page.select("#filters input[type=hidden]")}
        assert kept == {"from": "2026-11-01", "to": "2026-11-02", "sort": "title"}
        assert titles(soup(ada.get("/assistants?from=2026-11-03"))) == ["late"]

    def test_offers_days_to_choose_from(self, ada, three):
        menu = soup(ada.get("/assistants?from=&to=&tag=data"))
        assert [each["name"] for each in menu.select("#filters input[type=date]")] == ["from", "to"]
        week = menu.find("a", string=re.compile("The last 7 days"))["href"]
        assert re.fullmatch(r"/assistants\?tag=data&from=\d{4}-\d\d-\d\d", week)

    def test_marks_matches_and_shows_the_line_of_the_prompt(self, ada, three):
        row = soup(ada.get("/assistants?q=slow")).select_one("tr[data-row]")
        assert row.select_one(".entry-line mark").text == "slow"
        assert "Prompt:" in row.select_one(".entry-line").text

    def test_a_page_of_long_chinese_rows_stays_under_60_kb(self, app, ada):
        long = "根据需求撰写产品文档，并给出验收标准与排期建议。" * 20
        rows = (
            make_record(f"{n:021}", title=long[:30], desc=long, prompt=long + "用户", tags=["产品经理", "文档"] * 3)
            for n in range(40)
        )
        store(app, *rows)
        answer = ada.get("/assistants?q=用户", headers={"Accept-Language": "zh-CN"})
        assert len(soup(answer).select("tr[data-row] mark")) == 25
        assert len(answer.data) < 60_000

    def test_the_menu_of_a_row_is_read_when_opened(self, ada, three):
        listed = {"Referer": "http://localhost/assistants?status=published"}
        menu = soup(ada.get("/assistants")).select_one("#row-a .c-menu a")
        url = menu["hx-get"]
        assert menu["href"] == url
        part = soup(ada.get(url, headers=PARTIAL))
        assert [each.get_text(strip=True) for each in part.select("a, button")] == [
            "Edit", "Duplicate", "Copy prompt", "History", "Export JSON", "Delete…",
        ]  # fmt: skip
        page = soup(ada.get(url, headers=listed))
        question = soup(ada.get(page.select_one(".page-head .danger")["href"]))
        assert question.select_one("[name=back]")["value"] == "/assistants?status=published"
        assert ada.get("/assistants/actions/gone").status_code == 404

    def test_says_where_else_something_matches(self, ada, three):
        page = soup(ada.get("/assistants?q=Docker&status=published"))
        assert "Nothing matches “Docker”." in page.select_one(".empty").text
        assert page.select_one(".empty").find("a", string=re.compile("1 in Draft"))["href"] == (
            "/assistants?q=Docker&status=draft"
        )

    def test_an_empty_catalogue_says_what_to_do(self, ada):
        empty = soup(ada.get("/assistants")).select_one(".empty")
        assert "Add your first assistant" in empty.text
        assert [link["href"] for link in empty.select("a")] == ["/assistants/new", "/import"]

    def test_pages_through_all_rows_once(self, app, ada):
        store(app, *(make_record(f"n{n:03}", title=f"Number {n:03}") for n in range(60)))
        seen, url = [], "/assistants?q=Number&sort=title"
        for expected in ("Rows 1–25 · 60 match", "Rows 26–50 · 60 match", "Rows 51–60 · 60 match"):
            page = soup(ada.get(url))
            assert expected in page.select_one(".pager").text
            seen += titles(page)
            after = page.select_one("a[rel=next]")
            url = after["href"] if after else None
        assert url is None
        assert seen == [f"Number {n:03}" for n in range(60)]
        back = soup(ada.get(page.select_one("a[rel=prev]")["href"]))
        assert titles(back) == seen[25:50]

    def test_an_altered_cursor_is_told(self, ada, three):
        page = soup(ada.get("/assistants?q=SQL&cursor=AAAA"), status=400)
        assert "This cursor does not belong to this list." in page.select_one(".note").text
        assert page.select_one(".note a")["href"] == "/assistants?q=SQL"
        assert titles(page) == ["SQL Explainer"]

    def test_htmx_gets_the_parts_and_the_short_address(self, ada, three):
        answer = ada.get("/assistants?q=SQL&status=&tag=&cursor=", headers=PARTIAL)
        assert answer.headers["HX-Push-Url"] == "/assistants?q=SQL"
        assert "HX-Request-Type" in answer.headers["Vary"]
        assert answer.headers["Cache-Control"] == "no-store"
        part = soup(answer)
        assert not part.select("html, body, #q")
        assert {each["id"] for each in part.select("[id]")} >= {"results", "list-tabs", "list-filters", "live"}
        assert part.select_one("#live").text == "1 match"

    def test_without_scripts_the_filters_are_one_form(self, ada, three):
        page = soup(ada.get("/assistants?tag=coding&visibility=private&view=compact&size=50"))
        form = page.select_one("#filters")
        kept = {"tag": "coding", "visibility": "private", "view": "compact", "size": "50"}
        assert fields_of(form) == kept | {"q": "", "from": "", "to": ""}
        assert form.select_one("button.unscripted")
        for name in ("tag", "author"):
            link = form.select_one(f'a[href^="/assistants/filter/{name}"]')
            values = soup(ada.get(link["href"])).select("main .rows a")
            assert values
            assert all("tag=coding" in value["href"] and "view=compact" in value["href"] for value in values)

    def test_menus_load_their_values_when_opened(self, ada, three):
        part = soup(ada.get("/assistants/filter/tag?q=x", headers=PARTIAL))
        hrefs = {urlsplit(link["href"]).query for link in part.select("a")}
        assert {tuple(parse_qs(query)["tag"]) for query in hrefs} == {("data",), ("测试",), ("coding",)}
        assert ada.get("/assistants/filter/prompt").status_code == 404

    def test_is_closed_to_strangers(self, client, ada, three):
        for path in ("/assistants", "/assistants/edit/a", "/assistants/export/a", "/assistants/prompt/a", "/trash"):
            assert client.get(path).status_code == 302
        assert client.post("/assistants/delete/a").status_code in {302, 401, 403}

    def test_changing_needs_the_token_of_the_session(self, app, ada, three):
        assert ada.post("/assistants/delete/a", data={"csrf_token": "forged"}).status_code == 403
        assert stored(app, "a")


class TestEditor:
    def test_creates_a_draft(self, app, ada):
        values = editor(ada, "/assistants/new")
        typed = {"title": " New ", "desc": "d", "prompt": "\r\none\r\ntwo", "tags": "a，b, c", "is_public": "1"}
        answer = ada.post("/assistants/new", data=values | typed)
        assert answer.status_code == 303
        record = stored(app, values["new_id"])
        assert (record.title, record.prompt, record.tags) == (" New ", "\none\ntwo", ["a", "b", "c"])
        assert (record.status, record.author, record.version, record.is_public) == ("draft", "Ada", 1, True)
        assert answer.headers["Location"].endswith(values["new_id"])
        assert "Created as a draft." in ada.get(answer.headers["Location"]).text

    def test_a_form_sent_twice_makes_one(self, app, ada):
        values = editor(ada, "/assistants/new") | {"title": "t", "desc": "", "prompt": "p"}
        first, second = (ada.post("/assistants/new", data=values) for _ in range(2))
        assert first.headers["Location"] == second.headers["Location"]
        with app.app_context():
            assert catalogue.counts(db.session(), catalogue.Query())["all"] == 1

    def test_refusal_keeps_what_was_typed_and_names_fields(self, app, ada):
        values = editor(ada, "/assistants/new") | {"title": "", "desc": "x" * 1001, "prompt": "kept\r\ntext"}
        page = soup(ada.post("/assistants/new", data=values), status=422)
        assert {link["href"] for link in page.select(".note.bad a")} == {"#title", "#desc"}
        for name in ("title", "desc"):
            field = page.select_one(f"#{name}")
            assert field["aria-invalid"] == "true"
            assert page.select_one(f"#{field['aria-describedby'].split()[0]}").text.strip()
        assert "1001 characters; the limit is 1000" in page.select_one("#desc-error").text
        assert page.select_one("#prompt").text == "\nkept\ntext" or "kept" in page.select_one("#prompt").text
        part = soup(ada.post("/assistants/new", data=values, headers=PARTIAL), status=422)
        assert part.select_one("form#editor")
        assert not part.select("html")

    def test_saves_one_field_and_nothing_else(self, app, ada):
        before = make_record(
            emoji="🤖\r\n",
            title="Two\nlines",
            desc="one\r\ntwo",
            prompt="\r\na\r\nb\n",
            tags=["a, b", 'say "x"', " spaced ", "c"],
            extra={"color": b'{"a":1}'},
        )
        store(app, before)
        assert save(ada, tags_unused="").status_code == 303
        assert stored(app).version == 1
        assert save(ada, is_public="").headers["Location"] == EDIT
        after = stored(app)
        assert catalogue.changed_fields(before, after) == ["is_public", "updated_at"]
        assert after.version == 2

    def test_a_changed_text_keeps_its_kind_of_line_ends(self, app, ada):
        store(app, make_record(prompt="a\r\nb"))
        save(ada, prompt="a\r\nb\r\nc")
        assert stored(app).prompt == "a\r\nb\r\nc"

    def test_tags_that_are_no_list_survive(self, app, ada):
        store(app, make_record(tags="not json"))
        save(ada, title="New title")
        assert stored(app).tags == "not json"
        save(ada, tags="one")
        assert stored(app).tags == ["one"]

    def test_an_old_text_over_the_limit_may_stay(self, app, ada):
        store(app, make_record(title="x" * 300, tags=[str(n) for n in range(50)]))
        assert save(ada, desc="changed").status_code == 303
        assert stored(app).desc == "changed"
        assert save(ada, title="y" * 300).status_code == 422

    def test_shows_other_fields_and_versions(self, app, ada):
        store(app, make_record(extra={"temperature": b"0.7"}, usage_count=5))
        save(ada, title="Renamed")
        page = soup(ada.get(EDIT))
        names, values = page.select("details dt"), page.select("details dd")
        others = {name.text: value.text for name, value in zip(names, values, strict=True)}
        assert others["temperature"] == "0.7"
        assert others["usageCount"] == "5"
        versions = [" ".join(each.text.split()) for each in page.select(".timeline p")]
        assert versions == ["v2 · Title", "v1 Compare · Imported"]
        history = soup(ada.get(page.select_one(".timeline a")["href"]))
        assert "Renamed" in history.select_one("main").text
        assert page.select_one("#save-bar .primary").get_text(strip=True).startswith("Save as v3")

    @pytest.mark.parametrize(
        ("source", "head", "version", "who"),
        [
            (None, "v2 · saved by Ada just now", "v2 · Title", "Ada"),
            ("import", "v1 · imported by system just now", "v1 · Imported", "system"),
            ("found", "v1 · found at the first opening, just now", "v1 · Found at the first opening", None),
        ],
    )
    def test_says_how_the_version_came_about(self, app, ada, source, head, version, who):
        with app.app_context(), transaction() as session:
            actor = SYSTEM if source == "import" else OTHER_PROGRAM
            change = catalogue.Change(None, make_record())
            catalogue.write_records(session.connection(), actor, [change], source=source or "import")
        if source is None:
            save(ada, title="Renamed")
        page = soup(ada.get(EDIT))
        newest = page.select_one(".timeline li")
        assert page.select_one(".page-title p").text == head
        assert " ".join(newest.p.text.split()) == version
        assert [name.text for name in newest.select("small span")] == ([who] if who else [])

    def test_says_what_another_program_changed(self, app, ada, folder):
        store(app, make_record())
        with closing(sqlite3.connect(folder / "assistants.db")) as other:
            other.execute("UPDATE assistants SET title = 'Renamed'")
            other.commit()
        page = soup(ada.get(EDIT))
        assert page.select_one(".page-title p").text == "v1 · changed by another program, noticed just now"
        assert " ".join(page.select_one(".timeline li").text.split()).startswith("v1 · Title other program")

    def test_htmx_save_answers_everything_around_the_fields(self, app, ada):
        store(app, make_record())
        answer = save(ada, headers=PARTIAL, title="Renamed")
        part = soup(answer)
        assert [each["id"] for each in part.select("[hx-swap-oob]")] == [
            "editor-head", "rail", "save-bar", "prompt-tabs", "prompt-pane", "toasts",
        ]  # fmt: skip
        assert part.select_one("#save-bar [name=version]")["value"] == "2"
        assert not part.select("#title, #prompt")
        assert "Saved as v2." in part.select_one("#toasts").text

    @pytest.mark.parametrize("record_id", ["new", "backup", "a/b?c#d%20 e", "..", "~x", "编号", "x" * 255, "//"])
    def test_any_id_can_be_edited(self, app, ada, record_id):
        store(app, make_record(record_id))
        link = soup(ada.get("/assistants")).select_one(".entry-title a")["href"]
        assert save(ada, link, title="Renamed").status_code == 303
        assert stored(app, record_id).title == "Renamed"

    def test_without_a_version_nothing_is_saved(self, app, ada):
        store(app, make_record())
        values = editor(ada) | {"title": "Renamed"}
        del values["version"]
        assert ada.post(EDIT, data=values).status_code == 400
        assert stored(app).title == "Code Reviewer"

    def test_previews_the_card(self, app, ada):
        store(app, make_record())
        typed = editor(ada) | {
            "title": "<b>T</b>",
            "tags": 'a, "b, c"',
            "prompt": "Ask {name} in {{语言}}\r\n{name} {1}",
        }
        part = soup(ada.post("/assistants/preview/ast_1", data=typed, headers=PARTIAL))
        assert part.select_one(".entry-title").text == "<b>T</b>"
        assert [tag.text for tag in part.select(".tag")] == ["a", "b, c"]
        assert part.select_one(".preview-foot").text.endswith("marta")
        assert part.select_one("#prompt-hint").text == "Variables found: {name} {语言}"
        assert part.select_one("#prompt-changes").text == "+2 −2"
        assert stored(app).version == 1

    @pytest.mark.parametrize("headers", [None, PARTIAL])
    def test_shows_the_prompt_as_it_reads_and_what_was_changed(self, app, ada, headers):
        store(app, make_record(prompt="one\r\ntwo"))
        button = soup(ada.get(EDIT)).select_one("#show-changes")
        assert button.text == "Changes"
        typed = editor(ada) | {"title": "Typed", "prompt": "one\r\ntwo <b>\r\nthree"}
        page = soup(ada.post(button["formaction"], data=typed, headers=headers))
        assert page.select_one("#show-changes").text == "Changes+2 −1"
        assert page.select_one("#prompt-tabs [aria-pressed=true]")["id"] == "show-changes"
        lines = [line.text for line in page.select("#prompt-pane .diff > div")]
        assert lines == ["one", "removed two", "added two <b>", "added three"]
        page = soup(ada.post("/assistants/preview/ast_1?show=preview", data=typed, headers=headers))
        assert page.select_one("#prompt-pane .text-block").text.splitlines() == ["one", "two <b>", "three"]
        assert bool(page.select("html")) == (headers is None)
        if headers is None:
            assert fields_of(page.select_one("#editor")) == typed
        assert stored(app).version == 1

    def test_compares_with_the_version_that_was_begun_from(self, app, ada):
        store(app, make_record(prompt="one"))
        mine = editor(ada) | {"prompt": "one\r\nmine"}
        save(ada, prompt="theirs")
        page = soup(ada.post("/assistants/preview/ast_1?show=changes", data=mine))
        assert page.select_one(".diff")["aria-label"] == "Changes since v1"
        assert [line.text for line in page.select(".diff .added, .diff .removed")] == ["added mine"]
        assert fields_of(page.select_one("#editor"))["version"] == "1"

    def test_suggests_the_most_used_tags_that_are_not_there_yet(self, app, ada):
        tags = [["a, b", "coding"], ["a, b", "coding", "x"], ["coding"], [" "], []]
        store(app, *(make_record(f"n{n}", tags=each) for n, each in enumerate(tags)))
        url = soup(ada.get("/assistants/edit/n2")).select_one("[data-suggestions=tags]")["hx-get"]
        found = soup(ada.get(url, query_string={"tags": "coding"})).select("[data-tag]")
        assert [(each["data-tag"], each.select_one(".muted").text) for each in found] == [("a, b", "2"), ("x", "1")]
        assert "Separate tags" in ada.get(url, query_string={"tags": 'coding, "a, b", x'}).text

    def test_a_new_prompt_has_no_changes(self, ada):
        values = editor(ada, "/assistants/new") | {"title": "T", "prompt": "p"}
        page = soup(ada.post("/assistants/preview?show=preview", data=values))
        assert [button["id"] for button in page.select("#prompt-tabs button")] == ["show-write", "show-preview"]
        assert fields_of(page.select_one("#editor")) == values

    @pytest.mark.parametrize("path", ["/assistants/preview/a%2Fb", "/assistants/preview"])
    def test_the_address_of_a_preview_leads_to_the_editor(self, app, ada, path):
        store(app, make_record("a/b"))
        answer = ada.get(path)
        assert answer.status_code == 303
        assert ada.get(answer.headers["Location"]).status_code == 200

    def test_duplicates_into_a_draft(self, app, ada):
        store(app, make_record(extra={"k": b"1"}))
        answer = post(ada, "/assistants/duplicate/ast_1")
        copy = stored(app, answer.headers["Location"].rsplit("/", 1)[1])
        assert (copy.title, copy.status, copy.author, copy.version) == ("Code Reviewer (copy)", "draft", "Ada", 1)
        assert copy.prompt == stored(app).prompt
        assert copy.extra == {"k": b"1"}

    def test_gives_the_prompt_as_plain_text(self, app, ada):
        store(app, make_record(prompt="<b>x</b>\r\ny"))
        answer = ada.get("/assistants/prompt/ast_1")
        assert answer.mimetype == "text/plain"
        assert answer.data == b"<b>x</b>\r\ny"

    def test_unknown_is_not_found(self, ada):
        assert ada.get("/assistants/edit/nothing").status_code == 404


class TestLocked:
    @pytest.fixture
    def app(self, make_config):
        built = create_app(make_config(DB_TIMEOUT="50"))
        yield built
        close(built)

    def test_a_save_that_cannot_be_made_brings_the_text_back(self, app, ada, folder):
        store(app, make_record())
        mine, new = editor(ada) | {"title": "Mine"}, editor(ada, "/assistants/new") | {"title": "Mine", "prompt": "p"}
        with closing(sqlite3.connect(folder / "assistants.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for path, fields in ((EDIT, mine), ("/assistants/new", new)):
                page = soup(ada.post(path, data=fields), status=503)
                assert "write lock" in page.select_one(".note.bad").text
                assert page.select_one("#title")["value"] == "Mine"
                part = soup(ada.post(path, data=fields, headers=PARTIAL), status=503)
                assert [each["id"] for each in part.select("[hx-swap-oob]")] == ["toasts"]
            assert ada.get("/assistants").status_code == 200
        assert ada.post(EDIT, data=mine).status_code == 303
        assert stored(app).title == "Mine"


class TestStatus:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("draft", "pending"),
            ("draft", "published"),
            ("pending", "published"),
            ("pending", "draft"),
            ("published", "draft"),
            ("rejected", "pending"),
            ("rejected", "draft"),
        ],
    )
    def test_a_button_moves_it_and_saves_what_was_typed(self, app, ada, old, new):
        store(app, make_record(status=old))
        assert soup(ada.get(EDIT)).select_one(f'button[name=move][value="{new}"]')
        save(ada, title="Typed too", move=new)
        assert (stored(app).status, stored(app).title) == (new, "Typed too")

    def test_rejecting_needs_a_note(self, app, ada):
        store(app, make_record(status="pending"))
        page = soup(save(ada, move="rejected", title="Kept"), status=422)
        assert page.select_one("#review_note")["aria-invalid"] == "true"
        assert page.select_one("#title")["value"] == "Kept"
        assert stored(app).status == "pending"
        save(ada, move="rejected", review_note="Too\r\nlong")
        assert (stored(app).status, stored(app).review_note) == ("rejected", "Too\nlong")

    def test_a_move_that_does_not_exist_changes_nothing(self, app, ada):
        store(app, make_record(status="published"))
        assert save(ada, move="rejected", title="x", review_note="n").status_code == 422
        assert (stored(app).status, stored(app).title) == ("published", "Code Reviewer")


class TestSeveral:
    def move(self, browser, action, *ids):
        form = fields_of(soup(browser.get("/assistants?sort=title")).select_one("#results"))
        answer = browser.post(f"/assistants/{action}", data=form | {"id": list(ids)})
        assert answer.headers["Location"] == "/assistants?sort=title"
        return soup(browser.get("/assistants")).select_one("[data-toast] p").text

    @pytest.fixture
    def four(self, app):
        store(app, *(make_record(status, status=status) for status in catalogue.STATUSES))

    def test_publishes_what_can_be_published(self, app, ada, four):
        said = self.move(ada, "publish", *catalogue.STATUSES, "gone", "draft")
        assert said == (
            "2 published. 1 was published already. 1 is rejected: submit it for review first. 1 was deleted meanwhile."
        )
        found = {status: (stored(app, status).status, stored(app, status).version) for status in catalogue.STATUSES}
        assert found["draft"] == found["pending"] == ("published", 2)
        assert (found["published"], found["rejected"]) == (("published", 1), ("rejected", 1))
        assert stored(app, "draft").published_at

    def test_unpublishes_only_what_is_published(self, app, ada, four):
        assert self.move(ada, "unpublish", *catalogue.STATUSES) == "1 unpublished. 3 were not published."
        assert [stored(app, each).status for each in ("published", "pending", "rejected")] == [
            "draft", "pending", "rejected",
        ]  # fmt: skip

    def test_leaves_out_what_was_changed_since_the_list_was_read(self, app, ada, four):
        form = fields_of(soup(ada.get("/assistants")).select_one("#results"))
        save(ada, "/assistants/edit/draft", prompt="Not what was on the list")
        ada.get("/assistants/edit/draft")
        ada.post("/assistants/publish", data=form | {"id": ["draft", "pending"]})
        said = soup(ada.get("/assistants")).select("[data-toast] p")[-1].text
        assert said == "1 published. 1 was changed meanwhile and left out."
        assert stored(app, "draft").status == "draft"

    def test_nothing_selected_is_told(self, ada, four):
        assert self.move(ada, "publish") == "Nothing was selected."


class TestConflict:
    @pytest.fixture
    def rita(self, app):
        add_person(app, "Rita")
        browser = app.test_client()
        sign_in(browser, "Rita")
        return browser

    @pytest.fixture
    def page(self, app, ada, rita):
        """Ada's page after Rita saved first: both changed the prompt, Ada the emoji, Rita the title."""
        store(app, make_record(emoji="🐛\r\n"))
        mine = editor(ada) | {"prompt": "You review.\r\nMine.", "emoji": "🧪", "tags": 'coding, review, "x, y"'}
        save(rita, prompt="You review.\r\nTheirs.", title="Their title")
        return soup(ada.post(EDIT, data=mine), status=409)

    def test_shows_both_sides_and_loses_nothing(self, page):
        assert "Someone else saved this first" in page.h1.text
        assert "You started from v1. Rita saved v2" in page.select_one(".page-title p").text
        cards = {card.h2.text: " ".join(card.header.text.split()) for card in page.select("#conflict .card")}
        assert "Both changed" in cards["System prompt"]
        assert "Changed by Rita" in cards["Title"]
        assert "Changed by you" in cards["Emoji"]
        assert next(iter(cards)) == "System prompt"
        sent = fields_of(page.select_one("#conflict"))
        assert sent["prompt"] == "You review.\r\nMine."
        assert sent["emoji"] == "🧪"
        assert (sent["version"], sent["base_version"]) == ("2", "1")
        assert [sent[f"choice-{name}"] for name in ("prompt", "title", "emoji", "tags")] == [
            "mine", "theirs", "mine", "mine",
        ]  # fmt: skip

    def test_saves_what_was_chosen(self, app, ada, page):
        ada.post(EDIT, data=fields_of(page.select_one("#conflict")) | {"choice-emoji": "theirs"})
        record = stored(app)
        assert (record.version, record.title, record.prompt) == (3, "Their title", "You review.\nMine.")
        assert record.emoji == "🐛\r\n"
        assert record.tags == ["coding", "review", "x, y"]

    def test_a_further_conflict_keeps_the_choices(self, app, ada, rita, page):
        save(rita, desc="Third")
        again = soup(
            ada.post(EDIT, data=fields_of(page.select_one("#conflict")) | {"choice-prompt": "theirs"}), status=409
        )
        sent = fields_of(again.select_one("#conflict"))
        assert (sent["choice-prompt"], sent["version"], sent["base_version"]) == ("theirs", "3", "1")
        assert sent["prompt"] == "You review.\r\nMine."

    @pytest.mark.parametrize("side", ["mine", "theirs"])
    def test_one_button_chooses_all(self, app, ada, page, side):
        again = soup(ada.post(EDIT, data=fields_of(page.select_one("#conflict")) | {"all": side}), status=409)
        checked = {radio["value"] for radio in again.select("input[type=radio][checked]")}
        assert checked == {side}
        assert stored(app).version == 2

    def test_htmx_gets_the_part(self, app, ada, rita):
        store(app, make_record())
        mine = editor(ada) | {"title": "Mine"}
        save(rita, title="Theirs")
        part = soup(ada.post(EDIT, data=mine, headers=PARTIAL), status=409)
        assert part.select_one("form#conflict")
        assert not part.select("html")

    def test_a_typed_note_comes_along(self, app, ada, rita):
        store(app, make_record(status="pending"))
        mine = editor(ada) | {"review_note": "Good\r\nwork", "move": "published"}
        save(rita, title="Theirs")
        page = soup(ada.post(EDIT, data=mine), status=409)
        assert fields_of(page.select_one("#conflict"))["review_note"] == "Good\r\nwork"

    def test_too_long_a_choice_goes_back_to_the_editor(self, app, ada, rita):
        store(app, make_record())
        mine = editor(ada) | {"title": "x" * 201}
        save(rita, desc="Theirs")
        page = soup(ada.post(EDIT, data=mine), status=409)
        form = soup(ada.post(EDIT, data=fields_of(page.select_one("#conflict"))), status=422).select_one("#editor")
        assert fields_of(form) | {"version": "2", "title": "x" * 201, "desc": "Theirs"} == fields_of(form)

    def test_deleted_meanwhile_becomes_a_new_one(self, app, ada, rita):
        store(app, make_record())
        mine = editor(ada) | {"title": "Mine"}
        post(rita, "/assistants/delete/ast_1")
        page = soup(ada.post(EDIT, data=mine), status=409)
        assert "Rita deleted it" in page.select_one(".page-title p").text
        answer = ada.post("/assistants/new", data=fields_of(page.select_one("main form.stack")))
        record = stored(app, answer.headers["Location"].rsplit("/", 1)[1])
        assert (record.title, record.prompt) == ("Mine", "You review code changes.\nQuote the line.")


def test_a_copy_that_is_asked_for_twice_is_made_once(app, ada):
    store(app, make_record())
    form = soup(ada.get(EDIT)).select_one("#editor-head form[action*=duplicate]")
    menu = soup(ada.get("/assistants/actions/ast_1", headers=PARTIAL)).select_one("[formaction*=duplicate]")
    assert menu["name"] == "copy_id"
    assert len(menu["value"]) == 21
    places = {ada.post(form["action"], data=fields_of(form)).headers["Location"] for _ in range(2)}
    assert places == {f"/assistants/edit/{fields_of(form)['copy_id']}"}
    assert len(titles(soup(ada.get("/assistants")))) == 2


class TestDeletion:
    def test_asks_deletes_and_undoes(self, app, ada, three):
        before = stored(app, "a")
        seen = {"Referer": "http://localhost/assistants?status=published"}
        question = soup(ada.get("/assistants/delete/a", headers=seen))
        assert "Delete “SQL Explainer”?" in question.h1.text
        form = question.select_one("form.dialog-body")
        answer = ada.post(form["action"], data=fields_of(form))
        assert answer.headers["Location"] == "/assistants?status=published"
        page = soup(ada.get("/assistants"))
        assert "SQL Explainer" not in titles(page)
        undo = page.select_one("[data-toast] form")
        assert ada.post(undo["action"], data=fields_of(undo)).status_code == 303
        assert catalogue.changed_fields(before, stored(app, "a")) == ["updated_at"]

    def test_one_that_changed_meanwhile_is_asked_about_again(self, app, ada):
        store(app, make_record())
        form = soup(ada.get("/assistants/delete/ast_1")).select_one("form.dialog-body")
        save(ada, title="Changed")
        page = soup(ada.post(form["action"], data=fields_of(form)), status=409)
        assert "It was changed since you asked." in page.text
        assert stored(app).title == "Changed"

    @pytest.mark.parametrize("seen", ["http://example.org/assistants?q=x", "http://localhost/assistants/edit/ast_1"])
    def test_leads_back_to_no_other_page(self, app, ada, seen):
        store(app, make_record())
        question = soup(ada.get("/assistants/delete/ast_1", headers={"Referer": seen}))
        assert question.select_one("[name=back]")["value"] == "/assistants"

    def test_leads_back_to_this_site_only(self, app, ada):
        store(app, make_record())
        assert post(ada, "/assistants/delete/ast_1", back="https://example.org/").headers["Location"] == "/"

    def test_several_go_after_a_question_and_a_safety_backup(self, app, ada, three, folder):
        question = soup(post(ada, "/assistants/delete", id=["a", "b", "gone"], back="/assistants?q=x"))
        form = question.select_one("form.dialog-body")
        assert "Delete 2 assistants?" in form.h1.text
        assert stored(app, "a")
        fields = {
            "csrf_token": fields_of(form)["csrf_token"],
            "confirmed": "1",
            "id": ["a", "b"],
            "back": "/assistants?q=x",
        }
        answer = ada.post(form["action"], data=fields)
        assert answer.headers["Location"] == "/assistants?q=x"
        saved = list((folder / "backups").glob("assistants_backup_*.json"))
        assert len(saved) == 1
        assert {each["id"] for each in json.loads(saved[0].read_bytes())["assistants"]} == {"a", "b", "c"}
        page = soup(ada.get("/assistants"))
        assert titles(page) == ["Dockerfile Slimmer"]
        assert "Deleted 2 assistants." in page.select_one("[data-toast]").text
        undo = page.select_one("[data-toast] form")
        ada.post(undo["action"], data=fields_of(undo))
        assert len(titles(soup(ada.get("/assistants")))) == 3

    def test_nothing_selected_is_told(self, ada, three):
        for path in ("/assistants/delete", "/assistants/export", "/assistants/publish", "/assistants/tags"):
            assert post(ada, path).headers["Location"] == "/assistants"
            assert "Nothing was selected." in ada.get("/assistants").text


WHOLE_LIST = {"all": "1", "back": "/assistants?tag=coding", "id": ["a"]}


class TestAllThatMatch:
    """Acts on a whole list, whose filters its form carries."""

    @pytest.fixture(autouse=True)
    def _records(self, app):
        store(
            app,
            *(make_record(f"d{n:02}", status="draft", title=f"Draft {n:02}") for n in range(28)),
            make_record("p", status="published"),
            make_record("r", status="rejected"),
            make_record("other", status="draft", tags=["writing"]),
        )

    def agree(self, ada, page):
        form = page.select_one("form.dialog-body")
        return ada.post(form["action"], data=fields_of(form))

    def told(self, ada):
        return soup(ada.get("/assistants")).select_one("[data-toast]").text

    def test_the_list_offers_it_where_it_has_more_pages(self, ada):
        page = soup(ada.get("/assistants?tag=coding"))
        assert "All 30 that match" in page.select_one(".bulk-bar label").text
        assert soup(ada.get("/assistants?tag=writing")).select_one("[name=all]") is None

    def test_publishing_says_first_what_it_would_do(self, app, ada, folder):
        page = soup(post(ada, "/assistants/publish", **WHOLE_LIST))
        assert "Publish 28 assistants?" in page.h1.text
        text = page.select_one("form.dialog-body p").text
        assert "A safety backup is taken first. 1 was published already. 1 is rejected" in text
        assert stored(app, "d00").status == "draft"
        assert self.agree(ada, page).headers["Location"] == "/assistants?tag=coding"
        assert "28 published." in self.told(ada)
        assert {stored(app, f"d{n:02}").status for n in range(28)} == {"published"}
        assert (stored(app, "r").status, stored(app, "other").status) == ("rejected", "draft")
        assert len(list((folder / "backups").glob("*.json"))) == 1

    def test_unpublishing_leaves_what_is_not_published(self, app, ada):
        page = soup(post(ada, "/assistants/unpublish", **WHOLE_LIST))
        assert "Unpublish 1 assistant?" in page.h1.text
        self.agree(ada, page)
        assert stored(app, "p").status == "draft"
        assert stored(app, "r").status == "rejected"

    def test_nothing_to_publish_is_told_without_a_question(self, ada):
        post(ada, "/assistants/publish", all="1", back="/assistants?status=published")
        assert "1 was published already." in self.told(ada)

    def test_deleting_and_undoing(self, app, ada, folder):
        page = soup(post(ada, "/assistants/delete", **WHOLE_LIST))
        assert "Delete 30 assistants?" in page.h1.text
        assert [each.text for each in page.select(".prose li")][10] == "and 20 more"
        self.agree(ada, page)
        assert len(list((folder / "backups").glob("*.json"))) == 1
        listed = soup(ada.get("/assistants"))
        assert len(titles(listed)) == 1
        undo = listed.select_one("[data-toast] form")
        ada.post(undo["action"], data=fields_of(undo))
        assert "30 assistants are back." in self.told(ada)
        assert stored(app, "r").status == "rejected"

    def test_a_list_that_grew_is_not_acted_on(self, app, ada):
        page = soup(post(ada, "/assistants/delete", **WHOLE_LIST))
        store(app, make_record("new"))
        answer = self.agree(ada, page)
        assert answer.status_code == 409
        assert "31 match now, not 30 as when you looked. Nothing was changed." in answer.text
        assert stored(app, "d00")

    def test_what_changed_since_the_list_was_read_is_left_out(self, app, ada):
        seen_at = soup(ada.get("/assistants")).select_one("[name=seen_at]")["value"]
        save(ada, "/assistants/edit/d00", title="Changed")
        page = soup(post(ada, "/assistants/delete", seen_at=seen_at, **WHOLE_LIST))
        assert "Delete 29 assistants?" in page.h1.text
        self.agree(ada, page)
        assert "1 was changed meanwhile and left out." in self.told(ada)
        assert stored(app, "d00").title == "Changed"

    def test_without_its_list_it_is_refused(self, app, ada):
        assert post(ada, "/assistants/delete", all="1", back="/", confirmed="1").status_code == 400
        assert stored(app, "d00")

    def test_exporting_takes_every_page(self, ada):
        answer = post(ada, "/assistants/export", **WHOLE_LIST)
        assert len(json.loads(answer.data)) == 30
        assert int(answer.headers["Content-Length"]) == len(answer.data)


class TestEditTags:
    def test_adds_and_takes_away(self, app, ada, three):
        page = soup(post(ada, "/assistants/tags", id=["a", "b"], back="/assistants?q=x"))
        assert "Edit the tags of 2 assistants" in page.h1.text
        form = page.select_one("form.dialog-body")
        before = {each: stored(app, each).tags for each in "abc"}
        fields = fields_of(form) | {"id": ["a", "b"], "tags": 'new, "x, y"', "untag": before["a"][0]}
        assert ada.post(form["action"], data=fields).headers["Location"] == "/assistants?q=x"
        assert "Tags of 2 assistants changed." in soup(ada.get("/assistants")).select_one("[data-toast]").text
        assert stored(app, "a").tags == [*before["a"][1:], "new", "x, y"]
        assert stored(app, "b").tags == [*(tag for tag in before["b"] if tag != before["a"][0]), "new", "x, y"]
        assert stored(app, "c").tags == before["c"]

    def test_says_which_stay_as_they_are(self, app, ada):
        store(app, make_record("has", tags=["one"]), make_record("full", tags=[f"t{n}" for n in range(32)]))
        post(ada, "/assistants/tags", id=["has", "full", "gone"], tags="one", confirmed="1")
        said = soup(ada.get("/assistants")).select_one("[data-toast]").text
        assert "1 had them so already. 1 would break the limits of tags and was left out." in said
        assert "1 was deleted meanwhile." in said
        assert len(stored(app, "full").tags) == 32

    def test_no_tag_is_a_mistake_that_is_shown(self, ada, three):
        page = soup(post(ada, "/assistants/tags", id=["a"], confirmed="1"), status=422)
        assert "Name a tag to add, or one to take away." in page.select_one(".error").text
        assert page.select_one("[name=id]")["value"] == "a"


class TestTrash:
    def test_shows_and_puts_back(self, app, ada, three):
        post(ada, "/assistants/delete/b")
        page = soup(ada.get("/trash"))
        row = page.select_one("tr[data-row]")
        assert "单元测试生成器" in row.text
        assert "in 30 days" in row.text
        form = row.select_one("form")
        assert ada.post(form["action"], data=fields_of(form)).headers["Location"] == "/assistants/edit/b"
        assert stored(app, "b").version == 2
        assert "The trash is empty." in ada.get("/trash").text

    @pytest.mark.parametrize("how", ["replace", "copy"])
    def test_an_id_in_use_is_asked_about(self, app, ada, how):
        store(app, make_record(title="Old"))
        post(ada, "/assistants/delete/ast_1")
        store(app, make_record(title="New"))
        number = soup(ada.get("/trash")).select_one("tr[data-row]")["id"].removeprefix("trash-")
        page = soup(post(ada, f"/trash/put-back/{number}"), status=409)
        assert "The id of “Old” is in use again" in page.h1.text
        form = page.select_one(f'form:has([name=how][value="{how}"])')
        answer = ada.post(form["action"], data=fields_of(form))
        restored = stored(app, answer.headers["Location"].rsplit("/", 1)[1])
        assert restored.title == "Old"
        assert stored(app).title == ("Old" if how == "replace" else "New")

    def test_undo_brings_back_the_others_when_one_id_is_in_use(self, app, ada, three):
        for record_id in ("a", "b", "c"):
            post(ada, f"/assistants/delete/{record_id}")
        store(app, make_record("a", title="New"))
        soup(post(ada, "/trash/undo?number=1&number=2&number=3&number=99"), status=409)
        assert {stored(app, each).title for each in "abc"} == {"New", "单元测试生成器", "Dockerfile Slimmer"}

    def test_what_another_program_deleted_can_be_put_back(self, app, ada, three, folder):

        other = sqlite3.connect(folder / "assistants.db")
        other.execute("DELETE FROM assistants WHERE id = 'a'")
        other.commit()
        other.close()
        assert "SQL Explainer" not in ada.get("/assistants").text
        row = soup(ada.get("/trash")).select_one("tr[data-row]")
        assert "SQL Explainer" in row.text
        ada.post(row.form["action"], data=fields_of(row.form))
        assert stored(app, "a").title == "SQL Explainer"

    def test_pages_of_fifty(self, app, ada):
        store(app, *(make_record(f"n{n}") for n in range(60)))
        with app.app_context(), transaction() as session:
            for n in range(60):
                catalogue.remove(session, SYSTEM, f"n{n}")
        page = soup(ada.get("/trash"))
        assert len(page.select("tr[data-row]")) == 50
        assert len(soup(ada.get(page.select_one("a[rel=next]")["href"])).select("tr[data-row]")) == 10


class TestExport:
    def test_one_is_a_document_that_import_reads(self, app, ada):
        record = make_record("a/b", extra={"k": b"[1,2]"}, emoji="🤖\r\n")
        store(app, record)
        menu = soup(ada.get("/assistants")).select_one("tr[data-row] .c-menu a")
        link = soup(ada.get(menu["href"], headers=PARTIAL)).select_one("a[download]")
        answer = ada.get(link["href"])
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="assistant_')
        assert json.loads(answer.data) == [json.loads(catalogue.encode(record))]

    def test_several_leave_out_what_is_gone(self, ada, three):
        answer = post(ada, "/assistants/export", id=["a", "c", "gone"])
        assert [each["id"] for each in json.loads(answer.data)] == ["a", "c"]


def test_chinese_pages_speak_chinese_or_the_source(ada, three):
    answer = ada.get("/assistants", headers={"Accept-Language": "zh-CN"})
    page = soup(answer)
    assert page.html["lang"] in {"zh-CN", "en"}
    assert titles(page)


def test_a_viewer_is_shown_nothing_to_type_with(app):
    store(app, make_record("ast_1"))
    add_person(app, "Vic", role="viewer")
    browser = app.test_client()
    sign_in(browser, "Vic")
    editor = soup(browser.get(EDIT)).select_one("#editor")
    fields = [field["id"] for field in editor.select(".input")]
    assert len(fields) == 5
    assert [field["id"] for field in editor.select("[readonly]")] == fields
    assert editor.select("[data-suggestions], [data-tag], .primary, [role=switch]:not([disabled])") == []
