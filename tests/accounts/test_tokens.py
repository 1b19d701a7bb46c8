"""API tokens: shown once, kept as a hash, ended by time or by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text as sql

from webadmin import accounts, clock
from webadmin.accounts import SYSTEM, ValidToken
from webadmin.db import transaction
from webadmin.errors import Conflict, Invalid, NotFound


@pytest.fixture
def session(app: Flask):
    with app.app_context(), transaction() as session:
        yield session


def test_a_token_is_recognised_by_its_text_and_nothing_stored_shows_it(session) -> None:
    token, text = accounts.issue_token(session, SYSTEM, "nightly")
    assert accounts.authenticate_token(session, text) == ValidToken(
        token.id, "nightly", "admin", frozenset({"read", "write", "backup"})
    )
    assert accounts.authenticate_token(session, text + "x") is None
    assert accounts.authenticate_token(session, "\ud800") is None
    stored = " ".join(map(str, session.execute(sql("SELECT * FROM aa_token")).one()))
    assert text[8:] not in stored


def test_a_revoked_token_is_worth_nothing(session) -> None:
    _, text = accounts.issue_token(session, SYSTEM, "nightly")
    accounts.revoke_token(session, SYSTEM, name="nightly")
    assert accounts.authenticate_token(session, text) is None
    assert accounts.list_tokens(session) == []
    with pytest.raises(NotFound):
        accounts.revoke_token(session, SYSTEM, name="nightly")
    accounts.issue_token(session, SYSTEM, "nightly")


def test_a_token_ends_on_its_day(session, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = accounts.issue_token(session, SYSTEM, "nightly", expires_days=7)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=6, hours=23))
    assert accounts.authenticate_token(session, text)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=7, seconds=1))
    assert accounts.authenticate_token(session, text) is None


def test_last_use_is_kept_with_its_address(session) -> None:
    _, text = accounts.issue_token(session, SYSTEM, "nightly")
    assert accounts.list_tokens(session)[0].last_use is None
    accounts.authenticate_token(session, text, address="192.0.2.7")
    (listed,) = accounts.list_tokens(session)
    assert listed.last_use is not None
    assert listed.last_use.address == "192.0.2.7"


def test_two_valid_tokens_of_one_name_are_refused(session) -> None:
    accounts.issue_token(session, SYSTEM, "nightly")
    with pytest.raises(Conflict):
        accounts.issue_token(session, SYSTEM, "nightly")


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_an_impossible_term_is_refused(session, days: int) -> None:
    with pytest.raises(Invalid):
        accounts.issue_token(session, SYSTEM, "nightly", expires_days=days)


def test_a_role_that_does_not_exist_is_refused_in_words(session) -> None:
    with pytest.raises(Invalid, match="owner"):
        accounts.issue_token(session, SYSTEM, "nightly", role="owner")


@pytest.mark.parametrize(("purposes", "words"), [(["read", "admin"], "admin"), ([], "at least one")])
def test_a_purpose_that_does_not_exist_and_none_are_refused_in_words(session, purposes: list[str], words: str) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        accounts.issue_token(session, SYSTEM, "nightly", purposes=purposes)
    assert caught.value.problems[0].field == "purposes"
    assert accounts.list_tokens(session) == []


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch):
    """Set the clock to so many hours from now."""
    now = clock.now()

    def go(hours: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=hours))

    go(0)
    return go


def test_a_rotated_token_has_two_texts_for_a_while(session, at) -> None:
    token, old = accounts.issue_token(session, SYSTEM, "nightly", purposes=["backup"], expires_days=7)
    at(24)
    days = accounts.term_days(token)
    assert days == 7
    rotated, new = accounts.rotate_token(session, SYSTEM, token.id, expires_days=days, keep_hours=48)
    assert rotated is token
    stored = " ".join(map(str, session.execute(sql("SELECT * FROM aa_token")).one()))
    assert old[8:] not in stored
    assert new[8:] not in stored
    assert accounts.authenticate_token(session, new) == accounts.authenticate_token(session, old)
    assert accounts.authenticate_token(session, new).purposes == {"backup"}
    at(24 + 47.9)
    assert accounts.authenticate_token(session, old)
    at(24 + 48.1)
    assert not accounts.authenticate_token(session, old)
    at(24 + 7 * 24 - 0.1)
    assert accounts.authenticate_token(session, new)
    at(24 + 7 * 24 + 0.1)
    assert not accounts.authenticate_token(session, new)


def test_an_earlier_text_outlives_neither_its_own_end_nor_a_second_rotation_nor_the_token(session, at) -> None:
    token, first = accounts.issue_token(session, SYSTEM, "nightly", expires_days=1)
    _, second = accounts.rotate_token(session, SYSTEM, token.id, expires_days=None, keep_hours=48)
    assert accounts.term_days(token) is None
    at(24.1)
    assert not accounts.authenticate_token(session, first)
    _, third = accounts.rotate_token(session, SYSTEM, token.id, expires_days=30)
    _, fourth = accounts.rotate_token(session, SYSTEM, token.id, expires_days=30)
    assert [bool(accounts.authenticate_token(session, text)) for text in (second, third, fourth)] == [False, True, True]
    accounts.revoke_token(session, SYSTEM, id=token.id)
    assert not accounts.authenticate_token(session, third)
    assert not accounts.authenticate_token(session, fourth)


def test_an_earlier_text_can_be_ended_at_once(session) -> None:
    token, first = accounts.issue_token(session, SYSTEM, "nightly")
    _, second = accounts.rotate_token(session, SYSTEM, token.id, expires_days=None, keep_hours=0)
    assert not accounts.authenticate_token(session, first)
    _, third = accounts.rotate_token(session, SYSTEM, token.id, expires_days=None)
    assert accounts.authenticate_token(session, second)
    assert accounts.has_old_text(token)
    accounts.end_old_text(session, SYSTEM, token.id)
    assert not accounts.has_old_text(token)
    assert not accounts.authenticate_token(session, second)
    assert accounts.authenticate_token(session, third)


def test_the_list_tells_whether_the_earlier_text_is_still_used(session, at) -> None:
    token, old = accounts.issue_token(session, SYSTEM, "nightly")
    accounts.rotate_token(session, SYSTEM, token.id, expires_days=None)
    assert accounts.list_tokens(session)[0].old_used_at is None
    at(1)
    accounts.authenticate_token(session, old, address="192.0.2.8")
    (listed,) = accounts.list_tokens(session)
    assert listed.old_used_at == clock.now_text()
    assert listed.last_use.address == "192.0.2.8"
    at(2)
    accounts.rotate_token(session, SYSTEM, token.id, expires_days=None)
    assert accounts.list_tokens(session)[0].old_used_at is None


def test_an_expired_token_whose_name_was_given_again_is_not_brought_back(session, at) -> None:
    over, _ = accounts.issue_token(session, SYSTEM, "nightly", expires_days=1)
    at(25)
    accounts.issue_token(session, SYSTEM, "nightly")
    with pytest.raises(Conflict):
        accounts.rotate_token(session, SYSTEM, over.id, expires_days=1)


@pytest.mark.parametrize(("days", "hours"), [(0, 24), (3651, 24), (30, -1), (30, 721)])
def test_an_impossible_rotation_changes_nothing(session, days: int, hours: int) -> None:
    token, text = accounts.issue_token(session, SYSTEM, "nightly")
    with pytest.raises(Invalid):
        accounts.rotate_token(session, SYSTEM, token.id, expires_days=days, keep_hours=hours)
    assert accounts.authenticate_token(session, text)
    assert token.rotated_at is None
