"""Thousands of broken files made from good ones: each is refused in words, or its good records are taken."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import pytest

from webadmin.backups.document import Integrity, InvalidBackup, open_document, records
from webadmin.catalogue import decode, encode
from webadmin.errors import Invalid

GOLDEN = Path(__file__).parents[1] / "golden" / "backups"
ROUNDS = int(os.environ.get("HOSTILE_ROUNDS", "300"))
PIECES = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\0", b"NaN", b"\xff", b"1e999", b"\\ud800", b"null", b" ",
          b"\xef\xbb\xbf", b'"id":"ast_1",', b"9" * 5000, b"[" * 2000]  # fmt: skip


def broken(raw: bytes, chosen: random.Random) -> bytes:
    made = bytearray(raw)
    for _ in range(chosen.randint(1, 4)):
        if not made:
            break
        at = chosen.randrange(len(made))
        kind = chosen.randrange(5)
        if kind == 0:
            made[at] = chosen.randrange(256)
        elif kind == 1:
            del made[at : at + chosen.randint(1, 30)]
        elif kind == 2:
            made[at:at] = chosen.choice(PIECES)
        elif kind == 3:
            made = made[:at] + made[at : at + 200] + made[at:]
        else:
            del made[max(1, at) :]
    return bytes(made)


def refusals(raw: bytes) -> list[Invalid]:
    """What was refused while the whole file was read; its good records must encode again."""
    file, found = io.BytesIO(raw), []
    try:
        document = open_document(file)
        spans = list(records(file, document))
    except InvalidBackup as error:
        return [error]
    for index, span in spans:
        try:
            record, _ = decode(span, index=index, is_trusted=document.integrity is Integrity.RIGHT)
        except Invalid as error:
            found.append(error)
        else:
            assert encode(record)
    return found


@pytest.mark.parametrize("name", ["format_1.json", "layout_a.json", "layout_b.json", "array.json"])
def test_no_broken_file_does_more_than_be_refused(name: str) -> None:
    raw, chosen = (GOLDEN / name).read_bytes(), random.Random(name)
    for _ in range(ROUNDS):
        assert all(str(error) and error.details() for error in refusals(broken(raw, chosen)))


def test_a_list_of_millions_of_scraps_is_given_up_early() -> None:
    file = io.BytesIO(b'{"assistants":[' + b"{}," * 2_000_000 + b"{}]}")
    with pytest.raises(InvalidBackup, match="More than 10000 records"):
        open_document(file)
    # It gave up at a hundredth of the file, not at its end.
    assert file.tell() < 3_000_000
