"""What differs between two texts, for the diff components: by line, and inside lines by word (Chinese by character)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

_TOKEN = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\s+|.", re.DOTALL
)
_LINE_END = re.compile(r"\r\n?|\n")
_AROUND = 3
# difflib is quadratic, and worse where lines repeat: what is longer is compared by line only, or as a whole.
_WORDS_UP_TO = 1_500
_WORDS_IN_LINES_UP_TO = 100
_LINES_UP_TO = 1_500
_WORDS_IN_TEXTS_UP_TO = 200_000

Parts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a diff. `kind`: same, added, removed, fold; `parts` are (text, is it marked)."""

    kind: str
    parts: list[tuple[str, bool]]


def words(old: str, new: str) -> Parts:
    """`old` and `new` as one line of parts: (text, same | added | removed)."""
    parts: Parts = []
    for tag, a, b in _blocks(_tokens(old), _tokens(new)):
        if tag == "equal":
            parts.append(("".join(b), "same"))
            continue
        if a:
            parts.append(("".join(a), "removed"))
        if b:
            parts.append(("".join(b), "added"))
    return parts


def lines(old: str, new: str, *, folded: str = "…") -> list[Line]:
    """The lines of both texts, unchanged stretches folded to `folded`, changed words marked."""
    found: list[Line] = []
    blocks = list(_blocks(_lines_of(old), _lines_of(new)))
    for position, (tag, a, b) in enumerate(blocks):
        if tag == "equal":
            found += _folded(b, is_first=position == 0, is_last=position == len(blocks) - 1, sign=folded)
        else:
            found += _changed(a, b, with_words=max(len(old), len(new)) <= _WORDS_IN_TEXTS_UP_TO)
    return found


def _lines_of(text: str) -> list[str]:
    return _LINE_END.split(text) if text else []


def _blocks(a: Sequence[str], b: Sequence[str]) -> list[tuple[str, Sequence[str], Sequence[str]]]:
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    middle_a, middle_b = a[start : len(a) - end], b[start : len(b) - end]
    found: list[tuple[str, Sequence[str], Sequence[str]]] = [("equal", a[:start], b[:start])] if start else []
    if max(len(middle_a), len(middle_b)) > _LINES_UP_TO:
        found.append(("replace", middle_a, middle_b))
    else:
        matcher = SequenceMatcher(None, middle_a, middle_b)
        found += [(tag, middle_a[i:j], middle_b[k:m]) for tag, i, j, k, m in matcher.get_opcodes()]
    if end:
        found.append(("equal", a[len(a) - end :], b[len(b) - end :]))
    return found


def _folded(same: Sequence[str], *, is_first: bool, is_last: bool, sign: str) -> list[Line]:
    head, tail = (0 if is_first else _AROUND), (0 if is_last else _AROUND)
    if len(same) <= head + tail + 1:
        return [_plain("same", text) for text in same]
    return [
        *(_plain("same", text) for text in same[:head]),
        _plain("fold", sign),
        *(_plain("same", text) for text in same[len(same) - tail :]),
    ]


def _changed(a: Sequence[str], b: Sequence[str], *, with_words: bool) -> list[Line]:
    if (
        not with_words
        or len(a) != len(b)
        or len(a) > _WORDS_IN_LINES_UP_TO
        or max(map(len, [*a, *b]), default=0) > _WORDS_UP_TO
    ):
        return [_plain("removed", text) for text in a] + [_plain("added", text) for text in b]
    removed, added = [], []
    for old, new in zip(a, b, strict=True):
        parts = words(old, new)
        removed.append(Line("removed", _marked(parts, "removed")))
        added.append(Line("added", _marked(parts, "added")))
    return removed + added


def _marked(parts: Parts, kind: str) -> list[tuple[str, bool]]:
    return [(text, found == kind) for text, found in parts if found in (kind, "same")]


def _plain(kind: str, text: str) -> Line:
    return Line(kind, [(text, False)])


def _tokens(text: str) -> list[str]:
    if len(text) > _WORDS_UP_TO:
        return [text]
    bounds = [*(match.start() for match in _TOKEN.finditer(text)), len(text)]
    return [text[i:j] for i, j in pairwise(bounds)]
