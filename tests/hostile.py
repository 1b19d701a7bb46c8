"""Malformed and hostile files as one table: name, bytes, and what is to become of them by whatever way they come in.

A file is refused in words; or taken whole; or its good records are taken and every other one is reported; or it is
whole JSON with a wrong checksum, and taken when that is accepted. `FILES` are made in no time, `LARGE` are for by hand.
"""
# ruff: noqa: E501 (a table: a line for each kind of fault)

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webadmin.backups.format import Metadata, write

GOLDEN = Path(__file__).parent / "golden" / "backups"
TIME = "2024-06-01T02:00:00.000Z"
MIB = 1024 * 1024


@dataclass(frozen=True)
class File:
    """What is expected of a file: `good` and `bad` count its records, None where the file as such is refused."""

    make: Callable[[], bytes]
    good: int | None = None
    bad: int = 0
    is_altered: bool = False

    @property
    def verdict(self) -> str:
        if self.good is None:
            return "refused"
        return "altered" if self.is_altered else "in part" if self.bad else "whole"


FILES: dict[str, File] = {}


def record(number: int = 1, **changes: Any) -> dict[str, Any]:
    known = {"id": f"ast_{number}", "title": "Rose", "prompt": "Grow. 玫瑰", "createdAt": TIME}
    return {key: value for key, value in (known | changes).items() if value is not ...}


def text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def listed(*records: bytes, **metadata: Any) -> bytes:
    """Layout A with the raw records."""
    known = {"version": "1.0.0", "timestamp": TIME, "recordCount": len(records)} | metadata
    known = {key: value for key, value in known.items() if value is not ...}
    return b'{"metadata": %s, "assistants": [\n%s\n]}\n' % (text(known), b",\n".join(records))


def flat(*records: bytes, **more: Any) -> bytes:
    """Layout B with the raw records."""
    known = {"version": "1.0", "exportedAt": TIME, "count": len(records)} | more
    return b'%s, "assistants": [%s]}' % (text(known)[:-1], b",".join(records))


def sealed(*records: bytes, **changes: Any) -> bytes:
    """Our own format, its integrity line right."""
    target, count = io.BytesIO(), len(records)
    known = {"timestamp": TIME, "record_count": count, "kind": "manual", "local_day": "2024-06-01", "actor": "ada"}
    write(target, Metadata(**(known | {"counts": {"draft": count}} | changes)), iter(records))
    return target.getvalue()


ONE, TWO, THREE = (text(record(number)) for number in (1, 2, 3))
A, B, ARRAY = listed(ONE, TWO, THREE), flat(ONE, TWO, THREE), b"[%s]" % b",".join((ONE, TWO, THREE))
OURS = (GOLDEN / "format_1.json").read_bytes()


def add(name: str, made: bytes | Callable[[], bytes], *expected: int, is_altered: bool = False) -> None:
    """Put a file into the table: refused, unless so many `good` records are to be taken, and so many are `bad`."""
    assert name not in FILES, name
    FILES[name] = File(made if callable(made) else lambda: made, *expected, is_altered=is_altered)


def add_record(name: str, *fields: Any, is_good: bool = False, **changes: Any) -> None:
    """Put a file into the table whose second record of three is the odd one: raw text, or changes of a good one."""

    def make() -> bytes:
        return listed(ONE, fields[0] if fields else text(record(2, **changes)), THREE)

    add(name, make, 2 + is_good, int(not is_good))


def in_record(raw: bytes) -> bytes:
    """A record with a raw value under a key that nobody knows."""
    return TWO[:-1] + b', "mine": ' + raw + b"}"


