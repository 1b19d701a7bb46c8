"""Codes of an app and recovery codes: right once, for their owner, for a moment."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from tests.people import PASSWORD, add_person
from webadmin import accounts, clock
from webadmin.accounts import COMMAND_LINE, SYSTEM, Actor, ActorKind, TooManyTries, second_factor
from webadmin.accounts.models import RecoveryCode
from webadmin.db import db, transaction
from webadmin.errors import Conflict, Forbidden, Invalid

SECRET = base64.b32encode(b"12345678901234567890").decode()
START = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)


@pytest.fixture
def session(app: Flask):
    with app.app_context(), transaction() as session:
        yield session


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the clock to so many seconds after the start, which begins a step."""

    def move(seconds: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: START + timedelta(seconds=seconds))

    move(0)
    return move


def code(seconds: int = 0, secret: str = SECRET) -> str:
    return second_factor.code_at(secret, (int(START.timestamp()) + seconds) // 30)


@pytest.fixture
def ada(session, later):
    """Ada, whose second factor is on; two steps later, so that its first code is behind her."""
    user = accounts.add_user(session, SYSTEM, "Ada", PASSWORD)
    _, codes = accounts.turn_on(session, user.id, secret=SECRET, password=PASSWORD, code=code())
    user.codes = codes
    later(60)
    return user


@pytest.mark.parametrize(
    ("time", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
     (20000000000, "353130")],
)  # fmt: skip
def test_codes_are_those_of_the_standard(time: int, expected: str) -> None:
    """RFC 6238, appendix B, the last six digits."""
    assert second_factor.code_at(SECRET, time // 30) == expected


def test_a_code_is_right_for_its_step_and_those_beside_it(session, ada, later) -> None:
    for step, expected in ((0, True), (30, True), (60, True), (-60, False), (120, False)):
        later(600 + (step % 7))
        user = accounts.add_user(session, SYSTEM, f"Ben {step}", PASSWORD)
        user.totp_secret = SECRET
        assert accounts.check_app_code(user, code(570 + step)) is expected


def test_a_code_counts_once_and_so_does_everything_before_it(session, ada, later) -> None:
    assert accounts.check_app_code(ada, code(60))
    assert not accounts.check_app_code(ada, code(60))
    assert not accounts.check_app_code(ada, code(30))
    later(90)
    assert accounts.check_app_code(ada, f" {code(90)[:3]} {code(90)[3:]} ")


def test_the_code_that_switched_it_on_is_used(session, later) -> None:
    user = accounts.add_user(session, SYSTEM, "Ada", PASSWORD)
    accounts.turn_on(session, user.id, secret=SECRET, password=PASSWORD, code=code())
    assert not accounts.check_app_code(user, code())


def test_of_many_at_one_moment_one_gets_in(app: Flask, later) -> None:
    add_person(app, "Ada")
    with app.app_context(), transaction() as session:
        accounts.turn_on(session, 1, secret=SECRET, password=PASSWORD, code=code())
    later(60)

    def attempt(_: int) -> bool:
        with app.app_context():
            return accounts.check_app_code(accounts.get_person(db.session(), 1), code(60))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(6))) == 1


@pytest.mark.parametrize("typed", ["", "000000", "12345", "abcdef", "١٢٣٤٥٦", "\ud800", "1" * 1_000_000, "\0" * 6])
def test_anything_else_is_refused(session, ada, typed: str) -> None:
    assert not accounts.check_app_code(ada, typed)
    assert not accounts.use_recovery_code(session, ada.id, typed)


def test_the_seventh_guess_waits_and_the_owner_goes_on_in_a_browser_used_before(session, ada) -> None:
    for _ in range(6):
        assert not accounts.check_app_code(ada, "000000")
    with pytest.raises(TooManyTries):
        accounts.check_app_code(ada, code(60))
    with pytest.raises(TooManyTries):
        accounts.use_recovery_code(session, ada.id, ada.codes[0])
    assert accounts.check_app_code(ada, code(60), device="mine")


def test_each_recovery_code_is_good_once_and_kept_as_a_hash(session, ada) -> None:
    assert len(set(ada.codes)) == 10
    assert accounts.is_recovery_code(ada.codes[0])
    assert accounts.use_recovery_code(session, ada.id, ada.codes[0].lower().replace("-", " "))
    assert not accounts.use_recovery_code(session, ada.id, ada.codes[0])
    assert accounts.codes_left(session, ada.id) == 9
    kept = {each.code_hash for each in session.query(RecoveryCode)}
    assert not kept & {each.replace("-", "") for each in ada.codes}


def test_new_recovery_codes_replace_the_old(session, ada) -> None:
    new = accounts.renew_codes(session, ada.id, password=PASSWORD)
    assert not accounts.use_recovery_code(session, ada.id, ada.codes[0])
    assert accounts.use_recovery_code(session, ada.id, new[0])


def test_changing_it_takes_the_password(session, ada) -> None:
    for change in (accounts.turn_off, accounts.renew_codes):
        with pytest.raises(Invalid) as caught:
            change(session, ada.id, password="wrong")
        assert caught.value.problems[0].field == "current"
    accounts.turn_off(session, ada.id, password=PASSWORD)
    assert (ada.totp_secret, accounts.codes_left(session, ada.id)) == (None, 0)
    with pytest.raises(Invalid) as caught:
        accounts.turn_on(session, ada.id, secret=SECRET, password=PASSWORD, code="000000")
    assert caught.value.problems[0].field == "code"


def test_an_administrator_resets_it(session, ada) -> None:
    with pytest.raises(Forbidden):
        accounts.reset_second_factor(session, Actor(ActorKind.PERSON, "Vic", role="viewer"), ada.id)
    accounts.reset_second_factor(session, COMMAND_LINE, ada.id)
    assert (ada.totp_secret, accounts.codes_left(session, ada.id)) == (None, 0)


def test_who_needs_it_cannot_switch_it_off(session, ada, make_config, monkeypatch) -> None:
    values = make_config(SECOND_FACTOR_REQUIRED="admin")
    monkeypatch.setattr("webadmin.config._provider", lambda: values)
    with pytest.raises(Conflict):
        accounts.turn_off(session, ada.id, password=PASSWORD)


def test_the_address_for_the_app_is_escaped(settings) -> None:
    found = accounts.app_address(SECRET, "Ada: 助手 & co")
    assert found == (
        "otpauth://totp/Assistant%20Admin:Ada%3A%20%E5%8A%A9%E6%89%8B%20%26%20co"
        f"?secret={SECRET}&issuer=Assistant%20Admin"
    )
