"""The list's address: what it says is what is shown, and nonsense in it is ignored."""

from collections.abc import Callable

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from tests.people import close
from webadmin.app import create_app
from webadmin.catalogue import Query, Sort
from webadmin.config import Config
from webadmin.web.listing import Listing, excerpt

WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1)
QUERIES = st.builds(
    Query,
    search=WORDS | st.just(""),
    status=st.sampled_from([None, "draft", "pending", "published", "rejected"]),
    author=st.none() | WORDS,
    tags=st.lists(WORDS, unique=True, max_size=4).map(tuple),
    is_public=st.sampled_from([None, True, False]),
    sort=st.sampled_from(Sort),
    page_size=st.sampled_from([25, 50, 100]),
)


@given(QUERIES, st.booleans())
def test_address_and_list_are_the_same_thing(query, is_compact):
    listing = Listing(query, is_compact=is_compact)
    assert Listing.from_args(MultiDict(listing.pairs())) == listing


@pytest.mark.parametrize(
    "args",
    [
        {"status": "deleted"},
        {"sort": "random"},
        {"size": "1000000"},
        {"size": "x"},
        {"visibility": "maybe"},
        {"tag": ""},
        {"author": ""},
        {"view": "tiny"},
    ],
)
def test_nonsense_counts_as_absent(args):
    assert Listing.from_args(MultiDict(args)) == Listing()


def test_days_are_those_of_the_site(make_config: Callable[..., Config]) -> None:
    # East of Greenwich a day begins on the evening before.
    app = create_app(make_config(TIMEZONE="Asia/Shanghai"))
    with app.test_request_context():
        listing = Listing.from_args(MultiDict({"from": "2026-11-20", "to": "2026-11-18"}))
        assert listing.query.edited_from == "2026-11-17T16:00:00.000Z"
        assert listing.query.edited_before == "2026-11-20T16:00:00.000Z"
        assert Listing.from_args(MultiDict(listing.pairs())) == listing
        assert listing.is_filtered
        assert listing.href(status="draft") == "/assistants?status=draft&from=2026-11-18&to=2026-11-20"
        assert listing.without_days() == "/assistants"
    close(app)


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "0001-01-01", "9999-12-31", ""])
def test_a_day_that_is_none_counts_as_absent(app: Flask, day: str) -> None:
    with app.test_request_context():
        assert Listing.from_args(MultiDict({"from": day, "to": day})) == Listing()


def test_tags_are_bounded():
    args = MultiDict([("tag", str(n)) for n in range(5000)])
    assert len(Listing.from_args(args).query.tags) == 20


def test_a_changed_filter_begins_at_the_first_page(app: Flask):
    with app.test_request_context():
        listing = Listing(Query(search="x", cursor="abc", tags=("a", "b")))
        assert listing.href(status="draft") == "/assistants?q=x&status=draft&tag=a&tag=b"
        assert listing.without_tag("a") == "/assistants?q=x&tag=b"
        assert listing.href(cursor="next") == "/assistants?q=x&tag=a&tag=b&cursor=next"


def test_excerpt_shows_the_match():
    text = "word " * 200 + "needle " + "word " * 200
    assert "needle" in excerpt(text, "NEEDLE")
    assert excerpt(text, "").startswith("word")
    assert excerpt("short", "x") == "short"


@given(st.text(alphabet="ab 产品。", max_size=300), st.sampled_from(["", "a", "产品"]))
def test_excerpt_is_a_line_long_and_shows_the_match(text, needle):
    found = excerpt(text, needle)
    assert found.strip("…") in text
    assert len(found.encode("gbk").replace("…".encode("gbk"), b"")) <= 120
    assert (needle in found) == (needle in text)
