"""A write, sync or naming under the data folder fails, once or for ever: the state is that before or that after.

Here a few calls of each operation fail. By hand each one does, with every error of `FAULT_ERRNOS`, once and for ever:
`FAULTS=all .venv/bin/python -m pytest -n 0 -s -o timeout=0 tests/faults/test_failing_calls.py`. `FAULTS=7` takes every
seventh, `FAULTS=kinds` those that differ: of calls of one name on one file, one after the other, the first two and the
last.
"""

from __future__ import annotations

import errno
import os
import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pytest

from tests.faults.operations import OPERATIONS, Operation
from tests.faults.world import State, World, look_after_crash
from tests.sites import Site, wait_for
from tests.syscalls import Call

FAULTS = os.environ.get("FAULTS", "")
# After so many the world is as at first again: what they make becomes more and more, and each operation slower.
RENEWED_AFTER = 100
ERRNOS = [getattr(errno, name) for name in os.environ.get("FAULT_ERRNOS", "ENOSPC,EIO,EDQUOT,EROFS").split(",")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(Site(tmp_path_factory.mktemp("world")))
    made.found()
    if FAULTS:
        made.keep()
    yield made
    made.stop()
    made.site.close()


@dataclass(frozen=True)
class Fault:
    """Which call of an operation fails (from 1), how, and whether all that come after it do, too."""

    at: int
    number: int
    is_for_ever: bool

    def __str__(self) -> str:
        return f"call {self.at}, {errno.errorcode[self.number]} {'for ever' if self.is_for_ever else 'once'}"


def chosen(name: str, calls: Sequence[Call]) -> Iterator[Fault]:
    """The faults to try on an operation that makes these calls when nothing fails."""
    if not FAULTS:
        draw = random.Random(name)
        for is_for_ever in (False, True):
            yield Fault(draw.randint(1, len(calls)), draw.choice(ERRNOS), is_for_ever)
        return
    for number in ERRNOS:
        for is_for_ever in (False, True):
            for at in _chosen_calls(calls):
                yield Fault(at, number, is_for_ever)


def _chosen_calls(calls: Sequence[Call]) -> Iterable[int]:
    if FAULTS != "kinds":
        # Not every run of an operation makes as many calls.
        return range(1, len(calls) + 10, 1 if FAULTS == "all" else int(FAULTS))
    found, first = [], 1
    for _, equal in groupby((call.name, re.sub(r"\w*\d\w*", "*", call.path)) for call in calls):
        last = first + len(list(equal)) - 1
        found += sorted({first, min(first + 1, last), last})
        first = last + 1
    return found


def calls_of(world: World, operation: Operation) -> list[Call]:
    """The calls that it makes when nothing fails; looks whether it does what it should."""
    world.clear_passing()
    given = operation.prepare(world)
    before = world.look()
    world.storage.fail(0, 0)
    answer = operation.act(world, given)
    calls = world.storage.calls()
    assert answer.is_done, answer
    assert world.look().catalogue() == operation.expect(before, given).catalogue()
    assert world.passing() == []
    return calls


def complaints(world: World, operation: Operation, fault: Fault, scratch) -> list[str] | None:
    """What is not as it should be after a fault; None where the operation ended before it."""
    world.clear_passing()
    given = operation.prepare(world)
    before = world.look()
    after = operation.expect(before, given)
    world.storage.fail(fault.at, fault.number, for_ever=fault.is_for_ever)
    answer = operation.act(world, given)
    count = len(world.storage.calls())
    found = world.complaints_of_reading() if fault.is_for_ever else []
    failed = world.storage.mend()
    if count < fault.at:
        return None
    now = world.look()
    found += [answer.complaint] if answer.complaint else []
    found += _untrue(before, after, now, is_done=answer.is_done)
    found += _torn(before, after, look_after_crash(world.site.data, scratch))
    if lost := (before.files | before.binned) - (now.files | now.binned):
        found.append(f"backups are gone: {lost}")
    if world.passing() and not any(call.name.startswith("unlink") for call in failed):
        found.append(f"left over: {world.passing()}")
    again = operation.act(world, operation.prepare(world))
    if not again.is_done:
        found.append(f"does not work again: {again}")
    return [f"{fault}, {failed[0]}: {each} [{answer.status} {answer.words[:200]}]" for each in found]


def _untrue(before: State, after: State, now: State, *, is_done: bool) -> list[str]:
    if is_done and now.catalogue() != after.catalogue():
        return [f"said to be done, and is not: {now.differs_from(after)}"]
    if not is_done and now.catalogue() != before.catalogue():
        return [f"refused, and yet something changed: {now.differs_from(before)}"]
    return []


def _torn(before: State, after: State, later: State) -> list[str]:
    if later.catalogue() in (before.catalogue(), after.catalogue()):
        return []
    return [f"a crash leaves something between: {later.differs_from(after)}"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_failing_call_leaves_the_state_before_or_after_in_words(world, tmp_path, name):
    found, count, passed = [], 0, set()
    if FAULTS:
        world.renew()
    calls = calls_of(world, OPERATIONS[name])
    for fault in chosen(name, calls):
        if (fault.number, fault.is_for_ever) in passed:
            continue
        said = complaints(world, OPERATIONS[name], fault, tmp_path / "crash")
        if said is None:
            passed.add((fault.number, fault.is_for_ever))
            continue
        count += 1
        if count % RENEWED_AFTER == 0:
            world.renew()
        found += said
        print("".join(f"\n{each}" for each in said), end="", flush=True)
    print(f"\n{name}: {len(calls)} calls, {count} faults, {len(found)} complaints", flush=True)
    assert not found, "\n".join(found)


def test_import_that_cannot_begin_leaves_no_upload(world, tmp_path):
    operation = OPERATIONS["import, merge"]
    ends = [call.path.endswith(".lock") and call.path.startswith(".incoming/") for call in calls_of(world, operation)]
    assert complaints(world, operation, Fault(ends.index(True) + 1, errno.EDQUOT, False), tmp_path / "crash") == []


def test_start_after_faults_takes_away_what_was_left(world):
    (world.site.backups / ".tmp-1-left").write_bytes(b"half a backup")
    secret = world.site.data / ".tmp-1234"
    secret.touch()
    os.utime(secret, (time.time() - 4000, time.time() - 4000))
    before = world.look()
    world.stop()
    world.start()
    wait_for(lambda: not list(world.site.backups.glob(".tmp-*")))
    wait_for(lambda: not secret.exists())
    assert world.look().catalogue() == before.catalogue()
    assert world.look().files == before.files
