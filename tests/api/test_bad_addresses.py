"""Addresses of every kind: ids with every odd character, parameters and cursors that were altered, other methods."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.refusals import ASSISTANTS, NEW, ONE, calling, refused
from webadmin import catalogue

CALLS_OF_ONE = [("GET", ""), ("PUT", ""), ("DELETE", ""), ("PATCH", "/status")]
BODIES = {"PUT": {"title": "x", "version": 1}, "PATCH": {"status": "draft", "version": 1}}

ODD_IDS = {
    **{f"punctuation {each}": f"a{each}b" for each in string.punctuation},
    **{f"only {each}": each for each in string.punctuation},
    **{f"control {code:02x}": f"a{chr(code)}b" for code in (*range(1, 0x20), 0x7F, 0x85, 0xA0)},
    "space": " a b ",
    "two dots": "..",
    "dots inside": "../../ast_1",
    "slashes": "//",
    "slash at the end": "a/",
    "like a call": "a/status",
    "reserved new": "new",
    "reserved backup": "backup",
    "reserved path": "backup/list",
    "percent form": "%2e%2e",
    "percent cut": "100%",
    "like the other form": "~YS9i",
    "like the form of a plain one": "~YWJj",
    "tilde": "~",
    "query": "a?page=1#top",
    "Chinese": "助手一号",
    "emoji": "👩‍👩‍👧‍👦",
    "combining": "e\u0301",
    "composed": "é",
    "right to left": "\u202eabc\u202c",
    "zero width": "\u200b\ufeff",
    "last code point": "\U0010ffff",
    "255 characters": "x" * 255,
    "255 Chinese": "中" * 255,
}


# Parts of addresses at which there is nothing.
NOBODYS = [
    *(f"%{code:02x}" for code in range(256)),
    *(quote(each, safe="") for each in ODD_IDS.values()),
    "..",
    "../assistants/ast_1",
    "%2e%2e/ast_1",
    "%252e%252e",
    "~",
    "~~",
    "~YQ",
    "~YQ==",
    "~ast_1",
    "~_w",
    "~%FF",
    "~!!",
    "~7aCA",
    "~AA",
    "ast_1/",
    "/ast_1",
    "ast_1%00",
    "ast_1;x=1",
    "ast_1%20",
    "ast_1.json",
    "AST_1",
    "%C0%AF",
    "%ED%A0%80",
    "%FF%FE",
    "%F4%90%80%80",
    "x" * 256,
    "x" * 10_000,
    "中" * 3000,
]


@pytest.fixture(scope="module")
def caller(tmp_path_factory) -> Any:
    with calling(tmp_path_factory.mktemp("addresses")) as made:
        yield made


@pytest.fixture
def unchanged(caller) -> Any:
    before = caller.everything()
    yield
    assert caller.everything() == before


class TestIds:
    @pytest.mark.parametrize("name", ODD_IDS)
    def test_any_legal_id_lives_at_its_address(self, caller, name):
        id = ODD_IDS[name]
        made = caller.call("POST", ASSISTANTS, json=NEW | {"id": id})
        assert made.status_code == 201, made.text
        address = made.headers["Location"]
        assert address == f"{ASSISTANTS}/{catalogue.encode_id(id)}"
        assert caller.get(address) == made.get_json()["data"]
        assert made.get_json()["data"]["id"] == id
        assert caller.call("PUT", address, json=BODIES["PUT"]).get_json()["data"]["title"] == "x"
        moved = caller.call("PATCH", f"{address}/status", json={"status": "pending", "version": 2})
        assert moved.get_json()["data"]["version"] == 3
        refused(caller.call("POST", ASSISTANTS, json=NEW | {"id": id}), "CONFLICT")
        assert caller.call("DELETE", address).get_json()["data"] == {"id": id}
        refused(caller.call("GET", address), "NOT_FOUND")

    @pytest.mark.parametrize(
        "name", ["space", "Chinese", "emoji", "right to left", "255 Chinese", "punctuation ,", "only @"]
    )
    def test_percent_encoding_will_do_where_it_is_unambiguous(self, caller, name):
        id = ODD_IDS[name]
        assert caller.call("POST", ASSISTANTS, json=NEW | {"id": id}).status_code == 201
        assert caller.get(f"{ASSISTANTS}/{quote(id, safe='')}")["id"] == id
        assert caller.call("DELETE", f"{ASSISTANTS}/{quote(id, safe='')}").status_code == 200

    def test_the_other_form_of_a_plain_id_names_it_too(self, caller):
        for id in ("abc", "~YWJj"):
            assert caller.call("POST", ASSISTANTS, json=NEW | {"id": id}).status_code == 201
        assert caller.get(f"{ASSISTANTS}/~YWJj")["id"] == "abc"
        own = catalogue.encode_id("~YWJj")
        assert caller.get(f"{ASSISTANTS}/{own}")["id"] == "~YWJj"
        assert caller.call("DELETE", f"{ASSISTANTS}/~YWJj").get_json()["data"] == {"id": "abc"}
        assert caller.call("DELETE", f"{ASSISTANTS}/{own}").get_json()["data"] == {"id": "~YWJj"}

    @pytest.mark.parametrize("id", ["", " ", "\u3000", "a\0b", "\ud800", "x" * 256, "👩‍👩‍👧‍👦" * 256, 1])
    def test_id_that_cannot_be_is_refused_on_create(self, caller, unchanged, id):
        refused(caller.call("POST", ASSISTANTS, json=NEW | {"id": id}), "VALIDATION_ERROR", "id")

    @pytest.mark.parametrize(("method", "rest"), CALLS_OF_ONE)
    def test_address_of_nothing_is_not_found(self, caller, unchanged, method, rest):
        body = {"json": BODIES[method]} if method in BODIES else {}
        for part in NOBODYS:
            answer = caller.call(method, f"{ASSISTANTS}/{part}{rest}", **body)
            if unquote(f"{part}{rest}").startswith("backup/"):
                assert answer.status_code < 500, part
            else:
                refused(answer, ("NOT_FOUND", "METHOD_NOT_ALLOWED", "INVALID_PARAMETER"))


class TestParameters:
    BAD_NUMBERS = (
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x1",
        "01",
        " 1",
        "1 ",
        "1_0",
        "١",
        "１",
        "x",
        "",
        "%00",
        "NaN",
        "null",
    )

    @pytest.mark.parametrize("value", BAD_NUMBERS)
    @pytest.mark.parametrize("name", ["page", "pageSize"])
    def test_number_that_is_none_is_refused(self, caller, name, value):
        answer = caller.call("GET", ASSISTANTS, query_string={name: value})
        refused(answer, "INVALID_PARAMETER", name)

    @pytest.mark.parametrize("value", ["101", "100000", "9" * 19, "9" * 5000])
    def test_page_size_has_a_limit(self, caller, value):
        refused(caller.call("GET", f"{ASSISTANTS}?pageSize={value}"), "INVALID_PARAMETER", "pageSize")

    @pytest.mark.parametrize("query", ["page=1001&pageSize=100", "page=5001", f"page={'9' * 18}", f"page={'9' * 5000}"])
    def test_page_too_far_names_the_cursor(self, caller, query):
        answer = caller.call("GET", f"{ASSISTANTS}?{query}")
        refused(answer, "INVALID_PARAMETER")
        assert "cursor" in answer.text

    @pytest.mark.parametrize("query", ["page=1000&pageSize=100", "page=5000", "page=3&pageSize=1"])
    def test_page_beyond_the_end_is_empty(self, caller, query):
        found = caller.get(f"{ASSISTANTS}?{query}")
        assert found["data"] == []
        assert found["nextCursor"] is None
        assert found["total"] >= 2

    @pytest.mark.parametrize("status", ["Draft", "drafts", "draft ", "published,draft", "null", "%00", "中"])
    def test_unknown_status_is_refused(self, caller, status):
        refused(caller.call("GET", f"{ASSISTANTS}?status={status}"), "INVALID_PARAMETER", "status")

    @pytest.mark.parametrize(
        "search", ["%00", "%", "%25", "_", "'", '"', "\\", "*", "%27%20OR%201=1--", "x" * 5000, "%F0%9F%A4%96"]
    )
    @pytest.mark.parametrize("name", ["search", "author"])
    def test_any_text_may_be_looked_for(self, caller, name, search):
        assert caller.get(f"{ASSISTANTS}?{name}={search}")["total"] in (0, 2)

    @pytest.mark.parametrize("query", ["search=%FF", "search=%ED%A0%80", "author=%C0%AF", "%FF=1"])
    def test_query_that_is_no_utf8_is_refused(self, caller, query):
        refused(caller.call("GET", f"{ASSISTANTS}?{query}"), "INVALID_PARAMETER")

    @pytest.mark.parametrize(
        "query", ["pagesize=2", "limit=2", "page=1&page=1", "search=a&search=b", "=1", "x", "page[]=1"]
    )
    def test_unknown_or_repeated_parameter_is_refused(self, caller, query):
        refused(caller.call("GET", f"{ASSISTANTS}?{query}"), "INVALID_PARAMETER")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ONE),
            ("POST", ASSISTANTS),
            ("PUT", ONE),
            ("DELETE", ONE),
            ("PATCH", f"{ONE}/status"),
            ("GET", f"{ASSISTANTS}/backup/list"),
            ("POST", f"{ASSISTANTS}/backup/create"),
            ("GET", f"{ASSISTANTS}/backup/export"),
            ("GET", "/api/jobs/x"),
            ("POST", "/api/jobs/x/cancel"),
        ],
    )
    def test_call_without_parameters_takes_none(self, caller, unchanged, method, path):
        body = {"json": BODIES.get(method, NEW)} if method in ("POST", "PUT", "PATCH") else {}
        refused(caller.call(method, f"{path}?force=true", **body), "INVALID_PARAMETER", "force")


@pytest.fixture(scope="module")
def cursor(caller) -> str:
    """The cursor of the second page of Marta's two assistants."""
    return str(caller.get(f"{ASSISTANTS}?pageSize=1&author=marta")["nextCursor"])


