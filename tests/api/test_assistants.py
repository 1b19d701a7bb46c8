"""The catalogue over real HTTP: what each call does, what stays as it is, and what a list shows of odd rows."""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
from contextlib import closing
from urllib.parse import quote

import pytest

from webadmin import catalogue

LIST = "/api/assistants"
NEW = {"title": "Code Reviewer", "desc": "Reads a diff", "emoji": "🤖", "prompt": "You review."}
BARE = {"updatedAt": None, "reviewedAt": None, "publishedAt": None, "reviewNote": None}
ODD_IDS = [
    "a/b", "a//b", "/a", "new", "backup", "backup/list", "status", "a/status", "~", "~YQ", ".", "..", "ä 1", "a?b#c",
    "%2F", "%", "a\nb", "x" * 255,
]  # fmt: skip


@pytest.fixture
def client(site, shared):
    """A client of a site whose catalogue is empty."""
    with closing(sqlite3.connect(site.data / "assistants.db")) as other, other:
        for table in ("assistants", "aa_extra", "aa_revision", "aa_trash", "aa_change"):
            other.execute(f"DELETE FROM {table}")
    return shared


def foreign(site, sql, *values):
    """Let another program change the database."""
    with closing(sqlite3.connect(site.data / "assistants.db")) as other, other:
        other.execute(sql, values)


def address(id):
    return f"{LIST}/{catalogue.encode_id(id)}"


