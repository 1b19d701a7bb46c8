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
    assert accounts.authenticate_token(session, text) == ValidToken(token.id, "nightly", "admin")
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