class TestCursors:
    def test_right_one_reads_on(self, caller, cursor):
        assert len(caller.get(f"{ASSISTANTS}?author=marta&cursor={cursor}")["data"]) == 1

    def test_any_change_at_any_place_is_refused(self, caller, cursor):
        alphabet = string.ascii_letters + string.digits + "-_="
        altered = {cursor[:i] + each + cursor[i + 1 :] for i in range(len(cursor)) for each in alphabet[i % 7 :: 7]}
        altered |= {cursor[:-1] + each for each in alphabet}
        altered |= {cursor[:i] + cursor[i + 1 :] for i in range(len(cursor))}
        altered |= {cursor[:i] + "A" + cursor[i:] for i in range(len(cursor) + 1)}
        altered |= {cursor + cursor, cursor + "=", cursor + "==", f" {cursor}", cursor.swapcase(), cursor[::-1]}
        for each in altered - {cursor}:
            answer = caller.call("GET", ASSISTANTS, query_string={"author": "marta", "cursor": each})
            refused(answer, "INVALID_PARAMETER", "cursor")

    @pytest.mark.parametrize("query", ["", "author=Marta", "author=marta&status=published", "author=marta&search=code"])
    def test_one_of_another_list_is_refused(self, caller, cursor, query):
        refused(caller.call("GET", f"{ASSISTANTS}?{query}&cursor={cursor}"), "INVALID_PARAMETER", "cursor")

    def test_one_beside_a_page_is_refused(self, caller, cursor):
        refused(caller.call("GET", f"{ASSISTANTS}?author=marta&page=1&cursor={cursor}"), "INVALID_PARAMETER")

    @pytest.mark.parametrize("made_up", ["x", "0", "null", "eyJhIjoxfQ", "W10", "%00", "中", "A" * 5000])
    def test_made_up_one_is_refused(self, caller, made_up):
        refused(caller.call("GET", f"{ASSISTANTS}?cursor={made_up}"), "INVALID_PARAMETER", "cursor")


