"""The list's address: what it says is what is shown, and nonsense in it is ignored."""

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from webadmin.catalogue import Query, Sort
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
