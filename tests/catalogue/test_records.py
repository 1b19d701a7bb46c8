"""Records as JSON: canonical writing, strict reading, equality by contract 4."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webadmin.catalogue.decoding import decode
from webadmin.catalogue.records import (
    Limits,
    Record,
    changed_fields,
    count_characters,
    encode,
    equal,
)
from webadmin.errors import Invalid, Problem

GOOD: dict[str, Any] = {"id": "ast_1", "title": "Title", "prompt": "Prompt", "createdAt": "2024-01-15T10:30:00.000Z"}
LINE = (
    '{"id":"ast_1","title":"Titel","desc":"d","emoji":"👨‍💼\\r\\n","prompt":"a\\nb / \\" \\\\ \u2028","tags":["x"],'
    '"isPublic":true,"status":"published","author":"ada","createdAt":"2024-01-15T10:30:00.000Z","updatedAt":null,'
    '"reviewedAt":null,"publishedAt":"2024-01-15","reviewNote":null,"version":3}'
).encode()


def read(value: Any, **options: Any) -> Record:
    return decode(text(value), **options)[0]


def text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def problems(value: Any, **options: Any) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        decode(text(value), index=16, **options)
    assert caught.value.code == "VALIDATION_ERROR"
    assert all(problem.index == 16 and str(problem.message) for problem in caught.value.problems)
    return caught.value.problems


def test_canonical_line_comes_back_byte_for_byte() -> None:
    record, warnings = decode(LINE)
    assert encode(record) == LINE
    assert record.emoji == "👨‍💼\r\n"
    assert warnings == []


def test_missing_values_get_the_defaults_of_the_contract() -> None:
    record = read({"id": "a", "title": "t", "prompt": "p"}, author="ada", created_at="2024-01-01T00:00:00.000Z")
    assert record == Record(
        id="a", title="t", prompt="p", desc="", emoji="🤖", tags=[], is_public=False, status="draft", author="ada",
        created_at="2024-01-01T00:00:00.000Z", version=1,
    )  # fmt: skip


def test_null_is_absent() -> None:
    nothing = dict.fromkeys(["desc", "emoji", "tags", "isPublic", "status", "author", "version", "rating", "mine"])
    assert read(GOOD | nothing, author="ada") == read(GOOD, author="ada")


def test_unknown_keys_are_kept_as_raw_text_on_one_line() -> None:
    kept = b'"zz":{"k" : [1.50, 1e400,\n 123456789012345678901234567890]},"_":"\\u4e2d"'
    raw = b'{"id":"a","title":"t","prompt":"p",' + kept + b"}"
    record = read(raw, created_at="2024-01-01")
    assert record.extra == {"zz": b'{"k":[1.50,1e400,123456789012345678901234567890]}', "_": b'"\\u4e2d"'}
    line = encode(record)
    assert line.endswith(b',"_":"\\u4e2d","zz":{"k":[1.50,1e400,123456789012345678901234567890]}}')
    assert encode(read(line)) == line


def test_later_keys_are_written_only_when_they_hold_something() -> None:
    record = read(GOOD | {"category": ["a"], "usageCount": 5, "rating": 4})
    assert (record.category, record.usage_count, record.rating) == (["a"], 5, 4.0)
    assert encode(record).endswith(b'"version":1,"category":["a"],"usageCount":5,"rating":4.0}')
    assert encode(read(GOOD)).endswith(b'"version":1}')
    assert encode(read(encode(record))) == encode(record)


def test_tags_text_is_kept_with_a_warning() -> None:
    record, warnings = decode(text(GOOD | {"tags": "a, b"}))
    assert record.tags == "a, b"
    assert [w.field for w in warnings] == ["tags"]
    assert b'"tags":"a, b"' in encode(record)
    assert read(encode(record)).tags == "a, b"


def test_tags_text_that_is_a_list_becomes_the_list_that_its_column_would_give() -> None:
    assert read(GOOD | {"tags": '["a"]'}).tags == ["a"]


BAD: list[tuple[str, Any, str | None]] = [
    ("no id", {"title": "t", "prompt": "p", "createdAt": "2024-01-01"}, "id"),
    ("empty id", GOOD | {"id": ""}, "id"),
    ("number as id", GOOD | {"id": 5}, "id"),
    ("id of 256 characters", GOOD | {"id": "x" * 256}, "id"),
    ("no title", GOOD | {"title": None}, "title"),
    ("empty prompt", GOOD | {"prompt": ""}, "prompt"),
    ("title is a list", GOOD | {"title": ["t"]}, "title"),
    ("unknown status", GOOD | {"status": "archived"}, "status"),
    ("isPublic is a text", GOOD | {"isPublic": "yes"}, "isPublic"),
    ("version is a fraction", GOOD | {"version": 1.5}, "version"),
    ("version beyond 64 bits", GOOD | {"version": 2**63}, "version"),
    ("version that no other reader keeps exactly", GOOD | {"version": 2**53}, "version"),
    ("the same in a canonical line", LINE.replace(b'"version":3', b'"version":9007199254740992'), "version"),
    ("150,000 values", GOOD | {"x": [0] * 150_000}, None),
    ("version is true", GOOD | {"version": True}, "version"),
    ("rating is a text", GOOD | {"rating": "5"}, "rating"),
    ("rating that no float holds", GOOD | {"rating": 10**400}, "rating"),
    ("tags with a number", GOOD | {"tags": ["a", 1]}, "tags"),
    ("1,001 tags", GOOD | {"tags": ["x"] * 1001}, "tags"),
    ("category with a huge number", GOOD | {"category": [2**64]}, "category"),
    ("a day that is none", GOOD | {"createdAt": "2024-02-30"}, "createdAt"),
    ("a date in words", GOOD | {"updatedAt": "yesterday"}, "updatedAt"),
    ("a time without zone", GOOD | {"reviewedAt": "2024-01-15T10:30:00"}, "reviewedAt"),
    ("an empty date", GOOD | {"publishedAt": ""}, "publishedAt"),
    ("digits of another script", GOOD | {"publishedAt": "２０２４-01-01"}, "publishedAt"),
    ("NUL in a text", GOOD | {"desc": "a\0b"}, "desc"),
    ("NUL in a kept key", GOOD | {"mine": {"a": ["\0"]}}, "mine"),
    ("half a surrogate pair", GOOD | {"prompt": "\ud800"}, "prompt"),
    ("half a surrogate pair in a tag", GOOD | {"tags": ["\udfff"]}, "tags"),
    ("text beyond 4 MiB", GOOD | {"prompt": "x" * (4 * 1024 * 1024 + 1)}, "prompt"),
    ("record beyond 4.5 MB", GOOD | {"prompt": "x" * 3 * 1024 * 1024, "mine": "x" * 2 * 1024 * 1024}, None),
    ("NaN", b'{"id":"a","title":"t","prompt":"p","rating":NaN}', "rating"),
    ("Infinity in a kept key", b'{"id":"a","title":"t","prompt":"p","x":[-Infinity]}', "x"),
    ("5,000 digits", b'{"id":"a","title":"t","prompt":"p","version":' + b"9" * 5000 + b"}", "version"),
    ("5,000 digits in a kept key", b'{"id":"a","title":"t","prompt":"p","x":' + b"9" * 5000 + b"}", "x"),
    ("duplicate key", b'{"id":"a","title":"t","prompt":"p","title":"u"}', None),
    ("duplicate key further in", b'{"id":"a","title":"t","prompt":"p","x":{"k":1,"\\u006b":2}}', None),
    ("invalid UTF-8", b'{"id":"a","title":"t\xff","prompt":"p"}', None),
    ("encoded surrogate", b'{"id":"a","title":"t\xed\xa0\x80","prompt":"p"}', None),
    ("100,000 brackets", b'{"id":"a","title":"t","prompt":"p","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
    ("not JSON", b'{"id":"a",}', None),
    ("raw control character", b'{"id":"a\n"}', None),
    ("a list", b"[1]", None),
    ("nothing", b"", None),
]


@pytest.mark.parametrize(("value", "field"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_record_is_refused_naming_the_field(value: Any, field: str | None) -> None:
    assert field in [problem.field for problem in problems(value, author="a", created_at="2024-01-01")]


def test_longest_text_is_taken_however_it_is_escaped() -> None:
    prompt = "助" * (4 * 1024 * 1024 // 3)
    record, _ = decode(json.dumps(GOOD | {"prompt": prompt}).encode(), author="a", created_at="2024-01-01")
    assert record.prompt == prompt


def test_all_problems_of_a_record_are_named_with_its_id() -> None:
    found = problems({"id": "ast_9", "prompt": 5, "status": "x"}, created_at="2024-01-01")
    assert {(p.id, p.field) for p in found} == {("ast_9", "title"), ("ast_9", "prompt"), ("ast_9", "status")}


@pytest.mark.parametrize(
    "date", ["2024-01-15", "2024-02-29T23:59:60Z", "2024-01-15t10:30:00.123456789z", "2024-01-15T10:30:00+05:30"]
)
def test_dates_are_kept_as_written(date: str) -> None:
    assert read(GOOD | {"createdAt": date}).created_at == date


def test_texts_beyond_the_limits_are_kept_with_a_warning() -> None:
    family = "👨‍👩‍👧‍👦"
    limits = Limits(title=3, tags=1, tag=2)
    record, warnings = decode(text(GOOD | {"title": "four", "tags": ["abc", "d"]}), limits=limits)
    assert record.title == "four"
    assert [w.field for w in warnings] == ["title", "tags", "tags"]
    assert decode(text(GOOD | {"title": family * 3}), limits=limits)[1] == []
    assert count_characters(family * 3) == 3


def test_trusted_file_brings_back_what_no_rule_allows() -> None:
    broken = Record(id=None, title="", prompt="", created_at="2024-01-15 10:30:00", version=None, status="odd")
    broken.extra["category"] = b'"no list"'
    record, warnings = decode(encode(broken), is_trusted=True)
    assert encode(record) == encode(broken)
    assert {w.field for w in warnings} == {"id", "title", "prompt", "status", "createdAt"}


def test_trusted_file_may_hold_nul_which_others_may_not() -> None:
    line = encode(Record(id="a", title="t", prompt="p\0", created_at="2024-01-15"))
    record, warnings = decode(line, is_trusted=True)
    assert record.prompt == "p\0"
    assert [w.field for w in warnings] == ["prompt"]
    assert [p.field for p in problems(line)] == ["prompt"]


def test_encode_replaces_and_reports_what_json_cannot_carry() -> None:
    report: list[Problem] = []
    line = encode(Record(id="a", title="x\ud800", tags=["\udc00"], rating=float("nan")), report)
    assert "x\ufffd" in line.decode()
    assert b"rating" not in line
    assert [p.field for p in report] == ["title", "tags", "rating"]


def test_equal_ignores_version_and_the_difference_of_null_and_empty_list() -> None:
    a = read(GOOD | {"version": 1, "category": None, "x": {"a": 1.0, "b": []}})
    b = read(GOOD | {"version": 9, "category": [], "x": {"b": [], "a": 1}, "y": []})
    assert equal(a, b)
    assert changed_fields(a, b) == []


@pytest.mark.parametrize(
    ("one", "two", "field"),
    [
        ({"title": "é"}, {"title": "e\u0301"}, "title"),
        ({"reviewNote": ""}, {"reviewNote": None}, "review_note"),
        ({"usageCount": 0}, {"usageCount": None}, "usage_count"),
        ({"tags": ["a"]}, {"tags": []}, "tags"),
        ({"category": [1]}, {"category": [True]}, "category"),
        ({"x": 0}, {"x": False}, "x"),
        ({"x": 0}, {}, "x"),
        ({"rating": 1.5}, {"rating": 1.25}, "rating"),
    ],
)
def test_difference_is_named(one: dict[str, Any], two: dict[str, Any], field: str) -> None:
    a, b = read(GOOD | one), read(GOOD | two)
    assert changed_fields(a, b) == [field]
    assert not equal(a, b)


LEGAL = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(LEGAL, min_size=1, max_size=40)
NUMBER = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {"id": TEXT, "title": TEXT, "prompt": TEXT, "createdAt": st.just("2024-01-15")},
        optional={
            "desc": TEXT, "emoji": TEXT, "tags": st.lists(TEXT, max_size=3), "isPublic": st.booleans(),
            "version": st.integers(-(2**63), 2**53 - 1), "rating": st.floats(allow_nan=False, allow_infinity=False),
            "zeta": JSON, "α": JSON,
        },
    ),
    st.booleans(), st.sampled_from([None, 2]),
)  # fmt: skip
def test_any_record_survives_the_round_trip(value: dict[str, Any], ascii_only, indent) -> None:
    record = read(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode())
    line = encode(record)
    again = read(line)
    assert b"\n" not in line
    assert encode(again) == line
    assert equal(again, record)
    shown = json.loads(line)
    assert {key: shown[key] for key in value if value[key] is not None} == {
        key: item for key, item in value.items() if item is not None
    }


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u0d8tni1e-. ', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_in_words(raw: bytes) -> None:
    refused: list[Problem] = []
    record = None
    try:
        record, _ = decode(raw, index=0)
    except Invalid as error:
        refused = error.problems
    assert refused or (record and encode(record))
