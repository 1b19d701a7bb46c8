"""Round trip: what is exported, imported into an empty catalogue and exported again has the same lines of records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.backups.conftest import ADA, exported, lines, make_record, stored
from webadmin import catalogue, db, operations
from webadmin.backups import Mode, Staged
from webadmin.catalogue import JSON_NAMES
from webadmin.config import Config

Stage = Callable[[Any], Staged]
LAST = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)
PIECE = 4096
TIME = "2024-06-01T02:00:00.000Z"

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
FILLED = TEXT.filter(bool)
LINES = st.lists(st.sampled_from(["a", "", " ", "助手", "\u2028", "\x85"]), max_size=6).flatmap(
    lambda parts: st.sampled_from(["\n", "\r\n", "\r", "\n\r"]).map(lambda end: end.join(parts))
)
NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KNOWN = frozenset(JSON_NAMES.values()) | {"usage_count"}
DATES = st.sampled_from(
    [TIME, "2024-01-15", "2016-12-31T23:59:60Z", "2024-01-15t10:30:00.123456789+05:45", "0001-01-01"]
)
RECORD = st.fixed_dictionaries(
    {"id": FILLED, "title": FILLED, "prompt": (LINES | TEXT).filter(bool)},
    optional={
        "desc": TEXT,
        "emoji": TEXT,
        "tags": st.lists(TEXT, max_size=3),
        "isPublic": st.booleans(),
        "status": st.sampled_from(["draft", "pending", "published", "rejected"]),
        "author": TEXT,
        "createdAt": DATES,
        "updatedAt": st.none() | DATES,
        "reviewedAt": st.none() | DATES,
        "publishedAt": st.none() | DATES,
        "reviewNote": st.none() | LINES,
        "version": st.integers(0, 2**53 - 1),
        "category": st.none() | st.lists(TEXT | st.integers(-(2**63), 2**63 - 1) | st.none(), max_size=3),
        "usageCount": st.none() | st.integers(-(2**63), 2**63 - 1),
        "rating": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    },
)
KEPT = st.dictionaries(TEXT.filter(lambda key: key not in KNOWN), JSON, max_size=3)
WRITTEN = st.fixed_dictionaries({"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, 0, 2])})
ENTRIES = st.lists(st.tuples(RECORD, KEPT), max_size=4, unique_by=lambda entry: entry[0]["id"])


def layout_a(records: list[Any]) -> Any:
    return {"metadata": {"version": "1.0.0", "timestamp": TIME, "recordCount": len(records)}, "assistants": records}


def layout_b(records: list[Any]) -> Any:
    return {"version": "1.0", "exportedAt": TIME, "count": len(records), "assistants": records}


def bare(records: list[Any]) -> Any:
    return records


def empty() -> None:
    with db.transaction() as session:
        for record in list(catalogue.iter_records(session.connection())):
            catalogue.remove(session, ADA, str(record.id))


def take(staged: Staged) -> None:
    assert (staged.problem_count, staged.document.count) == (0, staged.good_count)
    operations.apply_import(ADA, staged, mode=Mode.MERGE, source_name="x")


def assert_comes_back(stage: Stage) -> None:
    first, held = exported(), lines()[1:]
    empty()
    take(stage(first))
    assert lines()[1:] == held


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ENTRIES, st.sampled_from([layout_a, layout_b, bare]), WRITTEN)
def test_whatever_a_file_holds_comes_back_byte_for_byte(
    data: Config, stage: Stage, entries: list[Any], layout: Callable[..., Any], written: dict[str, Any]
) -> None:
    empty()
    sent = [record | kept for record, kept in entries]
    take(stage(json.dumps(layout(sent), **written).encode()))
    found = {each["id"]: each for each in json.loads(exported())["assistants"]}
    assert found.keys() == {each["id"] for each in sent}
    for each in sent:
        for key, value in each.items():
            assert found[each["id"]].get(key) == (value if value != [] or key == "tags" else found[each["id"]].get(key))
    assert_comes_back(stage)


def test_every_code_point_that_json_may_hold_comes_back(data: Config, fill: Callable[..., None], stage: Stage) -> None:
    points = [chr(number) for number in range(1, LAST + 1) if number not in SURROGATES]
    texts = ["".join(points[at : at + PIECE]) for at in range(0, len(points), PIECE)]
    # Twice in each record: in a text of its own, and in a key and a value that nobody here knows.
    made = [
        make_record(number, prompt=text, extra={text[:5]: json.dumps([text[-PIECE // 4 :]]).encode()})
        for number, text in enumerate(texts)
    ]
    fill(*made)
    assert "".join(record.prompt for record in stored().values()) == "".join(points)
    assert_comes_back(stage)


@pytest.mark.parametrize("layout", [layout_a, layout_b, bare])
def test_layouts_of_the_same_records_come_to_the_same_lines(
    data: Config, stage: Stage, layout: Callable[..., Any]
) -> None:
    records = [
        {
            "id": "a",
            "title": "t",
            "prompt": "p\r\n\r\n",
            "tags": [],
            "createdAt": TIME,
            "author": "zhou",
            "x": {"y": []},
        },
        {"id": "b", "title": "\U0010ffff\ufffe", "prompt": "\u2028", "createdAt": "2024-01-15", "author": "", "": None},
    ]
    take(stage(layout(records)))
    assert [json.loads(line.rstrip(b",\n")) for line in lines()[1:-1]] == [
        WHOLE | {"id": "a", "title": "t", "prompt": "p\r\n\r\n", "createdAt": TIME, "author": "zhou", "x": {"y": []}},
        WHOLE | {"id": "b", "title": "\U0010ffff\ufffe", "prompt": "\u2028", "createdAt": "2024-01-15", "author": ""},
    ]
    assert_comes_back(stage)


WHOLE: dict[str, Any] = {
    "desc": "", "emoji": "🤖", "tags": [], "isPublic": False, "status": "draft", "updatedAt": None, "reviewedAt": None,
    "publishedAt": None, "reviewNote": None, "version": 1,
}  # fmt: skip