def patched(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert old in raw
    return raw.replace(old, new, 1)


def packed(raw: bytes, name: bytes = b"", *, flags: int = 0, method: int = 8) -> bytes:
    """A gzip member with what its header may hold (RFC 1952)."""
    squeezed = zlib.compressobj(wbits=-15)
    body = squeezed.compress(raw) + squeezed.flush()
    ends = zlib.crc32(raw).to_bytes(4, "little") + (len(raw) % 2**32).to_bytes(4, "little")
    return b"\x1f\x8b" + bytes([method, flags, 0, 0, 0, 0, 0, 255]) + name + body + ends


def zipped(raw: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("assistants.json", raw)
    return target.getvalue()


# Other things than a backup.
for name, raw in {
    "empty": b"", "one space": b" ", "white space": b" \t\r\n" * 500, "byte order mark alone": b"\xef\xbb\xbf",
    "one NUL": b"\0", "zero bytes": bytes(4096), "zeros before the document": bytes(100) + A,
    "zeros for the first half": bytes(len(A) // 2) + A[len(A) // 2 :], "zeros after the document": A + bytes(512),
    "zeros for the second half": A[: len(A) // 2] + bytes(len(A) // 2),
    "zeros for the end of ours": OURS[:-300] + bytes(300),
    "zeros after the seal": OURS + bytes(512),
    "0xff throughout": b"\xff" * 4096, "random bytes": bytes((n * n * 31 + n * 7) % 251 for n in range(5000)),
    "HTML": b"<!doctype html><title>502 Bad Gateway</title><h1>502</h1>", "XML": b'<?xml version="1.0"?><a/>',
    "YAML": b"assistants:\n  - id: a\n    title: t\n", "CSV": b"id,title,prompt\r\na,t,p\r\n", "TSV": b"id\ttitle\na\tt\n",
    "SQL dump": b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "SQLite": b"SQLite format 3\0" + bytes(4096),
    "zip": zipped(A), "tar": b"a.json" + bytes(94) + b"0000644\0" + bytes(400), "bzip2": bz2.compress(A),
    "xz": lzma.compress(A), "zlib": zlib.compress(A), "zstd": b"\x28\xb5\x2f\xfd" + A, "PNG": b"\x89PNG\r\n\x1a\n" + A,
    "PDF": b"%PDF-1.7\n", "base64": b"eyJhc3Npc3RhbnRzIjpbXX0=", "number": b"42", "text": b'"assistants"',
    "null": b"null", "true": b"true", "NaN": b"NaN", "object without anything": b"{}",
    "another program's document": b'{"data": [%s]}' % ONE, "assistants is null": b'{"assistants": null}',
    "assistants is an object": b'{"assistants": {"1": %s}}' % ONE, "assistants is a text": b'{"assistants": "none"}',
    "assistants is spelled otherwise": b'{"Assistants": [%s]}' % ONE,
    "JSON lines": b"\n".join((ONE, TWO, THREE)), "JSON lines of documents": A + A, "array after an array": ARRAY * 2,
    "two arrays with a comma": ARRAY + b"," + ARRAY, "document and junk": A + b"junk", "document and brace": A + b"}",
    "junk and document": b"junk" + A, "ours twice": OURS * 2, "ours and another": OURS + A, "JSONP": b"load(%s);" % A,
    "a guard before the document": b")]}',\n" + A, "PHP warning before the document": b"Warning: x in y\n" + A,
}.items():  # fmt: skip
    add(f"no backup: {name}", raw)

# Encodings.
for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
    add(f"encoding: {codec}", A.decode().encode(codec))
add("encoding: utf-16-be with mark", b"\xfe\xff" + A.decode().encode("utf-16-be"))
add("encoding: utf-32-be with mark", b"\0\0\xfe\xff" + A.decode().encode("utf-32-be"))
add("encoding: UTF-7", b"+AHs-" + A[1:])
add("encoding: EBCDIC", "{}".encode("cp500") * 50)
add("encoding: GB18030", A.decode().encode("gb18030"), 0, 3)
add("encoding: Latin-1 in one record", listed(ONE, TWO.replace(b"Rose", "Ros\xe9".encode("latin-1")), THREE), 2, 1)
add("encoding: byte order mark", b"\xef\xbb\xbf" + A, 3)
add("encoding: byte order mark and spaces", b"\xef\xbb\xbf \r\n" + A, 3)
add("encoding: two byte order marks", b"\xef\xbb\xbf" * 2 + A)
add("encoding: byte order mark between keys", patched(A, b", ", b", \xef\xbb\xbf"))
add("encoding: no-break space between keys", patched(A, b', "assistants"', b',\xc2\xa0"assistants"'))
add("encoding: CRLF and BOM", b"\xef\xbb\xbf" + A.replace(b"\n", b"\r\n"), 3)
add("encoding: CR alone", A.replace(b"\n", b"\r"), 3)
add("encoding: form feed between records", A.replace(b",\n", b",\x0c"))
for name, raw in {
    "overlong": b"\xc0\x80", "overlong slash": b"\xe0\x80\xaf", "CESU-8": b"\xed\xa0\xbd\xed\xb8\x80", "cut character": b"\xe7\x8e",
    "lone continuation": b"\x80", "beyond Unicode": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80", "0xff": b"\xff",
}.items():  # fmt: skip
    add_record(f"UTF-8: {name}", TWO.replace(b"Rose", raw))

# Cuts: of each layout at many places.
for layout, raw in (("A", A), ("B", B), ("array", ARRAY), ("ours", OURS)):
    for percent in (1, 10, 33, 50, 66, 90, 99):
        add(f"cut: {layout} at {percent} %", raw.rstrip()[: max(1, len(raw.rstrip()) * percent // 100)])
    add(f"cut: {layout} by its last bracket", raw.rstrip()[:-1])
add("cut: A by its line end", A[:-1], 3)
add("cut: ours by its line end", OURS[:-1], 3, is_altered=True)
add("cut: in a character", A[: A.index("玫".encode()) + 1])
add("cut: in an escape", ARRAY[: ARRAY.index(b"Rose") + 1] + b"\\")
add("cut: in a Unicode escape", ARRAY[: ARRAY.index(b"Rose") + 1] + b"\\u4e")
add("cut: after a key", b'{"assistants"')
add("cut: after a colon", b'{"assistants":')
add("cut: begins in the middle", A[len(A) // 2 :])

# gzip.
SQUEEZED = packed(A)
for name, raw in {
    "cut in the header": SQUEEZED[:5], "the two magic bytes": SQUEEZED[:2], "cut in the body": SQUEEZED[: len(SQUEEZED) // 2],
    "cut in the trailer": SQUEEZED[:-3], "without a trailer": SQUEEZED[:-8], "wrong checksum": SQUEEZED[:-8] + bytes(4) + SQUEEZED[-4:],
    "wrong length": SQUEEZED[:-1] + b"\x7f", "flipped byte": SQUEEZED[:60] + bytes([SQUEEZED[60] ^ 64]) + SQUEEZED[61:],
    "rubbish behind it": SQUEEZED + b"rubbish", "document behind it": SQUEEZED + A, "cut member behind it": SQUEEZED + SQUEEZED[:20],
    "magic bytes behind it": SQUEEZED + b"\x1f\x8b", "unknown method": packed(A, method=9), "nested": packed(SQUEEZED),
    "nested five times": gzip.compress(gzip.compress(gzip.compress(packed(SQUEEZED)))), "of nothing": packed(b""),
    "of zero bytes": packed(bytes(4096)), "of two documents": packed(A) + packed(A), "header alone": packed(A, flags=8),
    "name without end": packed(A, b"x" * 70_000, flags=8)[:60_000], "of UTF-16": packed(A.decode().encode("utf-16")),
    "zeros and rubbish behind it": SQUEEZED + bytes(9) + b"x",
}.items():  # fmt: skip
    add(f"gzip: {name}", raw)
add("gzip: whole", SQUEEZED, 3)
add("gzip: with name and comment", packed(A, b"a.json\0hello\0", flags=8 | 16), 3)
add("gzip: name of 60 kB", packed(A, b"x" * 60_000 + b"\0", flags=8), 3)
add("gzip: with an extra field", packed(A, b"\x04\x00abcd", flags=4), 3)
add("gzip: members", b"".join(packed(A[at : at + 50]) for at in range(0, len(A), 50)), 3)
add("gzip: a thousand empty members", packed(b"") * 1000 + SQUEEZED, 3)
add("gzip: padded with zeros", SQUEEZED + bytes(512), 3)
add("gzip: of ours", packed(OURS), 3)
add("gzip: bomb of zeros", lambda: gzip.compress(bytes(16 * MIB)))
add("gzip: bomb of spaces", lambda: gzip.compress(b" " * 16 * MIB + A), 3)
add("gzip: bomb of brackets", lambda: gzip.compress(b"[" * 16 * MIB))

# JSON that is none.
for name, raw in {
    "comma after the last record": A.replace(b"\n]", b",\n]"), "comma before the first": A.replace(b"[\n", b"[,\n"),
    "two commas": A.replace(b",\n", b",,\n"), "comma after the last key": A.rstrip()[:-1] + b",}", "no comma": A.replace(b"},\n", b"}\n"),
    "no colon": patched(A, b'"assistants":', b'"assistants"'), "semicolon": patched(A, b'"assistants":', b'"assistants";'),
    "single quotes": A.replace(b'"', b"'"), "keys without quotes": re.sub(rb'"(\w+)": ', rb"\1: ", A),
    "curly quotes": A.replace(b'"', "“".encode()), "comment before": b"// x\n" + A, "comment within": patched(A, b"[\n", b"[ /* x */\n"),
    "hash comment": b"# x\n" + A, "wrong bracket at the end": A.rstrip()[:-2] + b"}}",
    "number as a key": b'{1: [], "assistants": []}', "key without value": b'{"assistants"}', "closing bracket": b"]", "brace": b"}",
    "100,000 brackets": b"[" * 100_000, "2 million brackets": b"[" * (2 * MIB), "100,000 braces": b'{"a":' * 100_000,
    "100,000 brackets in metadata": patched(A, b'"1.0.0"', b"[" * 100_000 + b"]" * 100_000),
    "NaN in metadata": listed(ONE, recordCount=float("nan")), "infinity in metadata": listed(ONE, recordCount=float("-inf")),
    "bad escape in a key": patched(A, b'"metadata"', b'"meta\\xdata"'), "bad UTF-8 in metadata": patched(A, b"1.0.0", b"\xff"),
    "line end in a key": patched(A, b'"metadata"', b'"meta\ndata"'), "text without end": b'[{"id": "' + b"x" * (3 * MIB),
    "10,100 empty records": b"[" + b"{}," * 10_100 + b"{}]", "10,100 numbers": b"[" + b"1," * 10_100 + b"1]",
    "10,100 records without a title": b"[%s]" % b",".join(b'{"id": "ast_%d", "prompt": "p and more"}' % n for n in range(10_100)),
    "a value of 17 MiB": lambda: b'[{"id": "' + b"x" * (17 * MIB) + b'"}]',
}.items():  # fmt: skip
    add(f"syntax: {name}", raw)
add("syntax: white space of 3 MB", A.replace(b"\n", b"\n" * MIB), 3)
add("syntax: no white space", text(json.loads(A)).replace(b", ", b",").replace(b": ", b":"), 3)
add("syntax: keys escaped", patched(A, b'"assistants"', b'"\\u0061ssistants"'), 3)
add("syntax: empty list", b"[]", 0)
add("syntax: brackets crossed", b'{"assistants": [{"id": [}]]}', 0, 1)
add("syntax: 9,000 empty records", b"[%s]" % b",".join([b"{}"] * 9_000), 0, 9_000)
add("syntax: one good among 5,000 bad", b"[%s,%s]" % (b",".join([b'{"title": "no id"}'] * 5_000), ONE), 1, 5_000)
for name, raw in {
    "a list": b"[%s]" % TWO, "a number": b"2", "a text": b'"ast_2"', "null": b"null", "an empty object": b"{}", "true": b"true",
    "NaN": b"NaN", "with a comma too many": TWO[:-1] + b",}", "without quotes": b'{id: "ast_2"}', "without a colon": b'{"id" "ast_2"}',
    "with a comment": TWO[:-1] + b"/* x */}", "with a line end in a text": TWO.replace(b"Rose", b"Ro\nse"),
    "with a tab in a text": TWO.replace(b"Rose", b"Ro\tse"), "with a NUL byte": TWO.replace(b"Rose", b"Ro\0se"),
    "with a bad escape": TWO.replace(b"Rose", b"\\x41"), "with a cut escape": TWO.replace(b"Rose", b"\\u12"),
    "with an unknown word": in_record(b"undefined"), "with NaN": in_record(b"NaN"), "with -Infinity": in_record(b"[-Infinity]"),
    "with a hexadecimal number": in_record(b"0x10"), "with a leading zero": in_record(b"01"), "with a plus": in_record(b"+1"),
    "with a bare point": in_record(b".5"), "with a point at the end": in_record(b"1."), "with a lone minus": in_record(b"-"),
    "with Arabic digits": in_record("١".encode()), "with 5,000 digits": in_record(b"9" * 5_000), "with 5,000 decimals": in_record(b"0." + b"1" * 5_000),
    "100 deep": in_record(b"[" * 100 + b"]" * 100), "100,000 deep": in_record(b"[" * 100_000 + b"]" * 100_000),
    "with 110,000 values": in_record(b"[" + b"1," * 110_000 + b"1]"), "with 110,000 keys": TWO[:-1] + b"".join(b',"k%d":1' % n for n in range(110_000)) + b"}",
    "with brackets crossed": in_record(b"[{]}"),
}.items():  # fmt: skip
    add_record(f"record: {name}", raw)
add_record("record: 98 deep", in_record(b"[" * 98 + b"]" * 98), is_good=True)
add_record("record: with 90,000 values", in_record(b"[" + b"1," * 90_000 + b"1]"), is_good=True)
add_record("record: with a number beyond a double", in_record(b"1e400"), is_good=True)
add_record("record: with 900 digits", in_record(b"9" * 900), is_good=True)

# Keys that stand there twice.
for name, raw in {
    "assistants": patched(A, b"{", b'{"assistants": [],'), "metadata": patched(A, b"{", b'{"metadata": {"recordCount": 3},'),
    "version": patched(B, b"{", b'{"version": "1.0",'), "count": patched(B, b"{", b'{"count": 3,'), "unknown": patched(A, b"{", b'{"x": 1, "x": 1,'),
    "in metadata": patched(A, b'"version"', b'"recordCount": 3, "version"'), "escaped": patched(A, b"{", b'{"\\u0061ssistants": [],'),
    "integrity": patched(OURS, b'"integrity"', b'"integrity": {"count": 3}, "integrity"'), "deep in metadata": listed(ONE, TWO)[:-3].replace(b'"1.0.0"', b'{"a": {"b": 1, "b": 2}}') + b"]}",
}.items():  # fmt: skip
    add(f"twice: {name}", raw)
for name, more in {
    "id": b'"id": "ast_2"', "id with another value": b'"id": "ast_9"', "title": b'"title": "Rosa"', "unknown": b'"x": 1, "x": 1',
    "escaped": b'"\\u0069d": "ast_2"', "nested": b'"x": {"a": [{"b": 1, "b": 1}]}', "tags": b'"tags": [], "tags": ["a"]',
}.items():  # fmt: skip
    add_record(f"twice in a record: {name}", TWO[:-1] + b", " + more + b"}")
add("twice: the same record", listed(ONE, TWO, ONE), 2, 1)
add("twice: one id a thousand times", listed(*[ONE] * 1000), 1, 999)
add("twice: a good one after a bad one", listed(text(record(1, title=...)), ONE), 1, 1)

# What the document says of itself.
for name, metadata in {
    "count too high": {"recordCount": 2}, "count too low": {"recordCount": 0}, "count is a text": {"recordCount": "1"}, "count is true": {"recordCount": True},
    "count is negative": {"recordCount": -1}, "count is 1.5": {"recordCount": 1.5}, "count is a list": {"recordCount": [1]}, "count is huge": {"recordCount": 10**30},
    "count of 5,000 digits": {"recordCount": 10**4000}, "format 2": {"format": 2}, "format 10^30": {"format": 10**30}, "version 2.0.0": {"version": "2.0.0"},
    "version 99": {"version": "99"}, "version 2": {"version": 2}, "version 3.5": {"version": 3.5},
}.items():  # fmt: skip
    add(f"metadata: {name}", listed(ONE, **metadata))
for name, raw in {
    "is a list": b'{"metadata": [], "assistants": []}', "is a text": b'{"metadata": "1.0.0", "assistants": []}', "is null": b'{"metadata": null, "count": 2, "assistants": []}',
    "count of B is wrong": flat(ONE, TWO, count=3), "count of B is a text": flat(ONE, count="1"), "count last and wrong": b'{"assistants": [%s], "count": 2}' % ONE,
    "version 2 of B": flat(ONE, version="2.0"), "two, one a later version": patched(listed(ONE), b"{", b'{"metadata": {"version": "9"},'),
}.items():  # fmt: skip
    add(f"metadata: {name}", raw)
for name, raw in {
    "after the records": b'{"assistants": [%s], "metadata": {"recordCount": 1, "version": "1.0.0"}}' % ONE, "none": b'{"assistants": [%s]}' % ONE,
    "empty": b'{"metadata": {}, "assistants": [%s]}' % ONE, "without a count": listed(ONE, recordCount=...), "count is null": listed(ONE, recordCount=None),
    "time is no date": listed(ONE, timestamp="yesterday"), "time is a number": listed(ONE, timestamp=1717200000), "time is 30 February": listed(ONE, timestamp="2024-02-30"),
    "version is a word": listed(ONE, version="abc"), "version is null": listed(ONE, version=None), "version is a list": listed(ONE, version=[1]),
    "version 1.9.9": listed(ONE, version="1.9.9"), "both layouts": patched(listed(ONE), b"{", b'{"version": "1.0", "exportedAt": "x", "count": 5,'),
    "unknown keys": patched(listed(ONE), b"{", b'{"x": [1, {"y": null}],'), "10,000 unknown keys": patched(listed(ONE), b"{", b"{" + b"".join(b'"k%d":1,' % n for n in range(10_000))),
    "markup": listed(ONE, timestamp="<script>alert(1)</script>"), "unknown value 100 kB": listed(ONE, note="x" * 100_000),
}.items():  # fmt: skip
    add(f"metadata: {name}", raw, 1)
for name, raw in {
    "wrong checksum": re.sub(rb'"sha256": "[0-9a-f]', b'"sha256": "z', OURS), "upper-case checksum": re.sub(rb'(?<="sha256": ")[0-9a-f]+', lambda m: m[0].upper(), OURS),
    "no integrity": OURS[: OURS.index(b'],\n"integrity"')] + b"]}\n", "text changed": OURS.replace(b"Rose", b"Rosa"), "integrity is null": re.sub(rb'"integrity": .*', b'"integrity": null}', OURS),
    "integrity of another file": patched(OURS, b'"kind": "', b'"kind": "x'), "CRLF": OURS.replace(b"\n", b"\r\n"), "first line": b"\n" + OURS, "re-written": text(json.loads(OURS)),
    "format is a text": patched(OURS, b'"format": 1', b'"format": "1"'), "format 0": patched(OURS, b'"format": 1', b'"format": 0'), "byte order mark": b"\xef\xbb\xbf" + OURS,
}.items():  # fmt: skip
    add(f"seal: {name}", raw, 3, is_altered=True)
add("seal: integrity before the records", b'{"integrity": {"count": 1}, "assistants": [%s]}' % ONE, 1, is_altered=True)
add("seal: integrity counts another number", re.sub(rb'"integrity": {"count": 3', b'"integrity": {"count": 4', OURS))
add("seal: record dropped", re.sub(rb"(?m)^\{\"id\":[^\n]*,\n", b"", OURS, count=1))
add("seal: right, yet lines are no records", sealed(ONE, b"[1]"))
add("seal: right, yet a record over two lines", sealed(ONE, TWO.replace(b", ", b",\n", 1)))
add("seal: right, yet the count lies", sealed(ONE, TWO, record_count=3))
add("seal: right, yet made for a later format", sealed(ONE, format=2))
add("seal: whole", OURS, 3)


def bad_values(**fields: Iterable[Any]) -> None:
    for key, values in fields.items():
        for value in values:
            said = "missing" if value is ... else json.dumps(value)
            add_record(f"{key}: {said if len(said) < 40 else f'{said[:9]}… of {len(said)}'}", **{key: value})


bad_values(
    id=[..., None, "", 2, True, ["a"], {"a": 1}, "x" * 256, "助" * 10_000, "x" * 10_000, "a\0b", "\ud800"],
    title=[..., None, "", 5, ["t"], "a\0b", "\udc00\ud800", "x" * (4 * MIB + 1)],
    prompt=[..., None, "", False, {}, "\0", "x" * (10 * MIB)],
    desc=[0, [], {"en": "d"}, "\ud83d"],
    emoji=[128512, ["😀"], "\0"],
    tags=[7, {"a": 1}, [1], [None], [["a"]], ["a", True], [f"t{n}" for n in range(10_000)], ["a\0"], ["\ud800"]],
    isPublic=["true", "false", "", 1, 0, [], {}],
    status=["active", "Published", "PUBLISHED", "", " draft", 1, True, [], "delete", "draft\0"],
    author=[9, ["a"], {}, "\0"],
    createdAt=["", "yesterday", 1717200000000, "2024-13-01", "2024-02-30", "2024-01-15 10:30:00", "24-01-15", "2024-1-5", True,
               "2024-01-15T25:00:00Z", "2024-01-15T10:60:00Z", "2024-01-15T10:30:00", "2024-01-15T10:30Z", "0000-01-01", "+12024-01-01",
               "2024-01-15T10:30:00+25:00", "２０２４-01-15", "2024-01-15\n", {"$date": 1}],
    updatedAt=["never", 0, ""], reviewedAt=["2023-02-29", []], publishedAt=["0", {}],
    reviewNote=[1, ["n"], "\0"],
    version=["1", 1.5, True, 2**53, 2**63, -(2**63) - 1, 1e300, [], "latest"],
    category=["c", 1, {"a": 1}, [2**64], ["\ud800"], [1e999]],
    usageCount=["5", 0.5, 2**63, [], True],
    rating=["4", 2**1024, [5], False, 2**53 + 1],
)  # fmt: skip
for key in (b"version", b"usageCount", b"rating"):
    for number in (b"NaN", b"-Infinity", b"1e999", b"9" * 5_000):
        add_record(f"{key.decode()}: {number[:9].decode()} as a number", TWO[:-1] + b', "%s": %s}' % (key, number))
for name, changes in {
    "id of 255": {"id": "助" * 255}, "id is a space": {"id": " "}, "id with a line end": {"id": "a\r\nb"}, "id is a path": {"id": "../../etc/passwd"},
    "id is new": {"id": "new"}, "id is backup": {"id": "backup"}, "id is SQL": {"id": "'; DROP TABLE assistants; --"}, "id is markup": {"id": "<script>"},
    "id from right to left": {"id": "\u202eabc"}, "id of zero width": {"id": "\u200b"}, "id is a tilde": {"id": "~YWJj"}, "id is a noncharacter": {"id": "\uffff\U0010ffff"},
    "title of 201": {"title": "x" * 201}, "title of 1 MB": {"title": "x" * 1_000_000}, "title of 4 MiB": {"title": "助" * (4 * MIB // 3)}, "title of spaces": {"title": " \t"},
    "title with bidi controls": {"title": "\u202e\u2066gpj.exe\u2069\u200f"}, "title with markup": {"title": "<img src=x onerror=alert(1)>"}, "title is a formula": {"title": "=cmd|'/c calc'!A1"},
    "title is a format": {"title": "%(name)s {0} {{7*7}} %s"}, "title with control characters": {"title": "\x01\x1b[31m\x7f\x85"}, "100,000 marks on a letter": {"title": "a" + "\u0301" * 100_000},
    "desc is null": {"desc": None}, "emoji of 5,000": {"emoji": "👩‍👩‍👧‍👦" * 700}, "prompt of 1 MB": {"prompt": "x\r\n" * 350_000}, "prompt of noncharacters": {"prompt": "\ufffe\uffff\ufdd0"},
    "tags are null": {"tags": None}, "tags are a text": {"tags": "a, b"}, "tags are JSON in a text": {"tags": '["a"]'}, "1,000 tags": {"tags": ["t"] * 1000}, "empty tags": {"tags": ["", " "]},
    "isPublic is null": {"isPublic": None}, "version is null": {"version": None}, "version 0": {"version": 0}, "version 1.0": {"version": 1.0}, "version -1": {"version": -1},
    "version 2^53-1": {"version": 2**53 - 1}, "date with an offset": {"createdAt": "2024-01-15T10:30:00.123456789+05:45"}, "date of a leap second": {"updatedAt": "2016-12-31T23:59:60Z"},
    "date of the year 1": {"createdAt": "0001-01-01"}, "date of the year 9999": {"createdAt": "9999-12-31T23:59:59Z"}, "no time of creation": {"createdAt": ...},
    "an unknown key without a name": {"": 1}, "an unknown key __proto__": {"__proto__": {"isAdmin": True}}, "an unknown key like a column": {"is_public": 1, "created_at": "x", "rowid": 5},
    "an unknown key of 100 kB": {"k" * 100_000: 1}, "an unknown key in the case of a known one": {"ID": "x", "Title": "y"}, "usageCount -5": {"usageCount": -5}, "rating 1e308": {"rating": 1e308},
    "category of anything": {"category": [None, 1, {"a": []}]}, "review note of 100 kB": {"reviewNote": "n" * 100_000},
}.items():  # fmt: skip
    add_record(f"good: {name}", is_good=True, **changes)
add(
    "good: ids that differ in case",
    listed(*(text(record(id=each)) for each in ("a", "A", "ä", "Ä", "ß", "SS", "ı", "I"))),
    8,
)
add(
    "good: ids that differ in spaces",
    listed(*(text(record(id=each)) for each in ("a", " a", "a ", "a\t", "a\u00a0", "a\u200b"))),
    6,
)
add(
    "good: ids that differ in normalization",
    listed(*(text(record(id=each)) for each in ("\u00e9", "e\u0301", "\ufb01", "fi", "\u00c5", "\u212b"))),
    6,
)
add(
    "good: tags in every wrong type",
    listed(*(text(record(n, tags=each)) for n, each in enumerate(["x", "[", "{}", "[1]"]))),
    4,
)
add_record("key with NUL", TWO[:-1] + b', "a\\u0000b": 1}')
add_record("key with half a surrogate pair", TWO[:-1] + b', "\\ud800": 1}')
add_record("deep NUL", in_record(b'[{"a": "\\u0000"}]'))
add_record(
    "100 keys of NUL",
    in_record(b"[]")[:-1] + b"".join(b',"%s%d": "\\u0000"' % (b"k" * 500, n) for n in range(100)) + b"}",
)
add_record("id of 1 MB", id="x" * MIB)
add_record("unknown text of 4 MiB and a byte", mine=["x" * (4 * MIB + 1)])
add_record("good: unknown text of 4 MiB", mine=["x" * 4 * MIB], is_good=True)
add_record("text that only its escapes make long", TWO.replace(b"Rose", b"\\u0041" * 800_000), is_good=True)
add_record("text of 5 MB in a record that is no JSON", TWO.replace(b"Rose", b"x" * 5 * MIB)[:-1] + b",}")
add(
    "all wrong at once",
    listed(text(dict.fromkeys(("id", "title", "prompt", "desc", "tags", "status", "version"), 1.5))),
    0,
    1,
)

SIX = ("title", "desc", "prompt", "emoji", "author", "reviewNote")
# By hand: large ones, which must not need more memory than small ones.
LARGE = {
    "200 MB of brackets": File(lambda: b"[" * (200 * MIB)),
    "200 MB of brackets in a record": File(lambda: b'[{"a":' + b"[" * (200 * MIB)),
    "200 MB of empty lists": File(lambda: b"[" + b"[]," * (66 * MIB) + b"[]]"),
    "200 MB of braces": File(lambda: b'{"a":' * (40 * MIB)),
    "200 MB of commas": File(lambda: b"[" + b"," * (200 * MIB)),
    "200 MB of spaces": File(lambda: b" " * (200 * MIB)),
    "200 MB in one text": File(lambda: b'["' + b"x" * (200 * MIB)),
    "200 MB in one number": File(lambda: b"[" + b"1" * (200 * MIB) + b"]"),
    "200 MB in metadata": File(lambda: b'{"metadata": {"x": "' + b"x" * (200 * MIB) + b'"}, "assistants": []}'),
    "200 MB of unknown keys": File(lambda: b'{"x": [' + b"1," * (100 * MIB) + b'1], "assistants": []}'),
    "200 MB of keys": File(lambda: b"{" + b"".join(b'"%020d":1,' % n for n in range(8_000_000)) + b'"assistants": []}'),
    "a record of 31 MiB that is one text": File(lambda: b"[%s]" % text(record(prompt="😀" + "x" * 31 * MIB))),
    "a record of 8 MiB that is one text": File(lambda: b"[%s]" % text(record(prompt="😀" + "x" * 8 * MIB)), 0, 1),
    "a record of 8 MiB in six texts": File(lambda: b"[%s]" % text(record(**dict.fromkeys(SIX, "x" * (8 * MIB // 6)))), 0, 1),
    "a record of nearly 4.5 MB in six texts with an emoji each": File(
        lambda: b"[%s]" % text(record(**dict.fromkeys(SIX, "😀" + "x" * 749_000))), 1
    ),
    "a prompt of 4 MiB of Chinese, all of it escaped": File(lambda: b"[%s]" % json.dumps(record(prompt="助" * (4 * MIB // 3))).encode(), 1),
    "a record of 8 MiB of small values": File(lambda: b"[%s]" % in_record(b"[" + b"1," * (4 * MIB) + b"1]"), 0, 1),
    "a record of 8 MiB of text and an emoji under an unknown key": File(lambda: b"[%s]" % in_record(text("😀" + "x" * 8 * MIB)), 0, 1),
    "100 prompts of 3 MiB": File(lambda: listed(*(text(record(n, prompt="x" * 3 * MIB)) for n in range(100))), 100),
    "100 titles of 3 MiB": File(lambda: listed(*(text(record(n, title="x" * 3 * MIB)) for n in range(100))), 100),
    "300 unknown values of 1 MiB": File(lambda: listed(*(text(record(n, mine="x" * MIB)) for n in range(300))), 300),
    "300 unknown keys of 1 MiB": File(lambda: listed(*(text(record(n, **{f"{n}" + "k" * MIB: 1})) for n in range(300))), 300),
    "300 ids of 1 MiB": File(lambda: listed(*(text(record(id=f"{n}" + "x" * MIB)) for n in range(300))), 0, 300),
    "9,000 records with 200 faults each": File(
        lambda: listed(*(text(record(n, **{f"{'k' * 90}{each}": "\0" for each in range(200)})) for n in range(9_000))), 0, 9_000
    ),
    "300,000 records of one id": File(lambda: b"[" + (ONE + b",") * 300_000 + ONE + b"]"),
    "gzip bomb of 2 GB": File(lambda: b"".join([gzip.compress(bytes(64 * MIB))] * 32)),
    "gzip bomb of 1 GB of spaces": File(lambda: b"".join([gzip.compress(b" " * (64 * MIB))] * 16) + packed(A), 3),
}  # fmt: skip
