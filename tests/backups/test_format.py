"""The backup file: written exactly, read in any layout, refused in words."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webadmin.backups.document import Integrity, InvalidBackup, Layout, open_document, records
from webadmin.backups.format import Metadata, write
from webadmin.backups.scanner import CHUNK
from webadmin.catalogue.decoding import decode
from webadmin.catalogue.records import encode

GOLDEN = Path(__file__).parents[1] / "golden" / "backups"
OURS = (GOLDEN / "format_1.json").read_bytes()
LAYOUT_A = (GOLDEN / "layout_a.json").read_bytes()
HEAD = b'{"metadata": {"version": "1.0.0", "timestamp": "2024-06-01T02:00:00.000Z", "recordCount": 1},\n'
RECORD = b'{"id": "a", "title": "t", "prompt": "p", "createdAt": "2024-01-01"}'


def read(raw: bytes) -> list[bytes]:
    file = io.BytesIO(raw)
    return [span for _, span in records(file, open_document(file))]


def lines(raw: bytes) -> list[bytes]:
    return sorted(encode(decode(span)[0]) for span in read(raw))


def document(count: int, made: Iterable[bytes]) -> bytes:
    target = io.BytesIO()
    counts = {"draft": count, "pending": 0, "published": 0, "rejected": 0}
    metadata = Metadata(
        timestamp="2024-06-01T02:00:00.000Z",
        record_count=count,
        kind="manual",
        local_day="2024-06-01",
        actor="ada",
        counts=counts,
    )
    write(target, metadata, iter(made))
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("layout_a.json", Layout.METADATA),
        ("layout_a_metadata_last.json", Layout.METADATA),
        ("layout_b.json", Layout.FLAT),
        ("layout_b_crlf_bom.json", Layout.FLAT),
        ("array.json", Layout.ARRAY),
        ("format_1.json", Layout.OURS),
    ],
)
def test_every_layout_gives_the_same_records(name: str, layout: Layout) -> None:
    raw = (GOLDEN / name).read_bytes()
    found = open_document(io.BytesIO(raw))
    assert lines(raw) == [line.rstrip(b",\n") for line in OURS.splitlines(keepends=True)[2:-2]]
    assert found.layout is layout
    assert found.count == 3
    assert found.integrity is (Integrity.RIGHT if layout is Layout.OURS else Integrity.NONE)
    assert found.timestamp == (None if layout is Layout.ARRAY else "2024-06-01T02:00:00.000Z")


def test_written_file_is_the_golden_one() -> None:
    # The generator's line names the version of the program, the rest never changes.
    assert document(0, []).splitlines()[1:][:2] == (GOLDEN / "format_1_empty.json").read_bytes().splitlines()[1:3]
    assert open_document(io.BytesIO(document(0, []))).integrity is Integrity.RIGHT
    assert read(document(0, [])) == []


def test_last_line_is_the_hash_of_every_byte_before_it() -> None:
    body, last = OURS[: OURS.rindex(b"\n", 0, -1) + 1], OURS.splitlines()[-1]
    expected = {"count": 3, "sha256": hashlib.sha256(body).hexdigest()}
    assert last == b'"integrity": ' + json.dumps(expected).encode() + b"}"
    assert json.loads(OURS)["integrity"] == expected


def test_any_flipped_bit_is_found() -> None:
    chosen = random.Random(20240601)
    for _ in range(1000):
        bit = chosen.randrange(len(OURS) * 8)
        flipped = bytearray(OURS)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert open_document(io.BytesIO(bytes(flipped))).integrity is Integrity.WRONG
        except InvalidBackup:
            continue


@pytest.mark.parametrize(
    "altered",
    [
        OURS + b"\n",
        OURS[:-1],
        b"\n" + OURS,
        OURS.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + OURS,
        json.dumps(json.loads(OURS)).encode(),
        OURS.replace(b"Rose", b"Rosa"),
        OURS.replace(b'"integrity": {', b'"integrity":  {'),
        OURS[: OURS.index(b'],\n"integrity"')] + b"]}\n",
    ],
    ids=["line end", "no line end", "first line", "CRLF", "BOM", "re-written", "text", "space", "no integrity"],
)
def test_changed_file_of_ours_is_altered_but_readable(altered: bytes) -> None:
    assert open_document(io.BytesIO(altered)).integrity is Integrity.WRONG
    assert len(read(altered)) == 3


INVALID = {
    "empty": b"",
    "only spaces": b" \n ",
    "not JSON": b"hello",
    "zero-filled": bytes(4096),
    "UTF-16": LAYOUT_A.decode().encode("utf-16"),
    "UTF-16 without BOM": LAYOUT_A.decode().encode("utf-16-le"),
    "SQLite": b"SQLite format 3\0" + bytes(100),
    "gzip that was not unpacked": gzip.compress(LAYOUT_A),
    "number": b"42",
    "another program": b'{"data": [{"id": 1}]}',
    "assistants is an object": b'{"assistants": {}}',
    "assistants twice": b'{"assistants": [], "assistants": []}',
    "metadata is a list": b'{"metadata": [], "assistants": []}',
    "metadata with NaN in a number": HEAD.replace(b"1}", b"NaN}") + b'"assistants": [' + RECORD + b"]}",
    "duplicate key in metadata": b'{"metadata": {"version": "1.0.0", "version": "1.0.0"}, "assistants": []}',
    "wrong count": HEAD.replace(b"1}", b"2}") + b'"assistants": [' + RECORD + b"]}",
    "count is a text": HEAD.replace(b"1}", b'"1"}') + b'"assistants": [' + RECORD + b"]}",
    "count of a flat file is wrong": b'{"version": "1.0", "assistants": [' + RECORD + b'], "count": 0}',
    "later format": HEAD.replace(b"1}", b'1, "format": 2}') + b'"assistants": [' + RECORD + b"]}",
    "later version": HEAD.replace(b"1.0.0", b"2.0.0") + b'"assistants": [' + RECORD + b"]}",
    "comma after the last record": b"[" + RECORD + b",]",
    "no comma": b"[" + RECORD + RECORD + b"]",
    "concatenated": LAYOUT_A + LAYOUT_A,
    "our file twice": OURS + OURS,
    "our file cut by its last line": OURS[: OURS.index(b'"integrity"')],
    "key without value": b'{"assistants"}',
    "key that is no text": b"{1: []}",
    "brackets": b"[" * (3 * CHUNK),
    "record without end": b'[{"id": "' + b"x" * (3 * CHUNK),
}


@pytest.mark.parametrize("raw", INVALID.values(), ids=INVALID.keys())
def test_what_is_no_backup_is_refused_in_words(raw: bytes) -> None:
    with pytest.raises(InvalidBackup) as caught:
        read(raw)
    assert caught.value.code == "VALIDATION_ERROR"
    assert str(caught.value).endswith(".")
    assert caught.value.details()


@pytest.mark.parametrize("raw", [LAYOUT_A, OURS], ids=["A", "ours"])
def test_file_cut_anywhere_is_refused(raw: bytes) -> None:
    for end in range(0, len(raw.rstrip()), 7):
        with pytest.raises(InvalidBackup):
            read(raw[:end])


def test_refusal_names_record_and_line() -> None:
    with pytest.raises(InvalidBackup) as caught:
        read(b"[\n" + RECORD + b",\n" + RECORD + b"\n" + RECORD + b"]")
    assert caught.value.problems[0].index == 1
    assert "line 4" in str(caught.value)


def test_record_may_be_nested_and_hold_brackets_in_texts() -> None:
    odd = rb'{"a": "]}\"[", "b": [[{"c": {}}], "\\"], "d": {"e": ["{"]}}'
    assert read(b"[" + odd + b"," + odd + b"]") == [odd, odd]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3 * CHUNK // 2), max_size=4), st.sampled_from([b"", b" ", b"\r\n\t"]))
def test_records_of_any_size_come_out_whole_across_window_borders(sizes: list[int], space: bytes) -> None:
    made = [b'{"id":"%d","x":"' % index + b'\\"{' * (size // 3) + b'"}' for index, size in enumerate(sizes)]
    raw = b'{"count":%d,"assistants":[' % len(made) + (space + b"," + space).join(made) + b"]}"
    assert read(raw) == made
    sealed = document(len(made), made)
    assert read(sealed) == made


def test_sealed_file_whose_lines_are_not_records_is_refused() -> None:
    with pytest.raises(InvalidBackup):
        read(document(2, [RECORD]))
    with pytest.raises(InvalidBackup):
        read(document(1, [b"[1]"]))
