"""What is worth telling: once for each trouble, once when it is over, once for what comes and goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from webadmin.notifications.events import CHANCE, SETTLED_AFTER, Event, Told, decide
from webadmin.safety import State

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
GOOD = State.SAFE


def told_of(*looks: tuple[int, State]) -> list[tuple[int, Event]]:
    """The events when the state is that at these minutes, looked at each minute."""
    told, events, states = Told(), [], dict(looks)
    state = looks[0][1]
    for minute in range(max(states) + 1):
        state = states.get(minute, state)
        told, event = decide(told, state, NOW + timedelta(minutes=minute))
        if event:
            events.append((minute, event))
    return events


def test_a_failure_and_its_end_are_told_once_each():
    assert told_of((0, GOOD), (5, State.LAST_FAILED), (600, GOOD), (900, GOOD)) == [
        (5, Event.FAILURE), (610, Event.RECOVERED),
    ]  # fmt: skip


def test_a_late_backup_and_its_end_are_told_once_each():
    assert told_of((0, State.LATE), (100, GOOD), (200, GOOD)) == [(2, Event.LATE), (110, Event.RECOVERED)]


def test_what_a_start_finds_overdue_and_makes_good_is_not_told():
    assert told_of((0, GOOD), (600, State.LATE), (601, GOOD), (700, GOOD)) == []
    assert told_of((0, GOOD), (600, State.LATE), (601, State.NOT_VERIFIED), (602, GOOD), (700, GOOD)) == []
    assert told_of((0, State.NO_GOOD_BACKUP), (1, State.LATE), (2, GOOD), (100, GOOD)) == []
    # The time counts from the last time that it began.
    assert told_of((0, State.LATE), (1, GOOD), (2, State.LATE), (4, GOOD), (100, GOOD)) == []


def test_a_disk_that_fills_is_told_before_it_is_full_and_when_there_is_room_again():
    looks = (
        (0, GOOD),
        (5, State.DISK_NEARLY_FULL),
        (60, State.CANNOT_WRITE),
        (90, State.DISK_NEARLY_FULL),
        (200, GOOD),
    )
    assert told_of(*looks, (220, GOOD)) == [
        (5, Event.WARNING), (60, Event.FAILURE), (100, Event.WARNING), (210, Event.RECOVERED),
    ]  # fmt: skip


def test_what_gets_worse_is_told_again():
    assert told_of((0, State.LATE), (10, State.LAST_FAILED), (20, State.NO_GOOD_BACKUP), (30, State.DAMAGED)) == [
        (2, Event.LATE), (10, Event.FAILURE), (22, Event.FAILURE),
    ]  # fmt: skip


def test_what_comes_and_goes_within_minutes_is_told_once():
    looks = [(minute, State.CANNOT_WRITE if minute % 4 < 2 else GOOD) for minute in range(120)]
    assert told_of(*looks) == [(0, Event.FAILURE)]
    assert told_of(*looks, (120, GOOD), (140, GOOD)) == [(0, Event.FAILURE), (128, Event.RECOVERED)]


def test_choices_and_beginnings_are_neither_trouble_nor_its_end():
    for state in (State.NO_BACKUP_YET, State.NOT_VERIFIED, State.SWITCHED_OFF):
        assert told_of((0, state), (30, state)) == []
        assert told_of((0, State.LATE), (5, state), (60, state)) == [(2, Event.LATE)]


def test_clock_put_back_holds_no_news_off():
    told, _ = decide(Told(), State.DAMAGED, NOW)
    told, _ = decide(told, GOOD, NOW)
    back = NOW - timedelta(days=30)
    told, _ = decide(told, GOOD, back)
    assert decide(told, GOOD, back + SETTLED_AFTER)[1] is Event.RECOVERED
    told, _ = decide(Told(), State.LATE, NOW)
    told, _ = decide(told, State.LATE, back)
    assert decide(told, State.LATE, back + CHANCE)[1] is Event.LATE


@given(st.lists(st.sampled_from(State), max_size=60))
def test_events_alternate_and_never_repeat_within_the_time_to_settle(states):
    told, ends = Told(), []
    for minute, state in enumerate(states):
        told, event = decide(told, state, NOW + timedelta(minutes=minute))
        if event is Event.RECOVERED:
            assert all(each is GOOD for each in states[minute - 10 : minute + 1])
        ends += [event] if event else []
    assert ends[:1] != [Event.RECOVERED]
    assert all(pair != (Event.RECOVERED, Event.RECOVERED) for pair in pairwise(ends))
