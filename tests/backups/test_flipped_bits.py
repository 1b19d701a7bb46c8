"""A changed bit, a cut, a dropped record: found by `verify`, and never taken into the catalogue as good.

By hand in earnest: `FLIPS=1000 .venv/bin/python -m pytest -n 0 -s -o timeout=0 tests/backups/test_flipped_bits.py`.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.backups.conftest import ADA, lines, make_record
from webadmin import backups, operations, snapshots
from webadmin.backups import Mode, State
from webadmin.catalogue import Record
from webadmin.config import Config
from webadmin.errors import Invalid

FLIPS = int(os.environ.get("FLIPS", "40"))
TEXTS = ("产品🧑\u200d💻", 'é e\u0301 "\\', "\u2028\x7f\x01\t", "</script>", "\r\n\r", "\U0010ffff\ufffd")
CATALOGUES: dict[str, list[Record]] = {
    "empty": [],
    "small": [make_record(number) for number in range(3)],
    "unicode": [
        make_record(number, title=text, prompt=text * 9, tags=[text, ""], extra={text: msgspec.json.encode([1, text])})
        for number, text in enumerate(TEXTS)
    ],
    "large": [make_record(number, prompt="You are helpful. 产品 " * 40) for number in range(800)],
}
Judge = Callable[[bytes], State]


@pytest.fixture
def judge(data: Config, tmp_path: Path) -> Judge:
    """What `verify` says of a file with these bytes, which no import may take."""
    numbers = itertools.count()

    def found(content: bytes) -> State:
        # A name of its own: under a known one the checksum in the database would find the change too.
        path = data.database_backup_dir / f"assistants_backup_changed_{next(numbers)}.json"
        path.write_bytes(content)
        upload = tmp_path / "upload"
        upload.write_bytes(content)
        options = operations.ImportOptions(Mode.REPLACE, confirm_delete_all=True)
        with pytest.raises(Invalid):
            operations.import_file(ADA, upload, options, source_name="changed")
        state = backups.verify(path.name).state
        path.unlink()
        return state

    return found


@pytest.fixture(params=CATALOGUES)
def made(request: pytest.FixtureRequest, data: Config, fill: Callable[..., None]) -> bytes:
    """A backup of one of the catalogues, which is not what the catalogue holds by now."""
    fill(*CATALOGUES[request.param])
    name = backups.create(ADA).name
    assert backups.verify(name).state is State.VERIFIED
    fill(make_record(99_999))
    return (data.database_backup_dir / name).read_bytes()


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def bits(content: bytes, count: int) -> list[int]:
    """Bits anywhere in a file, and as many in its first two lines and in its last two."""
    chosen = random.Random(content)
    head = content.index(b"\n", content.index(b"\n") + 1)
    tail = content.rindex(b"\n", 0, content.rindex(b"\n", 0, -1))
    places = ((0, len(content)), (0, head), (tail, len(content)))
    return [chosen.randrange(8 * first, 8 * last) for first, last in itertools.islice(itertools.cycle(places), count)]


def test_every_flipped_bit_of_a_backup_is_found(made: bytes, judge: Judge) -> None:
    before = lines()[1:]
    states = Counter(judge(flipped(made, bit)) for bit in bits(made, FLIPS // len(CATALOGUES)))
    print(f"\n{len(made)} bytes, {states.total()} flips: {dict(states)}")
    assert states.keys() <= {State.ALTERED, State.FAILED}
    assert lines()[1:] == before


@pytest.mark.parametrize("made", ["large"], indirect=True)
def test_every_cut_is_found(made: bytes, judge: Judge) -> None:
    kilobytes = range(0, len(made), 1024)
    cuts = [*kilobytes[:: max(1, len(kilobytes) // FLIPS)], len(made) - 1]
    states = Counter(judge(made[:at]) for at in cuts)
    print(f"\n{len(made)} bytes, {len(cuts)} cuts: {dict(states)}")
    # Without its last byte, the line end, the file is whole JSON of which one byte is missing.
    assert (states[State.FAILED], states[State.ALTERED]) == (len(cuts) - 1, 1)


@pytest.mark.parametrize("made", ["small"], indirect=True)
def test_dropped_record_is_found_even_when_the_counts_were_mended(made: bytes, judge: Judge) -> None:
    first, *rest = made.splitlines(keepends=True)
    for index in range(1, 4):
        kept = [line for number, line in enumerate(rest) if number != index]
        kept[2] = kept[2].replace(b"},\n", b"}\n")
        dropped = b"".join([first, *kept])
        assert judge(dropped) is State.FAILED
        mended = dropped.replace(b'"recordCount": 3', b'"recordCount": 2').replace(b'"count": 3', b'"count": 2')
        assert judge(mended) is State.ALTERED


def test_every_flipped_bit_of_a_snapshot_or_its_checksum_is_found(data: Config, fill: Callable[..., None]) -> None:
    fill(*CATALOGUES["unicode"])
    name = snapshots.take().name
    path = snapshots.folder() / name
    content, chosen = path.read_bytes(), random.Random(3)
    for bit in chosen.sample(range(8 * len(content)), FLIPS):
        path.write_bytes(flipped(content, bit))
        assert snapshots.check(name) is snapshots.State.ALTERED
    path.write_bytes(content)
    checksum = path.with_name(f"{name}.sha256")
    line = checksum.read_bytes()
    for bit in chosen.sample(range(8 * 64), min(FLIPS, 8 * 64)):
        checksum.write_bytes(flipped(line, bit))
        assert snapshots.check(name) is snapshots.State.ALTERED
    checksum.write_bytes(line)
    assert snapshots.check(name) is snapshots.State.SOUND
