"""What differs between two texts, for the diff components: by line, and inside lines by word (Chinese by character)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby, islice, pairwise, zip_longest

_TOKEN = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\s+|.", re.DOTALL
)
_LINE_END = re.compile(r"\r\n?|\n")
_AROUND = 3
# difflib is quadratic, and worse where lines repeat: what is longer is compared by line only, or as a whole.
_WORDS_UP_TO = 1_500
_WORDS_IN_LINES_UP_TO = 100
_LINES_UP_TO = 1_500
WORDS_IN_TEXTS_UP_TO = 200_000
# So many times what is the same must make up the longer line.
_ALIKE = 5

Parts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a diff. `kind`: same, added, removed, fold; `parts` are (text, is it marked).

    `is_twin` says that it only stands beside another, in two columns: a repeated line, or the room for none.
    """

    kind: str
    parts: list[tuple[str, bool]]
    is_twin: bool = False


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


def lines(old: str, new: str, *, folded: Callable[[int], str] = str) -> list[Line]:
    """The lines of both texts, changed words marked; `folded` says how many unchanged ones are not shown."""
    found: list[Line] = []
    blocks = list(_blocks(_lines_of(old), _lines_of(new)))
    for position, (tag, a, b) in enumerate(blocks):
        if tag == "equal":
            found += _folded(b, is_first=position == 0, is_last=position == len(blocks) - 1, folded=folded)
        else:
            found += _changed(a, b, with_words=max(len(old), len(new)) <= WORDS_IN_TEXTS_UP_TO)
    return found


def beside(found: Sequence[Line]) -> list[Line]:
    """The same lines for two columns, left and right in turn; a fold takes the whole width."""
    cells: list[Line] = []
    for kind, group in groupby(found, key=lambda line: line.kind if line.kind in ("same", "fold") else "changed"):
        run = list(group)
        if kind == "changed":
            sides = ([line for line in run if line.kind == side] for side in ("removed", "added"))
            cells += [line or _ROOM for pair in zip_longest(*sides) for line in pair]
        elif kind == "same":
            cells += [cell for line in run for cell in (line, replace(line, is_twin=True))]
        else:
            cells += run
    return cells


_ROOM = Line("same", [], is_twin=True)


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


def _folded(same: Sequence[str], *, is_first: bool, is_last: bool, folded: Callable[[int], str]) -> list[Line]:
    head, tail = (0 if is_first else _AROUND), (0 if is_last else _AROUND)
    if len(same) <= head + tail + 1:
        return [_plain("same", text) for text in same]
    return [
        *(_plain("same", text) for text in same[:head]),
        _plain("fold", folded(len(same) - head - tail)),
        *(_plain("same", text) for text in same[len(same) - tail :]),
    ]


def _changed(a: Sequence[str], b: Sequence[str], *, with_words: bool) -> list[Line]:
    removed, added = [_plain("removed", text) for text in a], [_plain("added", text) for text in b]
    pairs = zip(a, b, strict=False) if with_words else ()
    for place, (old, new) in enumerate(islice(pairs, _WORDS_IN_LINES_UP_TO)):
        if max(len(old), len(new)) > _WORDS_UP_TO:
            continue
        parts = words(old, new)
        if _is_alike(parts, old, new):
            removed[place] = Line("removed", _marked(parts, "removed"))
            added[place] = Line("added", _marked(parts, "added"))
    return removed + added


def _is_alike(parts: Parts, old: str, new: str) -> bool:
    """Whether two lines are one that was changed: marks in lines that have nothing in common only confuse."""
    same = sum(len(text.strip()) for text, kind in parts if kind == "same")
    return same * _ALIKE >= max(len(old), len(new))


def _marked(parts: Parts, kind: str) -> list[tuple[str, bool]]:
    return [(text, found == kind) for text, found in parts if found in (kind, "same")]


def _plain(kind: str, text: str) -> Line:
    return Line(kind, [(text, False)])


def _tokens(text: str) -> list[str]:
    if len(text) > _WORDS_UP_TO:
        return [text]
    bounds = [*(match.start() for match in _TOKEN.finditer(text)), len(text)]
    return [text[i:j] for i, j in pairwise(bounds)]
