"""What a browser does to texts in forms, undone: a field that nobody changed keeps its bytes (contract 5).

An `<input>` drops CR and LF, a `<textarea>` sends every line end as CR LF, both show NUL as U+FFFD. Tags travel as one
line with commas, quoted where a tag itself holds a comma or a quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LINE_END = re.compile(r"\r\n?|\n")
_NEEDS_QUOTES = re.compile(r'[,，"]|^\s|\s$|^$')
_TAG = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*(?=[,，]|$)|([^,，]*))(?:[,，]|$)')


def single_line(sent: str, stored: str) -> str:
    """The text that a one-line field stands for: `stored` itself when the browser only dropped its CR and LF."""
    return stored if _as_line(sent) == _as_line(stored) else sent


def multi_line(sent: str, stored: str) -> str:
    """The text that a field of many lines stands for.

    `stored` itself when only line ends differ; else what was sent, with CR LF where `stored` had them and LF else.
    """
    if _as_lines(sent) == _as_lines(stored):
        return stored
    line_end = "\r\n" if "\r\n" in stored else "\n"
    return _LINE_END.sub(line_end, sent)


def has_lines(text: str) -> bool:
    """Whether a one-line field would drop something of the text."""
    return "\n" in text or "\r" in text


def join_tags(tags: Iterable[str]) -> str:
    """The tags as the text of one field; `split_tags` reads it back."""
    return ", ".join(_quoted(tag) if _NEEDS_QUOTES.search(tag) else tag for tag in tags)


def split_tags(text: str) -> list[str]:
    """The tags of a field: parted by commas (full-width too), spaces around them dropped, quotes keep a tag whole."""
    tags: list[str] = []
    at = 0
    while at < len(text):
        found = _TAG.match(text, at)
        # The second alternative takes any text up to a comma or the end, so there is always a match.
        if found is None or found.end() == at:
            break
        quoted, plain = found.groups()
        tag = quoted.replace('""', '"') if quoted is not None else plain.strip()
        if tag or quoted is not None:
            tags.append(tag)
        at = found.end()
    return tags


def returned_tags(sent: str, stored: Sequence[str]) -> list[str]:
    """The tags that a field stands for: `stored` when nobody changed it; a tag that stayed keeps its line ends."""
    if _as_line(sent) == _as_line(join_tags(stored)):
        return list(stored)
    kept = {_as_line(tag): tag for tag in stored}
    return list(dict.fromkeys(kept.get(_as_line(tag), tag) for tag in split_tags(sent)))


def _quoted(tag: str) -> str:
    return '"' + tag.replace('"', '""') + '"'


def _as_line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "").replace("\0", "\ufffd")


def _as_lines(text: str) -> str:
    return _LINE_END.sub("\n", text).replace("\0", "\ufffd")
