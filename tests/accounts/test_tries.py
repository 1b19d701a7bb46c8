"""Guessing is slowed, for all processes, without keeping the owner out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from tests.people import PASSWORD
from webadmin import accounts, clock, runtime
from webadmin.accounts import SYSTEM, Device, TooManyTries, tries
from webadmin.db import transaction


@pytest.fixture
def session(app: Flask):
    with app.app_context(), transaction() as session:
        yield session


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the clock to so long after the start of the test."""
    start = clock.now()
    monkeypatch.setattr(clock, "now", lambda: start)
    return lambda **after: monkeypatch.setattr(clock, "now", lambda: start + timedelta(**after))


def use_up(count: int, name: str = "Ada", address: str = "a", device: str | None = None) -> None:
    for _ in range(count):
        tries.at_sign_in(name, address, device)


def wait(name: str = "Ada", address: str = "a", device: str | None = None) -> int:
    with pytest.raises(TooManyTries) as caught:
        tries.at_sign_in(name, address, device)
    return caught.value.wait_seconds


def test_the_thirteenth_try_waits_whatever_names_it_takes(session, later) -> None:
    for number in range(12):
        tries.at_sign_in(f"name {number}", "a", None)
    assert wait("one more") == 60
    later(seconds=59)
    assert wait() == 1
    later(seconds=60)
    use_up(1)
    assert wait() == 60


def test_refused_tries_make_nobody_wait_longer(session, later) -> None:
    use_up(12)
    later(seconds=30)
    assert [wait() for _ in range(50)] == [30] * 50


def test_one_address_never_keeps_another_one_waiting(session, later) -> None:
    """An attacker at one address gets one try a minute; all of them leave room under the name."""
    use_up(12)
    for minute in range(1, 60):
        later(minutes=minute)
        use_up(1)
        assert wait() == 60
    use_up(1, address="of the owner")


def test_a_name_is_tried_less_than_a_hundred_times_an_hour_from_everywhere(session, later) -> None:
    done = 0
    for second in range(0, 3600, 10):
        later(seconds=second)
        try:
            tries.at_sign_in("Ada", f"address {second}", None)
            done += 1
        except TooManyTries:
            pass
    assert 90 < done < 100


def test_who_signed_in_with_a_browser_before_is_not_kept_waiting_by_others(session) -> None:
    ada = accounts.add_user(session, SYSTEM, "Ada", PASSWORD)
    for number in range(36):
        tries.at_sign_in("ada", f"address {number}", None)
    with pytest.raises(TooManyTries):
        accounts.sign_in(session, "Ada", PASSWORD, address="new")
    mine = Device(ada.id, "mark")
    assert accounts.sign_in(session, "Ada", PASSWORD, address="new", device=mine) is ada
    with pytest.raises(TooManyTries):
        accounts.sign_in(session, "Ada", PASSWORD, address="new", device=Device(ada.id + 1, "mark"))
    for _ in range(12):
        assert accounts.sign_in(session, "Ada", "wrong", address="new", device=mine) is None
    with pytest.raises(TooManyTries):
        accounts.sign_in(session, "Ada", "wrong", address="new", device=mine)


def test_a_right_password_costs_no_try(session) -> None:
    accounts.add_user(session, SYSTEM, "Ada", PASSWORD)
    for _ in range(30):
        assert accounts.sign_in(session, "Ada", PASSWORD, address="a")
    use_up(12, "ada")


def test_many_tries_at_one_moment_are_counted_one_by_one(app: Flask) -> None:
    def attempt(_: int) -> bool:
        with app.app_context():
            try:
                tries.at_sign_in("ada", "a", None)
            except TooManyTries:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 12


def test_a_clock_that_is_set_back_makes_nobody_wait_for_ever(session, later) -> None:
    later(days=1)
    use_up(12)
    later()
    assert wait() == 60
    later(minutes=12)
    use_up(12)


def test_counters_that_are_paid_off_are_removed_and_names_are_not_kept(session, later) -> None:
    for number in range(20):
        tries.at_sign_in("my password by mistake", f"address {number}", None)
    rows = str([tuple(row) for row in runtime.current().read("SELECT * FROM tries")])
    assert "mistake" not in rows
    later(days=1)
    use_up(1, "other", "b")
    assert len(runtime.current().read("SELECT * FROM tries")) == 2
