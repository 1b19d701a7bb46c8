"""What comes back from a browser unchanged keeps its bytes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webadmin.web import texts

ANY = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from('\r\n ,，"')))


def through_input(text):
    """As an `<input type=text>` sends it."""
    return text.replace("\r", "").replace("\n", "").replace("\0", "\ufffd")


def through_textarea(text):
    """As a `<textarea>` sends it, written with an extra first newline."""
    return re.sub(r"\r\n?|\n", "\r\n", text).replace("\0", "\ufffd")


@given(ANY)
def test_unchanged_line_keeps_its_bytes(stored):
    assert texts.single_line(through_input(stored), stored) == stored


@given(ANY)
def test_unchanged_lines_keep_their_bytes(stored):
    assert texts.multi_line(through_textarea(stored), stored) == stored


@given(st.lists(ANY))
def test_unchanged_tags_keep_their_bytes(stored):
    assert texts.returned_tags(through_input(texts.join_tags(stored)), stored) == stored


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"))))
def test_tags_survive_the_field(tags):
    assert texts.split_tags(texts.join_tags(tags)) == tags


@given(ANY, ANY)
def test_changed_text_arrives_as_typed(typed, stored):
    sent = through_textarea(typed)
    got = texts.multi_line(sent, stored)
    assert through_textarea(got) == through_textarea(typed) or got == stored


@pytest.mark.parametrize(
    ("sent", "stored", "kept"),
    [
        ("a\r\nb\r\nc", "a\nb", "a\nb\nc"),
        ("a\r\nb\r\nc", "a\r\nb", "a\r\nb\r\nc"),
        ("a\r\nb", "", "a\nb"),
        ("\r\na", "x", "\na"),
        ("  a  ", "a", "  a  "),
    ],
)
def test_changed_text_takes_the_line_ends_of_the_old_one(sent, stored, kept):
    assert texts.multi_line(sent, stored) == kept


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("a, b，c", ["a", "b", "c"]),
        (" a ,, b ,", ["a", "b"]),
        ('"a, b", c', ["a, b", "c"]),
        ('say "hi", c', ['say "hi"', "c"]),
        ('"unclosed, c', ['"unclosed', "c"]),
        ("", []),
    ],
)
def test_tags_are_read_as_typed(typed, tags):
    assert texts.split_tags(typed) == tags


def test_changed_tags_are_kept_once_and_old_ones_keep_their_line_ends():
    assert texts.returned_tags("b, x, x", ["a", "b\r\n"]) == ["b\r\n", "x"]