def data(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def error(answer, status, code):
    assert answer.status_code == status, answer.text
    found = answer.json()["error"]
    assert found["code"] == code
    return found


def fields(answer):
    return {problem["field"]: problem["message"] for problem in error(answer, 400, "VALIDATION_ERROR")["details"]}


def create(client, **more):
    return data(client.post(LIST, json=NEW | more), 201)


def put(client, record, **changes):
    return client.put(address(record["id"]), json={"version": record["version"]} | changes)


def move(client, record, status, **more):
    return client.patch(f"{address(record['id'])}/status", json={"status": status, "version": record["version"]} | more)


def fill(client, count, **more):
    """Assistants `a000` … of five days, so that many were created at the same time."""
    records = [
        {"id": f"a{n:03}", "createdAt": f"2026-01-0{1 + n % 5}", "title": f"Title {n}", "prompt": "p"} | more
        for n in range(count)
    ]
    metadata = {"version": "1.0.0", "timestamp": "2026-02-01T00:00:00.000Z", "recordCount": count}
    data(client.post(f"{LIST}/backup/import", json={"metadata": metadata, "assistants": records}))
    return [r["id"] for r in sorted(sorted(records, key=lambda r: r["id"]), key=lambda r: r["createdAt"], reverse=True)]


def ids(page):
    return [record["id"] for record in page["data"]]


class TestCreate:
    def test_it_is_a_draft_of_the_caller_and_can_be_read_where_the_answer_says(self, client):
        answer = client.post(LIST, json=NEW)
        record = data(answer, 201)
        assert record == NEW | BARE | {
            "id": record["id"],
            "tags": [],
            "isPublic": False,
            "status": "draft",
            "author": "tests",
            "createdAt": record["createdAt"],
            "version": 1,
        }
        assert len(record["id"]) == 21
        assert data(client.get(answer.headers["Location"])) == record

    def test_optional_fields_and_unknown_keys_are_kept_to_the_digit(self, client):
        text = json.dumps(NEW | {"id": "x", "tags": ["a"], "isPublic": True, "author": "Eva", "rating": 4.5})[:-1]
        body = text + ', "category": ["k"], "usageCount": 3, "mine": {"n": 1.50, "big": 12345678901234567890123}}'
        answer = client.post(LIST, content=body, headers={"Content-Type": "application/json"})
        record = data(answer, 201)
        assert (record["author"], record["tags"], record["isPublic"]) == ("Eva", ["a"], True)
        assert (record["category"], record["usageCount"], record["rating"]) == (["k"], 3, 4.5)
        assert '"mine":{"n":1.50,"big":12345678901234567890123}' in client.get(f"{LIST}/x").text
        assert client.get(f"{LIST}/x").content == answer.content

    def test_an_id_that_exists_is_a_conflict(self, client):
        create(client, id="x")
        error(client.post(LIST, json=NEW | {"id": "x", "title": "Other"}), 409, "CONFLICT")
        assert data(client.get(f"{LIST}/x"))["title"] == NEW["title"]

    def test_an_id_in_the_trash_makes_a_new_assistant(self, client):
        create(client, id="x", mine=1)
        data(client.delete(f"{LIST}/x"))
        assert "mine" not in create(client, id="x")

    def test_every_missing_field_is_named(self, client):
        assert fields(client.post(LIST, json={})).keys() == {"title", "desc", "emoji", "prompt"}

    def test_what_only_the_server_sets_is_refused_with_the_call_that_does(self, client):
        sent = {"status": "draft", "createdAt": "2026-01-01", "version": 1, "reviewNote": "n"}
        found = fields(client.post(LIST, json=NEW | sent))
        assert found.keys() == sent.keys()
        assert "PATCH /api/assistants/ID/status" in found["status"]
        assert data(client.get(LIST))["total"] == 0

    def test_limits_name_the_field_as_json_does(self, client):
        found = fields(client.post(LIST, json=NEW | {"title": "t" * 201, "tags": ["t" * 101], "isPublic": 1}))
        assert found.keys() == {"isPublic"}
        found = fields(client.post(LIST, json=NEW | {"title": "t" * 201, "tags": ["t" * 101]}))
        assert found.keys() == {"title", "tags"}
        assert "201" in found["title"]

    def test_a_packed_body_is_read(self, client):
        packed = gzip.compress(json.dumps(NEW).encode())
        headers = {"Content-Type": "application/json; charset=UTF-8", "Content-Encoding": "gzip"}
        assert data(client.post(LIST, content=packed, headers=headers), 201)["title"] == NEW["title"]


class TestIds:
    @pytest.mark.parametrize("id", ODD_IDS)
    def test_every_id_has_an_address_that_does_everything(self, client, id):
        answer = client.post(LIST, json=NEW | {"id": id})
        record = data(answer, 201)
        assert answer.headers["Location"] == address(id)
        assert data(client.get(address(id)))["id"] == id
        record = data(put(client, record, title="New"))
        record = data(move(client, record, "pending"))
        assert (record["id"], record["status"], record["version"]) == (id, "pending", 3)
        assert data(client.delete(address(id))) == {"id": id}
        error(client.get(address(id)), 404, "NOT_FOUND")

    @pytest.mark.parametrize("id", ["a/b", "a//b", "new", "backup", "status", "~Y", "ä 1", "a?b#c", "%2F", "%"])
    def test_plain_escaping_is_taken_where_it_is_unambiguous(self, client, id):
        create(client, id=id)
        assert data(client.get(f"{LIST}/{quote(id, safe='')}"))["id"] == id

    @pytest.mark.parametrize("id", ["a/status", "backup/list"])
    def test_an_id_that_reads_like_another_address_needs_its_own_form(self, client, id):
        create(client, id=id)
        error(client.delete(f"{LIST}/{id}"), 405, "METHOD_NOT_ALLOWED")
        assert data(client.get(address(id)))["id"] == id

    def test_bytes_that_are_no_utf_8_name_nothing(self, client):
        create(client, id="\ufffd")
        error(client.get(f"{LIST}/%FF"), 404, "NOT_FOUND")
        error(client.delete(f"{LIST}/%FF"), 404, "NOT_FOUND")
        assert data(client.get(f"{LIST}/%EF%BF%BD"))["id"] == "\ufffd"


class TestUpdate:
    def test_it_changes_what_was_sent_and_nothing_else(self, client):
        before = create(client, tags=["a"], mine=1)
        after = data(put(client, before, title="New"))
        assert after == before | {"title": "New", "version": 2, "updatedAt": after["updatedAt"]}
        assert after["updatedAt"]
        assert data(client.get(address(before["id"]))) == after

    def test_what_was_read_can_be_sent_again_with_one_change(self, client):
        record = data(move(client, create(client, mine={"a": [1.5]}, rating=3), "published", reviewNote="Fine."))
        assert data(put(client, record, **record)) == record
        assert data(put(client, record, **record | {"desc": "Other"}))["version"] == record["version"] + 1

    def test_equal_values_make_no_version(self, client):
        text = json.dumps(NEW)[:-1] + ', "id": "x", "mine": {"n": 1.50, "m": 2}}'
        client.post(LIST, content=text, headers={"Content-Type": "application/json"})
        body = '{"version": 1, "category": [], "tags": null, "rating": null, "mine": {"m": 2.0, "n": 1.5}}'
        answer = client.put(f"{LIST}/x", content=body, headers={"Content-Type": "application/json"})
        assert data(answer)["version"] == 1
        assert '"n":1.50' in answer.text

    def test_an_empty_category_is_none(self, client):
        made = create(client, category=[])
        assert "category" not in made
        filled = data(put(client, made, category=["k"]))
        assert filled["category"] == ["k"]
        assert "category" not in data(put(client, filled, category=[]))

    def test_true_is_not_one(self, client):
        record = data(put(client, create(client, category=[1], mine=1), category=[True]))
        answer = put(client, record, mine=True)
        assert data(answer)["version"] == 3
        assert '"category":[true],"mine":true' in answer.text

    def test_null_clears_what_may_be_absent_and_nothing_else(self, client):
        record = create(client, tags=["a"], category=["k"], usageCount=1, rating=1.5, mine=1, kept=2)
        after = data(put(client, record, tags=None, category=None, usageCount=None, rating=None, mine=None, other=None))
        assert after.keys() == {
            *NEW,
            *BARE,
            "kept",
            "id",
            "tags",
            "isPublic",
            "status",
            "author",
            "createdAt",
            "version",
        }
        assert after["tags"] == []
        needed = ("title", "desc", "emoji", "prompt", "author", "isPublic")
        assert fields(put(client, after, **dict.fromkeys(needed))).keys() == set(needed)

    def test_a_stale_version_is_refused_before_anything_else_that_is_wrong(self, client):
        old = create(client)
        data(move(client, old, "published"))
        found = error(put(client, old, **old | {"title": "Mine"}), 409, "VERSION_CONFLICT")
        assert found["details"] == {"currentVersion": 2, "requestedVersion": 1}
        assert data(client.get(address(old["id"])))["title"] == NEW["title"]

    @pytest.mark.parametrize("version", [None, "1", 1.5, True, [1]])
    def test_a_version_must_be_a_whole_number(self, client, version):
        assert fields(put(client, create(client), title="New", version=version)).keys() == {"version"}

    def test_a_version_must_be_sent(self, client):
        assert fields(client.put(address(create(client)["id"]), json={"title": "New"})).keys() == {"version"}

    def test_what_only_the_server_sets_cannot_be_changed(self, client):
        record = create(client)
        sent = {
            "id": "other", "status": "published", "reviewNote": "n", "createdAt": "2020-01-01",
            "updatedAt": "2020-01-01", "reviewedAt": "2020-01-01", "publishedAt": "2020-01-01",
        }  # fmt: skip
        found = fields(put(client, record, **sent))
        assert found.keys() == sent.keys()
        assert all("/api/assistants" in message for message in found.values())
        assert data(client.get(address(record["id"]))) == record

    def test_tags_that_are_a_text_come_back_as_they_are_and_can_be_replaced(self, client, site):
        record = create(client)
        foreign(site, "UPDATE assistants SET tags = 'a, b'")
        found = data(client.get(address(record["id"])))
        assert found["tags"] == "a, b"
        assert data(put(client, found, **found | {"title": "New"}))["tags"] == "a, b"
        assert fields(put(client, found, tags='["x"]', version=2)).keys() == {"tags"}
        assert data(put(client, found, tags=["x"], version=2))["tags"] == ["x"]

    def test_a_record_without_a_version_counts_from_zero(self, client, site):
        create(client, id="x")
        foreign(site, "UPDATE assistants SET version = 'none'")
        assert data(client.get(f"{LIST}/x"))["version"] is None
        assert data(client.put(f"{LIST}/x", json={"version": 0, "title": "New"}))["version"] == 1

    def test_of_two_at_once_one_is_told(self, client):
        record, answers = create(client), []
        both = [
            threading.Thread(target=lambda n=n: answers.append(put(client, record, title=f"Title {n}")))
            for n in range(2)
        ]
        for each in both:
            each.start()
        for each in both:
            each.join()
        assert sorted(answer.status_code for answer in answers) == [200, 409]

    def test_what_is_not_there_is_not_found(self, client):
        error(client.put(f"{LIST}/x", json={"version": 1, "title": "New"}), 404, "NOT_FOUND")


class TestStatus:
    def test_moves_set_their_times(self, client):
        record = create(client)
        record = data(move(client, record, "pending"))
        assert (record["reviewedAt"], record["publishedAt"]) == (None, None)
        record = data(move(client, record, "rejected", reviewNote="Too short."))
        assert record["reviewedAt"]
        assert (record["publishedAt"], record["reviewNote"]) == (None, "Too short.")
        record = data(move(client, data(move(client, record, "draft")), "published"))
        assert record["publishedAt"] == record["reviewedAt"]
        assert (record["reviewNote"], record["version"]) == ("Too short.", 5)

    def test_the_same_status_changes_the_note_only_and_null_clears_it(self, client):
        before = data(move(client, create(client), "published", reviewNote="Fine."))
        after = data(move(client, before, "published", reviewNote=None))
        assert after == before | {"reviewNote": None, "version": 3, "updatedAt": after["updatedAt"]}
        assert data(move(client, after, "published"))["version"] == 3

    @pytest.mark.parametrize(("start", "status"), [("draft", "rejected"), ("published", "pending"), ("draft", "gone")])
    def test_other_moves_are_refused(self, client, start, status):
        record = create(client)
        record = data(move(client, record, start)) if start != "draft" else record
        assert fields(move(client, record, status)).keys() == {"status"}
        assert data(client.get(address(record["id"]))) == record

    def test_anything_but_the_move_is_refused_by_name(self, client):
        assert fields(move(client, create(client), "pending", title="New", mine=1)).keys() == {"title", "mine"}

    def test_a_stale_version_is_refused(self, client):
        record = create(client)
        data(put(client, record, title="New"))
        error(move(client, record, "pending"), 409, "VERSION_CONFLICT")


class TestDelete:
    def test_it_is_gone_and_lies_in_the_trash(self, client, site):
        record = create(client, mine=1)
        assert data(client.delete(address(record["id"]))) == {"id": record["id"]}
        assert data(client.get(LIST))["total"] == 0
        error(client.delete(address(record["id"])), 404, "NOT_FOUND")
        with closing(sqlite3.connect(site.data / "assistants.db")) as other:
            (kept,) = other.execute("SELECT record FROM aa_trash").fetchone()
        assert json.loads(kept) == record


class TestConditions:
    def test_what_the_client_has_is_not_sent_again(self, client):
        record = create(client)
        for path in (address(record["id"]), LIST):
            first = client.get(path)
            tag = first.headers["ETag"]
            assert tag.startswith('"')
            again = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-store"
            data(put(client, data(client.get(address(record["id"]))), title=path))
            assert client.get(path, headers={"If-None-Match": tag}).status_code == 200

    def test_each_write_gives_the_tag_that_the_next_one_names(self, client):
        answer = client.post(LIST, json=NEW | {"id": "a/b"})
        path = answer.headers["Location"]
        for method, rest, body in (
            ("PUT", "", {"version": 1, "title": "Two"}),
            ("PUT", "", {"version": 2, "title": "Two"}),
            ("PATCH", "/status", {"version": 2, "status": "pending"}),
        ):
            assert answer.headers["ETag"] == client.get(path).headers["ETag"]
            assert answer.headers["Content-Location"] == path
            match = {"If-Match": answer.headers["ETag"]}
            answer = client.request(method, path + rest, json=body, headers=match)
            assert answer.status_code == 200, answer.text
        assert client.delete(path, headers={"If-Match": answer.headers["ETag"]}).status_code == 200

    def test_a_write_that_names_another_state_is_refused(self, client):
        record = create(client)
        path, tag = address(record["id"]), client.get(address(record["id"])).headers["ETag"]
        record = data(client.put(path, json={"version": 1, "title": "New"}, headers={"If-Match": f'"x", {tag}'}))
        old = {"If-Match": tag}
        error(client.put(path, json={"version": 2, "title": "Newer"}, headers=old), 412, "PRECONDITION_FAILED")
        move_body = {"version": 2, "status": "pending"}
        error(client.patch(f"{path}/status", json=move_body, headers=old), 412, "PRECONDITION_FAILED")
        error(client.delete(path, headers=old), 412, "PRECONDITION_FAILED")
        assert data(client.get(path)) == record
        data(client.patch(f"{path}/status", json=move_body, headers={"If-Match": "*"}))
        data(client.delete(path, headers={"If-Match": client.get(path).headers["ETag"]}))
        error(client.delete(path, headers={"If-Match": "*"}), 404, "NOT_FOUND")


class TestMethods:
    @pytest.mark.parametrize(
        ("path", "allowed"),
        [
            (LIST, "GET HEAD OPTIONS POST"),
            (f"{LIST}/x", "DELETE GET HEAD OPTIONS PUT"),
            (f"{LIST}/x/status", "OPTIONS PATCH"),
            (f"{LIST}/backup/export", "GET HEAD OPTIONS"),
        ],
    )
    def test_each_address_says_what_it_takes(self, client, path, allowed):
        answer = client.options(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert sorted(answer.headers["Allow"].split(", ")) == allowed.split()
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(allowed.split()):
            refused = client.request(method, path)
            error(refused, 405, "METHOD_NOT_ALLOWED")
            assert sorted(refused.headers["Allow"].split(", ")) == allowed.split()

    def test_head_is_get_without_its_body(self, client):
        create(client, id="x")
        for path in (LIST, f"{LIST}/x"):
            answer, head = client.get(path), client.head(path)
            assert head.content == b""
            for name in ("ETag", "Content-Length", "Content-Type"):
                assert head.headers[name] == answer.headers[name]


class TestList:
    def test_pages_and_cursors_show_each_once_in_order(self, client):
        wanted = fill(client, 23)
        for size in (1, 5, 22, 23, 100):
            by_page, by_cursor, cursor = [], [], None
            while True:
                number = len(by_page) // size + 1
                page = data(client.get(LIST, params={"pageSize": size, "page": number}))
                assert (page["page"], page["pageSize"], page["total"]) == (number, size, 23)
                asked = {"pageSize": size} | ({"cursor": cursor} if cursor else {})
                assert data(client.get(LIST, params=asked)) == page
                by_page += ids(page)
                by_cursor += ids(page)
                cursor = page["nextCursor"]
                if cursor is None:
                    break
            assert by_page == by_cursor == wanted

    def test_without_parameters_it_is_the_first_twenty(self, client):
        wanted = fill(client, 23)
        page = data(client.get(LIST))
        assert (ids(page), page["page"], page["pageSize"]) == (wanted[:20], 1, 20)
        assert page["data"][0] == data(client.get(f"{LIST}/{wanted[0]}"))

    def test_a_page_beyond_the_end_is_empty_and_knows_the_total(self, client):
        fill(client, 3)
        assert data(client.get(LIST, params={"page": 5000})) == {
            "data": [], "total": 3, "page": 5000, "pageSize": 20, "nextCursor": None
        }  # fmt: skip

    def test_the_size_may_change_from_cursor_to_cursor(self, client):
        wanted = fill(client, 12)
        cursor = data(client.get(LIST, params={"pageSize": 5}))["nextCursor"]
        page = data(client.get(LIST, params={"pageSize": 3, "cursor": cursor}))
        assert (ids(page), page["page"]) == (wanted[5:8], 2)

    def test_what_is_created_or_deleted_meanwhile_moves_nothing(self, client):
        wanted = fill(client, 9)
        cursor = data(client.get(LIST, params={"pageSize": 3}))["nextCursor"]
        create(client)
        data(client.delete(f"{LIST}/{wanted[2]}"))
        assert ids(data(client.get(LIST, params={"pageSize": 3, "cursor": cursor}))) == wanted[3:6]

    def test_filters_narrow_rows_and_total_alike(self, client):
        fill(client, 6, author="Ada", status="published")
        create(client, id="mine", title="100% sure_", desc="Ärger")
        create(client, id="prompt", prompt="only the prompt says needle")
        for params, wanted in (
            ({"status": "draft"}, 2),
            ({"status": "rejected"}, 0),
            ({"author": "Ada"}, 6),
            ({"author": "ada"}, 0),
            ({"search": "tITLE"}, 6),
            ({"search": "needle"}, 0),
            ({"search": "0% SURE_"}, 1),
            ({"search": "ärger"}, 0),
            ({"search": "Ärg"}, 1),
            ({"search": "title 1", "author": "Ada", "status": "published"}, 1),
            ({"search": "", "author": "", "status": "", "cursor": ""}, 8),
        ):
            page = data(client.get(LIST, params=params))
            assert (page["total"], len(page["data"])) == (wanted, wanted), params

    def test_a_cursor_is_of_one_list_and_cannot_be_altered(self, client):
        fill(client, 9, author="Ada")
        cursor = data(client.get(LIST, params={"pageSize": 2}))["nextCursor"]
        for params in (
            {"cursor": cursor, "author": "Ada"},
            {"cursor": cursor[:-1]},
            {"cursor": cursor + "A"},
            *(
                {"cursor": cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1 :]}
                for n in range(len(cursor))
            ),
            {"cursor": cursor, "page": 1},
            {"cursor": "é"},
        ):
            found = error(client.get(LIST, params=params), 400, "INVALID_PARAMETER")
            assert [problem["field"] for problem in found["details"]] == ["cursor"]

    @pytest.mark.parametrize("name", ["page", "pageSize"])
    @pytest.mark.parametrize("value", ["", "0", "-1", "+1", " 1", "1.0", "1e2", "01", "0x1", "１", "٣", "one", "1\n"])
    def test_numbers_are_plain_digits(self, client, name, value):
        found = error(client.get(LIST, params={name: value}), 400, "INVALID_PARAMETER")
        assert [problem["field"] for problem in found["details"]] == [name]

    @pytest.mark.parametrize(("page", "size"), [("1001", "100"), ("5001", "20"), ("9" * 17, "1"), ("9" * 5000, "1")])
    def test_far_pages_are_refused_and_the_cursor_named(self, client, page, size):
        found = error(client.get(LIST, params={"page": page, "pageSize": size}), 400, "INVALID_PARAMETER")
        assert "cursor" in found["details"][0]["message"]
        assert client.get(LIST, params={"page": "1000", "pageSize": "100"}).status_code == 200

    @pytest.mark.parametrize(
        "query", ["x=1", "page=1&page=1", "status=gone", "Status=draft", "search=%FF", "pageSize=101"]
    )
    def test_what_is_not_understood_is_refused(self, client, query):
        error(client.get(f"{LIST}?{query}"), 400, "INVALID_PARAMETER")

    def test_odd_rows_are_shown_as_far_as_json_can_and_lose_nobody(self, client, site):
        fill(client, 4)
        insert = (
            "INSERT INTO assistants (id, title, desc, emoji, prompt, author, tags, created_at)"
            " VALUES (?, ?, '', '', '', '', ?, ?)"
        )
        broken = "CAST(x'61FF' AS TEXT)"
        foreign(site, insert, None, "no id", None, "2026-01-03")
        foreign(site, insert, b"blob", "BLOB as id", None, "2026-01-03")
        foreign(site, insert, "blobs", b"\xff", b"\xff", b"2026")
        foreign(site, insert, "tags", "tags", "{", "2026-01-03")
        for id in ("CAST(x'62FE' AS TEXT)", "CAST(x'62FF' AS TEXT)", "'broken'"):
            foreign(site, insert.replace("(?", f"({id}", 1).replace("?)", f"{broken})"), "broken", None)
        whole = data(client.get(LIST))
        assert whole["total"] == len(whole["data"]) == 10
        seen, cursor = [], None
        for _ in range(10):
            page = data(client.get(LIST, params={"pageSize": 1} | ({"cursor": cursor} if cursor else {})))
            seen += page["data"]
            cursor = page["nextCursor"]
        assert cursor is None
        assert seen == whole["data"]
        assert [data(client.get(LIST, params={"pageSize": 1, "page": n + 1}))["data"][0] for n in range(10)] == seen
        assert data(client.get(f"{LIST}/blobs"))["title"] == "\ufffd"
        assert data(client.get(LIST, params={"search": "tag"}))["data"][0]["tags"] == "{"

    def test_another_program_is_seen_at_once(self, client, site):
        fill(client, 2)
        foreign(site, "UPDATE assistants SET title = 'Elsewhere', version = 7 WHERE id = 'a000'")
        assert data(client.get(LIST, params={"search": "elsewhere"}))["data"][0]["version"] == 7
        record = data(client.get(f"{LIST}/a000"))
        assert data(put(client, record, desc="New"))["version"] == 8
