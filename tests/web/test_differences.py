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


def test_folded_lines_are_counted():
    old = "\n".join(f"line {n}" for n in range(40))
    found = differences.lines(old, old.replace("line 20", "line twenty"), folded="{} more".format)
    assert [line.parts[0][0] for line in found if line.kind == "fold"] == ["17 more", "16 more"]


def test_words_are_marked_where_lines_were_added_too():
    found = differences.lines(
        "List every problem you see.", "List every problem with its severity.\nEnd with a verdict."
    )
    assert [line.kind for line in found] == ["removed", "added", "added"]
    assert [text for text, is_marked in found[0].parts if is_marked] == ["you", "see"]


def test_lines_that_have_nothing_in_common_are_not_marked():
    found = differences.lines("Quote each line.", "请用中文回答。")
    assert [is_marked for line in found for _, is_marked in line.parts] == [False, False]


@given(TEXTS, TEXTS)
def test_two_columns_hold_both_texts_line_beside_line(old, new):
    cells = [cell for cell in differences.beside(differences.lines(old, new)) if cell.kind != "fold"]
    left, right = cells[::2], cells[1::2]
    assert len(left) == len(right)
    assert {cell.kind for cell in left} <= {"same", "removed"}
    assert {cell.kind for cell in right} <= {"same", "added"}
    told = [cell for cell in cells if not cell.is_twin]
    found = [line for line in differences.lines(old, new) if line.kind != "fold"]
    assert sorted(map(repr, told)) == sorted(map(repr, found))


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
