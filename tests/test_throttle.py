"""Counting calls: exact within a window, right when the clock is set back, and never in the way of the calls."""

from __future__ import annotations

import logging
import sqlite3
import threading
from datetime import timedelta

import pytest

from webadmin import clock, config, runtime, throttle
from webadmin.runtime import Runtime
from webadmin.throttle import Throttle, by_address

WINDOW = timedelta(seconds=60)


@pytest.fixture
def store(make_config, monkeypatch):
    values = make_config(RATE_LIMIT_MAX_REQUESTS="3", RATE_LIMIT_WINDOW_MS="60000")
    made = Runtime(values.database_path.with_name("runtime.db"))
    monkeypatch.setattr(config, "_provider", lambda: values)
    monkeypatch.setattr(runtime, "_provider", lambda: made)
    yield made
    made.close()


@pytest.fixture
def counter(store):
    return Throttle()


@pytest.fixture
def set_clock(monkeypatch):
    """Set the clock to so long after the start of the test."""
    start = clock.now().replace(microsecond=0)
    monkeypatch.setattr(clock, "now", lambda: start)
    return lambda **after: monkeypatch.setattr(clock, "now", lambda: start + timedelta(**after))


def callers(store):
    return {row["caller"]: row["made"] for row in store.read("SELECT caller, made FROM calls")}


def test_as_many_calls_as_the_limit_go_through(counter):
    used = [counter.count("a") for _ in range(5)]
    assert [usage.is_over for usage in used] == [False, False, False, True, True]
    assert [usage.remaining for usage in used] == [2, 1, 0, 0, 0]


def test_each_caller_has_a_window_that_begins_with_its_first_call(counter, set_clock):
    counter.count("a")
    set_clock(seconds=20)
    assert counter.count("b").wait_seconds == 60
    assert counter.count("a").wait_seconds == 40
    set_clock(seconds=59.999)
    assert (counter.count("a").made, counter.count("a").wait_seconds) == (3, 1)
    set_clock(seconds=60)
    assert (counter.count("a").made, counter.count("b").made) == (1, 2)


def test_calls_beyond_the_limit_do_not_prolong_the_window(counter, set_clock):
    for second in range(60):
        set_clock(seconds=second)
        counter.count("a")
    set_clock(seconds=60)
    assert not counter.count("a").is_over


def test_a_clock_set_back_neither_frees_nor_locks_out(counter, set_clock):
    for _ in range(4):
        counter.count("a")
    set_clock(seconds=-59)
    usage = counter.count("a")
    assert (usage.is_over, usage.wait_seconds) == (True, 60)
    set_clock(seconds=1)
    assert not counter.count("a").is_over
    set_clock(days=-400)
    usage = counter.count("a")
    assert (usage.made, usage.wait_seconds) == (1, 60)


def test_threads_lose_no_call(counter, store):
    threads = [threading.Thread(target=lambda: [counter.count("a") for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert callers(store) == {"a": 160}


def test_windows_that_ended_are_removed_a_few_at_a_time(counter, store, set_clock):
    for n in range(250):
        counter.count(f"old {n}")
    set_clock(seconds=60)
    counter.count("a")
    assert len(callers(store)) == 151
    counter.count("a")
    assert len(callers(store)) == 151
    counter.count("b")
    counter.count("c")
    assert callers(store) == {"a": 2, "b": 1, "c": 1}


def test_windows_of_a_clock_that_was_wrong_are_removed(counter, store, set_clock):
    set_clock(days=4000)
    counter.count("then")
    set_clock()
    counter.count("now")
    assert callers(store) == {"now": 1}


def test_finding_what_to_remove_reads_the_index(store):
    [*steps] = store.read(f"EXPLAIN QUERY PLAN {throttle._REMOVE}", (1, 2, 3))
    assert not any("SCAN" in step["detail"] for step in steps if "LIST" not in step["detail"]), [*map(tuple, steps)]


def test_a_limit_of_zero_counts_nothing(counter, store, make_config, monkeypatch):
    monkeypatch.setattr(config, "_provider", lambda: make_config(RATE_LIMIT_MAX_REQUESTS="0"))
    assert counter.count("a") is None
    assert callers(store) == {}


def test_a_locked_file_lets_calls_through_and_is_logged_once(counter, store, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(throttle, "_PAUSE_SECONDS", 0)
    counter.count("a")
    store.read("PRAGMA busy_timeout=1")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert [counter.count("a") for _ in range(3)] == [None] * 3
    assert len(caplog.records) == 1
    other.execute("ROLLBACK")
    assert counter.count("a").made == 2
    other.execute("BEGIN IMMEDIATE")
    assert counter.count("a") is None
    other.close()
    assert len(caplog.records) == 2


def test_a_locked_file_is_not_waited_for_by_every_call(counter, store):
    counter.count("a")
    store.read("PRAGMA busy_timeout=1")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert counter.count("a") is None
    other.close()
    assert counter.count("a") is None, "the file is left alone for a while"


def test_a_full_disk_lets_calls_through(counter, store):
    counter.count("a")
    store.read("PRAGMA max_page_count=1")
    assert None in [counter.count(f"caller {n:0400}") for n in range(100)]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        (None, "", True),
        (None, "192.0.2.1", False),
    ],
)
def test_an_address_stands_for_one_caller(one, other, is_same):
    assert (by_address(one) == by_address(other)) is is_same
