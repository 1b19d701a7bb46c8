"""Diffs: nothing of either text is lost, and what is the same is not marked."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webadmin.web import differences

TEXTS = st.text(alphabet=st.sampled_from("ab \n产品,."), max_size=40)


@given(TEXTS, TEXTS)
def test_words_hold_both_texts(old, new):
    parts = differences.words(old, new)
    assert "".join(text for text, kind in parts if kind != "added") == old
    assert "".join(text for text, kind in parts if kind != "removed") == new


@given(TEXTS, TEXTS)
def test_lines_hold_every_change(old, new):
    found = differences.lines(old, new)
    shown = ["".join(text for text, _ in line.parts) for line in found if line.kind in {"added", "same"}]
    assert all(line in new.split("\n") for line in shown)
    assert (old == new) == (not any(line.kind in {"added", "removed"} for line in found))


def test_unchanged_lines_are_folded():
    old = "\n".join(f"line {n}" for n in range(40))
    found = differences.lines(old, old.replace("line 20", "line twenty"))
    assert [line.kind for line in found] == ["fold", *["same"] * 3, "removed", "added", *["same"] * 3, "fold"]
    assert [text for text, is_marked in found[5].parts if is_marked] == ["twenty"]


def test_chinese_is_compared_by_character():
    assert ("产", "removed") in differences.words("新产品", "新商品")


@pytest.mark.parametrize("count", [1_400, 20_000])
def test_long_texts_are_compared_in_time(count):
    old = "\n".join("" if n % 2 else str(n) for n in range(count))
    new = "\n".join("" if n % 2 else str(-n) for n in range(count))
    began = time.perf_counter()
    assert differences.lines(old, new)
    assert time.perf_counter() - began < 5


def test_texts_over_200_kb_are_compared_by_line_alone():
    long = "x\n" * 100_000

    def marks(old, new):
        return [text for line in differences.lines(old, new) for text, is_marked in line.parts if is_marked]

    assert marks("one word\n", "two word\n") == ["one", "two"]
    assert marks(f"one word\n{long}", f"two word\n{long}") == []
