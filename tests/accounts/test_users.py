"""People: names, passwords, signing in."""

from __future__ import annotations

import statistics
import time

import pytest
from flask import Flask

from tests.people import PASSWORD
from webadmin import accounts
from webadmin.accounts import SYSTEM, Actor, ActorKind, TooManyTries, passwords
from webadmin.db import transaction
from webadmin.errors import Conflict, DomainError, Forbidden, Invalid


@pytest.fixture
def session(app: Flask):
    with app.app_context(), transaction() as session:
        yield session


def problem_field(error: DomainError) -> str | None:
    assert isinstance(error, Invalid)
    return error.problems[0].field


def test_the_right_name_and_password_are_accepted_whatever_the_case_of_the_name(session) -> None:
    user = accounts.add_user(session, SYSTEM, "Lin Wei", PASSWORD)
    for name in ("Lin Wei", "lin wei", " LIN WEI "):
        assert accounts.authenticate(session, name, PASSWORD) is user
    assert accounts.authenticate(session, "Lin Wei", PASSWORD + "x") is None
    assert accounts.authenticate(session, "nobody", PASSWORD) is None


def test_a_password_is_kept_as_an_argon2id_hash(session) -> None:
    user = accounts.add_user(session, SYSTEM, "Ada", PASSWORD)
    assert user.password_hash.startswith("$argon2id$")
    assert PASSWORD not in user.password_hash


@pytest.mark.parametrize(
    "password",
    [
        "short", "elevenchars", "", "password1234", "PASSWORD1234", "aaaaaaaaaaaaaaaa", "abcabcabcabcabc",
        "123456789012", "qwertyuiop12", "Polniypizdec0211", "1QAZ2wsx3edc", "ada.lovelace",
        "x" * 257, "\ud800 lone surrogate",
    ],
)  # fmt: skip
def test_a_guessable_or_unusable_password_is_refused(session, password: str) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.add_user(session, SYSTEM, "ada.lovelace", password)
    assert problem_field(caught.value) == "password"


@pytest.mark.parametrize(
    "password", ["correct horse battery", "助手管理台密码要长一点才好", "🐎" * 11 + "🔋", "nul\0 in the middle"]
)
def test_any_characters_make_a_password(session, password: str) -> None:
    accounts.add_user(session, SYSTEM, "Ada", password)
    assert accounts.authenticate(session, "Ada", password)


def test_one_keyboard_writes_an_accent_as_two_code_points(session) -> None:
    accounts.add_user(session, SYSTEM, "Ada", "un café très serré")
    assert accounts.authenticate(session, "Ada", "un cafe\u0301 tre\u0300s serre\u0301")


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\nb", "a\0b", "a\u202eb", "a\u200bb", "\ud800"])
def test_an_unusable_name_is_refused(session, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.add_user(session, SYSTEM, name, PASSWORD)
    assert problem_field(caught.value) == "name"


def test_a_name_is_taken_once_whatever_its_case(session) -> None:
    accounts.add_user(session, SYSTEM, "Straße", PASSWORD)
    with pytest.raises(Conflict):
        accounts.add_user(session, SYSTEM, "STRASSE", PASSWORD)


def test_a_role_that_does_not_exist_is_refused_in_words(session) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.add_user(session, SYSTEM, "Vic", PASSWORD, role="owner")
    assert "“owner”" in str(caught.value)


def test_only_an_administrator_adds_people(session) -> None:
    with pytest.raises(Forbidden):
        accounts.add_user(session, Actor(ActorKind.PERSON, "Vic", role="viewer"), "Ed", PASSWORD)


def test_a_changed_password_replaces_the_old_one(session) -> None:
    accounts.add_user(session, SYSTEM, "Ada", PASSWORD)
    ada = Actor(ActorKind.PERSON, "Ada")
    with pytest.raises(Invalid) as caught:
        accounts.change_password(session, ada, current="wrong", new="another long walk")
    assert problem_field(caught.value) == "current"
    accounts.change_password(session, ada, current=PASSWORD, new="another long walk")
    assert accounts.authenticate(session, "Ada", PASSWORD) is None
    assert accounts.authenticate(session, "Ada", "another long walk")


def test_the_current_password_can_be_guessed_six_times(session) -> None:
    accounts.add_user(session, SYSTEM, "Ada", PASSWORD)
    ada = Actor(ActorKind.PERSON, "Ada")
    for _ in range(6):
        with pytest.raises(Invalid):
            accounts.change_password(session, ada, current="wrong", new="another long walk")
    with pytest.raises(TooManyTries):
        accounts.change_password(session, ada, current=PASSWORD, new="another long walk")


def test_nobody_has_a_hash_of_the_same_cost_as_everybody() -> None:
    assert not passwords._hasher.check_needs_rehash(passwords._HASH_OF_NOBODY)


def test_the_list_of_breached_passwords_is_sorted_normal_and_long() -> None:
    listed = passwords._COMMON_FILE.read_text(encoding="utf-8").splitlines()
    assert len(listed) > 40_000
    assert listed == sorted(set(listed))
    assert all(len(each) >= passwords.MIN_LENGTH and each == each.casefold() for each in listed)


def test_an_unknown_name_takes_as_long_as_a_known_one(session) -> None:
    accounts.add_user(session, SYSTEM, "Ada", PASSWORD)

    def seconds(name: str) -> float:
        began = time.perf_counter()
        accounts.authenticate(session, name, "a wrong password")
        return time.perf_counter() - began

    seconds("warm up")
    known, unknown = (statistics.median(seconds(name) for _ in range(7)) for name in ("Ada", "nobody"))
    assert 0.5 < known / unknown < 2
