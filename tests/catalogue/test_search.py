"""Finding and paging: substring means substring, and walking the pages gives each match once, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from webadmin import catalogue, db
from webadmin.catalogue import Query, Record, Sort, cursors
from webadmin.catalogue.cursors import Cursor, Stored
from webadmin.errors import Invalid

Opened = Callable[[], Session]
STATUSES = ("draft", "pending", "published", "rejected")
TIMES = st.sampled_from(["2025-01-01", "2025-01-02T10:00:00.000Z", "2026-06-01T00:00:00.000Z"])

records = st.builds(
    Record,
    id=st.text(min_size=1, max_size=4).filter(lambda text: "\0" not in text and text.isprintable()),
    title=st.sampled_from(["Alpha", "beta", "产品经理", "Ünder"]),
    desc=st.sampled_from(["", "the PRODUCT", "一个产品"]),
    prompt=st.sampled_from(["p", "long 产品 text", "ProDuct"]),
    tags=st.lists(st.sampled_from(["a", "b", 'q"', "标签"]), unique=True, max_size=3),
    is_public=st.booleans(),
    status=st.sampled_from(STATUSES),
    author=st.sampled_from(["ada", "ed"]),
    created_at=TIMES,
    updated_at=st.none() | TIMES,
    published_at=st.none() | TIMES,
)


def fill(content: list[Record]) -> None:
    with db.transaction() as session:
        session.connection().exec_driver_sql("DELETE FROM assistants")
        catalogue.insert_records(session.connection(), content)


def walk(session: Session, query: Query) -> list[str]:
    found, page = [], catalogue.find(session, query)
    assert page.previous is None
    while True:
        assert page.first == len(found) + 1
        found += [item.id for item in page.items]
        if page.next is None:
            return found
        page = catalogue.find(session, replace(query, cursor=page.next))


def walk_records(session: Session, query: Query) -> list[str]:
    page = catalogue.list_records(session, query)
    found = [str(record.id) for record in page.records]
    while page.next is not None:
        page = catalogue.list_records(session, replace(query, cursor=page.next))
        assert page.first == len(found) + 1
        found += [str(record.id) for record in page.records]
    return found


def matches(record: Record, query: Query) -> bool:
    def fold(text: str) -> str:
        return "".join(c.lower() if c.isascii() else c for c in text)

    texts = (record.title, record.desc, record.prompt)
    return (
        (not query.search or any(fold(query.search) in fold(text) for text in texts))
        and (query.status is None or record.status == query.status)
        and (query.author is None or record.author == query.author)
        and (query.is_public is None or record.is_public == query.is_public)
        and all(tag in record.tags for tag in query.tags)
    )


def in_order(content: list[Record], sort: Sort) -> list[str]:
    ids = sorted(content, key=lambda r: str(r.id).encode())
    if sort is Sort.TITLE:
        ids.sort(key=lambda r: r.title.encode())
    elif sort is Sort.CREATED:
        ids.sort(key=lambda r: r.created_at, reverse=True)
    else:
        ids.reverse()
        key = (lambda r: r.updated_at or r.created_at) if sort is Sort.EDITED else (lambda r: r.published_at or "")
        ids.sort(key=key, reverse=True)
    return [str(record.id) for record in ids]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.lists(records, max_size=12, unique_by=lambda record: record.id),
    query=st.builds(
        Query,
        search=st.sampled_from(["", "产品", "product", "ünd", "%", "_"]),
        status=st.none() | st.sampled_from(STATUSES),
        author=st.none() | st.just("ada"),
        tags=st.sampled_from([(), ("a",), ("a", "标签"), ('q"',)]),
        is_public=st.none() | st.booleans(),
        sort=st.sampled_from(Sort),
        page_size=st.integers(1, 4),
    ),
)
def test_pages_hold_exactly_what_matches_in_order(opened: Opened, content: list[Record], query: Query) -> None:
    opened()
    fill(content)
    session = opened()
    wanted = [record for record in content if matches(record, query)]
    assert walk(session, query) == in_order(wanted, query.sort)
    assert walk_records(session, query) == in_order(wanted, query.sort)
    for page in range(1, 5):
        start = (page - 1) * query.page_size
        found = catalogue.list_records(session, query, page=page)
        assert found.total == len(wanted)
        assert [r.id for r in found.records] == in_order(wanted, query.sort)[start : start + query.page_size]
    everywhere = [record for record in content if matches(record, replace(query, status=None))]
    counted = catalogue.counts(session, query)
    assert counted["all"] == len(everywhere)
    assert all(counted.get(s, 0) == sum(record.status == s for record in everywhere) for s in STATUSES)


@pytest.mark.parametrize("sort", list(Sort))
def test_going_back_shows_the_page_one_came_from(opened: Opened, sort: Sort) -> None:
    opened()
    fill([Record(id=f"r{n:02}", title=f"t{n % 3}", created_at=f"2025-01-0{1 + n % 2}") for n in range(11)])
    query = Query(sort=sort, page_size=3)
    session = opened()
    pages = [catalogue.find(session, query)]
    while pages[-1].next:
        pages.append(catalogue.find(session, replace(query, cursor=pages[-1].next)))
    for earlier, later in pairwise(pages):
        back = catalogue.find(session, replace(query, cursor=later.previous))
        assert ([i.id for i in back.items], back.first) == ([i.id for i in earlier.items], earlier.first)


def test_rows_without_an_id_are_in_no_list_and_no_total(opened: Opened) -> None:
    opened()
    fill([Record(id="x", title="t", author="ada", created_at="2025-01-01")])
    with db.transaction() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO assistants (title, desc, emoji, prompt, author, created_at)"
            " VALUES ('t', '', '', '', 'ada', '')"
        )
    for query in (Query(), Query(author="ada"), Query(status="draft"), Query(search="t")):
        found = catalogue.list_records(opened(), query)
        assert ([r.id for r in found.records], found.total) == (["x"], 1)


@pytest.mark.parametrize("first", [2**53 + 1, 2**64 - 1, -(2**60)])
def test_a_made_up_cursor_that_leads_beyond_all_rows_is_refused(first: int) -> None:
    place = Stored(b"2024", is_text=True)
    with pytest.raises(Invalid, match="cursor"):
        cursors.read(cursors.write(Cursor(place, place, first=first), ()), ())


@pytest.mark.parametrize("cursor", ["x", "W10", "bm90IGpzb24", "é", "=" * 9])
def test_an_altered_cursor_is_refused_in_words(opened: Opened, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        catalogue.find(opened(), Query(cursor=cursor))


def test_a_hit_in_the_prompt_brings_its_surroundings(opened: Opened) -> None:
    opened()
    fill([Record(id="x", title="t", prompt="a" * 500 + " needle " + "b" * 500)])
    snippet = catalogue.find(opened(), Query(search="NEEDLE")).items[0].snippet
    assert snippet is not None
    assert "needle" in snippet
    assert len(snippet) < 200


def plan_of_next(session: Session, find: Callable[..., Any], query: Query) -> str:
    """How SQLite reads the page after the first."""
    page = find(session, query)
    seen: list[str] = []
    connection = session.connection().connection.driver_connection
    assert connection is not None
    connection.set_trace_callback(seen.append)
    find(session, replace(query, cursor=page.next))
    connection.set_trace_callback(None)
    selects = [statement for statement in seen if statement.startswith("SELECT") and "assistants" in statement]
    return " ".join(row[3] for each in selects for row in connection.execute("EXPLAIN QUERY PLAN " + each))


@pytest.mark.parametrize("sort", list(Sort))
def test_no_page_sorts_or_scans_the_table(opened: Opened, sort: Sort) -> None:
    session = opened()
    fill([Record(id=f"r{n:03}", title="t", created_at="2025-01-01") for n in range(50)])
    plan = plan_of_next(session, catalogue.find, Query(sort=sort, page_size=10))
    assert "USE TEMP B-TREE" not in plan
    assert "USING INDEX" in plan


@pytest.mark.parametrize(
    "query",
    [Query(), Query(status="draft"), Query(author="ada"), Query(is_open=True)],
    ids=["all", "status", "author", "open"],
)
def test_no_page_of_whole_records_sorts_and_its_total_reads_an_index_alone(opened: Opened, query: Query) -> None:
    session = opened()
    fill(
        [
            Record(
                id=f"r{n:03}", title="t", author="ada", status="published" if query.is_open else "draft", is_public=True
            )
            for n in range(20)
        ]
    )
    plan = plan_of_next(session, catalogue.list_records, replace(query, sort=Sort.CREATED, page_size=5))
    assert "USE TEMP B-TREE" not in plan
    assert "SCAN assistants USING COVERING INDEX" in plan or "SEARCH assistants USING COVERING INDEX" in plan
    assert "SCAN assistants " not in plan.replace("SCAN assistants USING COVERING INDEX", "")


def test_the_facets_count_authors_and_tags(opened: Opened) -> None:
    opened()
    fill([Record(id=str(n), title="t", author="ada" if n else "ed", tags=["x"] * (n > 1)) for n in range(4)])
    with db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE assistants SET tags = 'no json' WHERE id = '0'")
    assert catalogue.authors(opened()) == [("ada", 3), ("ed", 1)]
    assert catalogue.tags(opened()) == [("x", 2)]
