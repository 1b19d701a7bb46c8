"""Bodies that cannot be taken: every field with every type, packing and damage. Refused in words, nothing changed."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.refusals import ASSISTANTS, NEW, ONE, Caller, calling, refused, stored

LIMIT = 1_500_000
CALLS = {
    "create": ("POST", ASSISTANTS, NEW),
    "update": ("PUT", ONE, {"title": "New", "version": 1}),
    "status": ("PATCH", f"{ONE}/status", {"status": "draft", "version": 1}),
    "backup": ("POST", f"{ASSISTANTS}/backup/create", {"note": "n"}),
}
EVERY_CALL = pytest.mark.parametrize("call", CALLS)


@pytest.fixture(scope="module")
def caller(tmp_path_factory) -> Any:
    with calling(tmp_path_factory.mktemp("bad"), MAX_UPLOAD_SIZE=str(LIMIT)) as made:
        yield made


@pytest.fixture
def unchanged(caller) -> Any:
    """Nothing in the catalogue, its history, the trash and the backup folder is other than before."""
    before = caller.everything()
    yield
    assert caller.everything() == before


def send(caller: Caller, call: str, content: bytes, headers: dict[str, str | None] | None = None) -> TestResponse:
    method, path, _ = CALLS[call]
    return caller.call(method, path, {"Content-Type": "application/json"} | (headers or {}), data=content)


def send_json(caller: Caller, call: str, body: Any) -> TestResponse:
    return send(caller, call, json.dumps(body).encode())


# Eight kinds of JSON values.
VALUES = {
    "null": None,
    "true": True,
    "whole": 7,
    "fraction": 1.5,
    "text": "text",
    "list of texts": ["a"],
    "list": [1],
    "object": {"a": 1},
}
# What each field takes; one that nobody here knows takes anything.
TAKEN = {field: {"text"} for field in ("title", "desc", "emoji", "prompt", "author")} | {
    "tags": {"null", "list of texts"},
    "isPublic": {"true"},
    "category": {"null", "list of texts", "list"},
    "usageCount": {"null", "whole"},
    "rating": {"null", "whole", "fraction"},
    "mine": set(VALUES),
}
SERVER_SET = ("status", "createdAt", "updatedAt", "reviewedAt", "publishedAt", "reviewNote")
TYPED = [(field, kind) for field in (*TAKEN, *SERVER_SET, "id", "version") for kind in VALUES]


class TestTypes:
    @pytest.mark.parametrize(("field", "kind"), TYPED)
    def test_update_takes_the_right_types_only(self, caller, field, kind):
        before, value = stored(caller.folder / "assistants.db"), VALUES[kind]
        current = caller.get(ONE)
        answer = send_json(caller, "update", {"version": current["version"]} | {field: value})
        takes = TAKEN.get(field, set()) | ({kind} if field in SERVER_SET and current[field] == value else set())
        if kind in takes:
            assert answer.status_code == 200, answer.text
            told = answer.get_json()["data"].get(field)
            assert told == value or (value is None and told in (None, []))
            assert type(told) is type(value) or value is None or field == "rating"
        elif (field, kind) == ("version", "whole"):
            # A number that is not the current one is a conflict; the tests may have come to just this one.
            assert value == current["version"] or refused(answer, "VERSION_CONFLICT")
        else:
            refused(answer, "VALIDATION_ERROR", field)
            assert stored(caller.folder / "assistants.db") == before

    # A null beside the defaults is no null: the tests of the call itself say what it does.
    @pytest.mark.parametrize(
        ("field", "kind"),
        [(field, kind) for field, kind in TYPED if kind != "null" or field in TAKEN.keys() - {"isPublic", "author"}],
    )
    def test_create_takes_the_right_types_only(self, caller, field, kind):
        before, value = stored(caller.folder / "assistants.db"), VALUES[kind]
        answer = send_json(caller, "create", NEW | {field: value})
        if field == "id" and kind == "text":
            assert answer.status_code == 201, answer.text
        elif kind in TAKEN.get(field, set()):
            assert answer.status_code == 201, answer.text
            told = answer.get_json()["data"].get(field)
            assert told == value or (value is None and told in (None, []))
        else:
            refused(answer, "VALIDATION_ERROR", field)
            assert stored(caller.folder / "assistants.db") == before

    @pytest.mark.parametrize(
        ("field", "kind"),
        [
            (field, kind)
            for field in ("status", "reviewNote", "version", "note")
            for kind in VALUES
            if field != "reviewNote" or kind not in ("text", "null")
        ],
    )
    def test_status_takes_the_right_types_only(self, caller, unchanged, field, kind):
        version = caller.get(f"{ASSISTANTS}/ast_2")["version"]
        body = {"status": "published", "version": version} | {field: VALUES[kind]}
        answer = caller.call("PATCH", f"{ASSISTANTS}/ast_2/status", json=body)
        refused(answer, ("VALIDATION_ERROR", "VERSION_CONFLICT"), None if kind == "whole" else field)

    @EVERY_CALL
    @pytest.mark.parametrize("body", [None, True, 7, 1.5, "text", [], [{}], [NEW]])
    def test_body_that_is_no_object_is_refused(self, caller, unchanged, call, body):
        refused(send_json(caller, call, body), "VALIDATION_ERROR")


class TestFields:
    def test_what_get_gave_can_be_put_back(self, caller, unchanged):
        told = caller.get(f"{ASSISTANTS}/ast_2")
        answer = caller.call("PUT", f"{ASSISTANTS}/ast_2", json=told)
        assert answer.get_json()["data"] == told

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("id", "ast_3"),
            ("status", "draft"),
            ("createdAt", "2020-01-01T00:00:00.000Z"),
            ("updatedAt", "2020-01-01T00:00:00.000Z"),
            ("reviewedAt", "2020-01-01T00:00:00.000Z"),
            ("publishedAt", "2020-01-01T00:00:00.000Z"),
            ("reviewNote", "Fine."),
        ],
    )
    def test_field_that_the_server_sets_is_refused_with_the_call_that_changes_it(self, caller, unchanged, field, value):
        version = caller.get(ONE)["version"]
        error = refused(
            send_json(caller, "update", {"title": "x", "version": version, field: value}), "VALIDATION_ERROR", field
        )
        if field in ("status", "reviewNote"):
            assert "PATCH" in json.dumps(error["details"])
        if field != "id":
            refused(send_json(caller, "create", NEW | {field: value}), "VALIDATION_ERROR", field)

    @pytest.mark.parametrize(
        "body",
        [
            {"title": 1, "emoji": [], "isPublic": "true", "tags": [1], "usageCount": "7", "mine": ["\0"]},
            {"version": 1, "status": "draft", "createdAt": "2020-01-01", "reviewNote": "Fine.", "tags": "a"},
            {"title": " ", "desc": "x" * 1001, "emoji": "", "prompt": None, "author": "x" * 101, "id": "x" * 256},
        ],
    )
    def test_all_faults_of_a_kind_are_named_at_once(self, caller, unchanged, body):
        error = refused(send_json(caller, "create", NEW | body), "VALIDATION_ERROR")
        assert {each["field"] for each in error["details"]} == set(body)

    @pytest.mark.parametrize(
        "key", ["Title", "is_public", "__proto__", "", " ", "中", "a" * 1000, "$set", "extra", "tags[]"]
    )
    def test_unknown_key_is_kept_as_it_was_sent(self, caller, key):
        made = send_json(caller, "create", NEW | {key: {"x": [1.50, None, "y"]}}).get_json()["data"]
        assert made[key] == {"x": [1.5, None, "y"]}
        told = caller.get(f"{ASSISTANTS}/{made['id']}")
        assert told == made
        assert caller.call("DELETE", f"{ASSISTANTS}/{made['id']}").status_code == 200

    @pytest.mark.parametrize("call", ["status", "backup"])
    def test_unknown_key_of_a_command_is_refused(self, caller, unchanged, call):
        refused(send_json(caller, call, CALLS[call][2] | {"reviewnote": "x"}), "VALIDATION_ERROR", "reviewnote")

    @pytest.mark.parametrize("number", [2**63 + 1, -(2**63) - 1, 10**400, 1e308 * 10])
    @pytest.mark.parametrize("field", ["usageCount", "rating", "version"])
    def test_numbers_beyond_64_bits_are_refused(self, caller, unchanged, field, number):
        refused(send_json(caller, "update", {"version": 1} | {field: number}), "VALIDATION_ERROR", field)


BAD_JSON = {
    "empty": b"",
    "white space": b" \r\n\t",
    "cut": b'{"title": "x"',
    "trailing": b'{"title": "x", "version": 1} x',
    "two documents": b'{"version": 1}{"version": 1}',
    "trailing comma": b'{"version": 1,}',
    "comment": b'{"version": 1 /* one */}',
    "single quotes": b"{'version': 1}",
    "duplicate key": b'{"version": 1, "title": "a", "title": "b"}',
    "duplicate key by escape": b'{"version": 1, "title": "a", "t\\u0069tle": "b"}',
    "duplicate key inside": b'{"version": 1, "mine": {"a": 1, "a": 2}}',
    "NaN": b'{"version": 1, "rating": NaN}',
    "Infinity": b'{"version": 1, "rating": -Infinity}',
    "NaN inside": b'{"version": 1, "mine": [NaN]}',
    "NUL byte": b'{"version": 1, "title": "a\0b"}',
    "escaped NUL": b'{"version": 1, "title": "a\\u0000b"}',
    "NUL in key": b'{"version": 1, "a\\u0000": 1}',
    "lone surrogate": b'{"version": 1, "title": "\\ud800"}',
    "low surrogate first": b'{"version": 1, "prompt": "\\udc00\\ud800"}',
    "surrogate in key": b'{"version": 1, "\\ud800": 1}',
    "surrogate inside": b'{"version": 1, "mine": [{"a": "\\udfff"}]}',
    "surrogate as bytes": b'{"version": 1, "title": "\xed\xa0\x80"}',
    "broken UTF-8": b'{"version": 1, "title": "\xff\xfe"}',
    "overlong UTF-8": b'{"version": 1, "title": "\xc0\xaf"}',
    "latin-1": '{"version": 1, "title": "é"}'.encode("latin-1"),
    "gb18030": '{"version": 1, "title": "中文"}'.encode("gb18030"),
    "utf-16": '{"version": 1}'.encode("utf-16"),
    "utf-16-be": '{"version": 1}'.encode("utf-16-be"),
    "utf-32": '{"version": 1}'.encode("utf-32"),
    "two byte order marks": b'\xef\xbb\xbf\xef\xbb\xbf{"version": 1}',
    "line end in text": b'{"version": 1, "title": "a\nb"}',
    "bad escape": b'{"version": 1, "title": "\\x41"}',
    "100,000 brackets": b"[" * 100_000,
    "100,000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep in a kept key": b'{"version": 1, "mine": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "number of 100,000 digits": b'{"version": 1, "mine": ' + b"9" * 100_000 + b"}",
    "version of 5,000 digits": b'{"version": ' + b"1" * 5000 + b"}",
    "leading zero": b'{"version": 01}',
    "plus": b'{"version": +1}',
    "hexadecimal": b'{"version": 0x1}',
    "form": b"title=x&version=1",
    "a million values": b'{"version": 1, "mine": [' + b"1," * 700_000 + b"1]}",
}


class TestJson:
    # Nothing at all is a body that making a backup takes.
    @pytest.mark.parametrize(
        ("call", "name"), [(call, name) for call in CALLS for name in BAD_JSON if (call, name) != ("backup", "empty")]
    )
    def test_damage_is_refused_in_words(self, caller, unchanged, call, name):
        refused(send(caller, call, BAD_JSON[name]), "VALIDATION_ERROR")

    def test_longest_texts_are_judged_not_cut(self, caller, unchanged):
        body = NEW | {"prompt": "x" * 1_000_000}
        error = refused(send_json(caller, "create", body), "VALIDATION_ERROR", "prompt")
        assert "1000000" in error["details"][0]["message"]
        assert "262144" in error["details"][0]["message"]

    @pytest.mark.parametrize("call", ["create", "update", "status"])
    def test_body_at_the_limit_is_read_and_one_byte_more_is_not(self, caller, unchanged, call):
        body = json.dumps(CALLS[call][2] | {"version": 1, "title": 1}).encode()
        at_limit = body + b" " * (LIMIT - len(body))
        refused(send(caller, call, at_limit), "VALIDATION_ERROR")
        refused(send(caller, call, at_limit + b" "), "PAYLOAD_TOO_LARGE")


class TestPacking:
    @pytest.mark.parametrize(
        ("content", "headers"),
        [
            (json.dumps(NEW, ensure_ascii=False).encode(), {}),
            (b"\xef\xbb\xbf" + json.dumps(NEW).encode(), {}),
            (json.dumps(NEW, indent=2).encode("utf-8"), {"Content-Type": "application/json;charset=UTF-8"}),
            (json.dumps(NEW, indent=2).replace("\n", "\r\n").encode(), {}),
            (json.dumps(NEW).encode(), {"Content-Type": 'APPLICATION/JSON; charset="utf-8"'}),
            (gzip.compress(json.dumps(NEW).encode()), {"Content-Encoding": "gzip"}),
            (gzip.compress(b"\xef\xbb\xbf" + json.dumps(NEW).encode()), {"Content-Encoding": "GZIP"}),
            (gzip.compress(b"{") + gzip.compress(json.dumps(NEW).encode()[1:]), {"Content-Encoding": "gzip"}),
            (json.dumps(NEW).encode(), {"Content-Encoding": "identity"}),
        ],
        # A packed body holds the time, and the name of a test may not.
        ids=lambda value: "body" if isinstance(value, bytes) else str(value),
    )  # fmt: skip
    def test_right_ways_are_taken(self, caller, content, headers):
        answer = send(caller, "create", content, headers)
        assert answer.status_code == 201, answer.text
        made = answer.get_json()["data"]
        assert {name: made[name] for name in NEW} == NEW
        assert caller.call("DELETE", f"{ASSISTANTS}/{made['id']}").status_code == 200

    @EVERY_CALL
    @pytest.mark.parametrize(
        "media_type",
        [
            None,
            "",
            "json",
            "text/plain",
            "text/json",
            "text/html; charset=utf-8",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
            "application/xml",
            "application/jsonx",
            "application/ld+json",
            "application/x-ndjson",
            "application/json, text/plain",
            "application/json; charset=gb18030",
            "application/json; charset=utf-16",
            "application/gzip",
            "*/*",
            "application/json/x",
        ],
    )
    def test_other_types_are_refused(self, caller, unchanged, call, media_type):
        refused(
            send(caller, call, json.dumps(CALLS[call][2]).encode(), {"Content-Type": media_type}),
            "UNSUPPORTED_MEDIA_TYPE",
        )

    @EVERY_CALL
    @pytest.mark.parametrize(
        "encoding", ["br", "deflate", "zstd", "compress", "gzip, gzip", "gzip, identity", "utf-8", "x"]
    )
    def test_other_packings_are_refused(self, caller, unchanged, call, encoding):
        packed = gzip.compress(gzip.compress(json.dumps(CALLS[call][2]).encode()))
        refused(send(caller, call, packed, {"Content-Encoding": encoding}), "UNSUPPORTED_MEDIA_TYPE")

    @EVERY_CALL
    @pytest.mark.parametrize(
        "damage", ["cut", "cut in its head", "plain", "wrong sum", "wrong length", "followed by rubbish", "zlib"]
    )
    def test_damaged_gzip_is_refused(self, caller, unchanged, call, damage):
        plain = json.dumps(CALLS[call][2]).encode()
        packed = gzip.compress(plain)
        content = {
            "cut": packed[:-9],
            "cut in its head": packed[:5],
            "plain": plain,
            "wrong sum": packed[:-8] + bytes(4) + packed[-4:],
            "wrong length": packed[:-4] + bytes(4),
            "followed by rubbish": packed + b"rubbish",
            "zlib": zlib.compress(plain),
        }[damage]
        refused(send(caller, call, content, {"Content-Encoding": "gzip"}), "VALIDATION_ERROR")

    @EVERY_CALL
    def test_gzip_bomb_is_refused_without_being_unpacked(self, caller, unchanged, call):
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
            for _ in range(200):
                file.write(bytes(1 << 20))
        bomb = packed.getvalue()
        assert len(bomb) < LIMIT
        refused(send(caller, call, bomb, {"Content-Encoding": "gzip"}), "PAYLOAD_TOO_LARGE")