_READ = {"GET", "HEAD"}
KNOWN = {
    ASSISTANTS: {*_READ, "POST"},
    ONE: {*_READ, "PUT", "DELETE"},
    f"{ONE}/status": {"PATCH"},
    f"{ASSISTANTS}/backup/export": _READ,
    f"{ASSISTANTS}/backup/import": {"POST"},
    f"{ASSISTANTS}/backup/list": _READ,
    f"{ASSISTANTS}/backup/create": {"POST"},
    "/api/jobs/x": _READ,
    "/api/jobs/x/cancel": {"POST"},
    "/api/openapi.json": _READ,
    "/api/health": _READ,
}
UNKNOWN = [
    "/api",
    "/api/",
    "/api/assistant",
    "/api/assistants/",
    "/api//assistants",
    "/api/v1/assistants",
    "/api/assistants/backup/",
    "/api/assistants/backup/restore",
    "/api/assistants/backup/list/",
    "/api/jobs",
    "/api/%00",
    "/api/中",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "FOO"]


class TestMethods:
    OTHERS = tuple((path, method) for path in KNOWN for method in METHODS if method not in KNOWN[path])

    @pytest.mark.parametrize(("path", "method"), OTHERS)
    def test_other_methods_are_refused_with_the_right_ones(self, caller, unchanged, path, method):
        allowed = KNOWN[path] | {"OPTIONS"}
        answer = caller.call(method, path)
        if method in ("OPTIONS", "HEAD"):
            assert answer.status_code == (405 if method == "HEAD" else 204)
            assert answer.data == b""
        else:
            refused(answer, "METHOD_NOT_ALLOWED")
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed

    @pytest.mark.parametrize("path", [path for path, methods in KNOWN.items() if "GET" in methods])
    def test_head_is_get_without_the_body(self, caller, path):
        got, told = caller.call("GET", path), caller.call("HEAD", path)
        assert told.status_code == got.status_code
        assert told.data == b""
        assert told.headers["Content-Type"] == got.headers["Content-Type"]
        assert told.headers.get("ETag") == got.headers.get("ETag")
        assert told.headers["Content-Length"] == got.headers["Content-Length"]

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("path", UNKNOWN)
    def test_unknown_address_is_not_found(self, caller, unchanged, path, method):
        answer = caller.call(method, path)
        if method == "HEAD":
            assert answer.status_code == 404
        else:
            refused(answer, ("NOT_FOUND", "METHOD_NOT_ALLOWED"))


class TestNobody:
    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer x",
            "bearer x",
            "Basic YTpi",
            "Bearer " + "x" * 10_000,
            "Bearer é",
            "x",
        ],
    )
    @pytest.mark.parametrize(
        "path", [*(path for path in KNOWN if path != "/api/health"), "/api/unknown", "/api/assistants/x"]
    )
    def test_nothing_answers_without_a_token(self, caller, path, authorization):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = caller.call(method, path, {"Authorization": authorization})
            refused(answer, "UNAUTHORIZED")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
