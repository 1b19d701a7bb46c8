"""Finding the parts of a JSON document of any size in constant memory, without decoding them.

Knows strings, brackets, commas and white space; what stands inside a record is for `catalogue.decode` to judge.
The work is done by a few regular expressions over a window of the file: about 6 µs for a record of 2 kB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from webadmin import strict
from webadmin.errors import N_

CHUNK = 1024 * 1024
MAX_VALUE = 16 * 1024 * 1024
"""The largest single record in bytes: a text of 4 MiB, each character of it escaped, and the rest.

Without a bound one unclosed quote would read a whole file into memory.
"""
MAX_OWN_VALUE = 128 * 1024 * 1024
"""The same in our own files: another program may have stored more than any file may bring in."""
_MAX_DEPTH = 1_000_000
# What the keys of one document may take in bytes; they are remembered, since none may stand there twice.
_MAX_KEYS = 1024 * 1024

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,:"\[\]{}]++')
# An object whose members are plain or lists of plain values, which real records are, in one step of the engine.
_FLAT = re.compile(
    rb'\{(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+"|\[(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+\])*+\}', re.DOTALL
)
# Runs of brackets count as one token, so that millions of them cost no more than they must.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|([\[{]++)|([\]}]++)|(")', re.DOTALL)
_OPENING, _CLOSING, _UNCLOSED = 1, 2, 3


class BadStructure(Exception):
    """The document is not well-formed at `offset`; `record` is the index of the record it happened in, if any.

    The template has the parameters `line` and `byte`, which are filled in when the file is at hand.
    """

    def __init__(self, offset: int, template: str) -> None:
        super().__init__(template)
        self.offset = offset
        self.template = template
        self.record: int | None = None


class Scanner:
    """A forward reader over a seekable file; `offset` is where it stands."""

    def __init__(self, file: BinaryIO, start: int = 0) -> None:
        self._file = file
        self._file.seek(start)
        self._base = start
        self._data = b""
        self._at = 0

    @property
    def offset(self) -> int:
        """The position in the file of the next byte."""
        return self._base + self._at

    def _more(self) -> bool:
        """Drop what is behind, read as much again as is left, at most to the largest value; False at the end."""
        rest = self._data[self._at :]
        if len(rest) > MAX_VALUE:
            raise self.bad(N_("The value at line %(line)d (byte %(byte)d) is larger than 16 MiB."))
        # The window goes before it is replaced: there is room for two of the largest values, not for three.
        self._data = b""
        chunk = self._file.read(min(max(CHUNK, len(rest)), MAX_VALUE + 1 - len(rest)))
        self._base += self._at
        self._at = 0
        self._data = rest + chunk
        return bool(chunk)

    def bad(self, template: str) -> BadStructure:
        """The error that the document is not well-formed here."""
        return BadStructure(self.offset, template)

    def cut(self) -> BadStructure:
        """The error that the file ends too early."""
        offset = self._base + len(self._data)
        return BadStructure(
            offset, N_("The file ends at line %(line)d (byte %(byte)d), before its end: it was cut short.")
        )

    def peek(self) -> bytes:
        """Skip white space; the next byte, or nothing at the end of the file."""
        while True:
            found = _SPACE.match(self._data, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._data):
                return self._data[self._at : self._at + 1]
            if not self._more():
                return b""

    def take(self, wanted: bytes) -> None:
        """Step over one expected byte."""
        found = self.peek()
        if not found:
            raise self.cut()
        if found != wanted:
            raise self.bad(N_("This is not valid JSON at line %(line)d (byte %(byte)d)."))
        self._at += 1

    def value(self) -> bytes:
        """The raw text of the next value, which must begin here."""
        first = self.peek()
        if first == b"{":
            flat = _FLAT.match(self._data, self._at)
            return self._cut_out(flat.end()) if flat else self._nested()
        if first == b"[":
            return self._nested()
        if first == b'"':
            return self._matched(_STRING, needs_end=False)
        if not first:
            raise self.cut()
        return self._matched(_SCALAR, needs_end=True)

    def _cut_out(self, end: int) -> bytes:
        span = self._data[self._at : end]
        self._at = end
        return span

    def _matched(self, pattern: re.Pattern[bytes], *, needs_end: bool) -> bytes:
        while True:
            found = pattern.match(self._data, self._at)
            if found and not (needs_end and found.end() == len(self._data)):
                return self._cut_out(found.end())
            if needs_end and not found:
                raise self.bad(N_("This is not valid JSON at line %(line)d (byte %(byte)d)."))
            if not self._more():
                if found:
                    return self._cut_out(len(self._data))
                raise self.cut()

    def _nested(self) -> bytes:
        depth = ahead = 0
        while True:
            for token in _TOKEN.finditer(self._data, self._at + ahead):
                kind = token.lastindex
                if kind == _OPENING:
                    depth += token.end() - token.start()
                    if depth > _MAX_DEPTH:
                        raise self.bad(N_("The value at line %(line)d (byte %(byte)d) is nested too deep."))
                elif kind == _CLOSING:
                    if depth <= token.end() - token.start():
                        return self._cut_out(token.start() + depth)
                    depth -= token.end() - token.start()
                elif kind == _UNCLOSED:
                    ahead = token.start() - self._at
                    break
            else:
                ahead = len(self._data) - self._at
            if not self._more():
                raise self.cut()

    def items(self) -> Iterator[bytes]:
        """The raw texts of the items of the list that begins here. Errors name the item's index."""
        index = 0
        self.take(b"[")
        if self.peek() == b"]":
            self.take(b"]")
            return
        while True:
            try:
                yield self.value()
                if self.peek() == b"]":
                    break
                self.take(b",")
            except BadStructure as error:
                error.record = index
                raise
            index += 1
        self.take(b"]")

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; whoever iterates takes the value before going on.

        A key that stands there twice is an error, and so are keys of more than a megabyte in all.
        """
        seen: set[str] = set()
        held = 0
        self.take(b"{")
        if self.peek() == b"}":
            self.take(b"}")
            return
        while True:
            if self.peek() not in (b'"', b""):
                raise self.bad(N_("This is not valid JSON at line %(line)d (byte %(byte)d)."))
            start = self.offset
            span = self.value()
            held += len(span)
            if held > _MAX_KEYS:
                raise BadStructure(start, N_("There are too many keys, at line %(line)d (byte %(byte)d)."))
            key = self.decoded(span, start)
            if key in seen:
                raise BadStructure(
                    start, N_("A key of the document stands there twice, at line %(line)d (byte %(byte)d).")
                )
            seen.add(key)
            self.take(b":")
            yield key
            if self.peek() == b"}":
                break
            self.take(b",")
        self.take(b"}")

    @staticmethod
    def decoded(span: bytes, start: int) -> str:
        """A key as text."""
        try:
            return str(strict.load(span))
        except strict.NotReadable:
            raise BadStructure(start, N_("This is not valid JSON at line %(line)d (byte %(byte)d).")) from None
