"""What administrators do about others; there is always one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask

from tests.people import PASSWORD, add_person
from tests.sites import Site
from webadmin import accounts, clock
from webadmin.accounts import COMMAND_LINE, SYSTEM, Actor, ActorKind
from webadmin.db import transaction
from webadmin.errors import Conflict, Forbidden, Invalid, NotFound

ACTS: dict[str, Callable] = {
    "invite": lambda session, actor, _id: accounts.invite(session, actor, "Ed"),
    "change_person": lambda session, actor, id: accounts.change_person(session, actor, id, name="Eve", role="admin"),
    "deactivate": accounts.deactivate,
    "activate": accounts.activate,
    "reset_password": accounts.reset_password,
    "sign_out": accounts.sign_out,
}


@pytest.fixture
def session(app: Flask):
    with app.app_context(), transaction() as session:
        yield session


@pytest.fixture
def ada(session):
    return accounts.add_user(session, SYSTEM, "Ada", PASSWORD)


@pytest.fixture
def ben(session):
    return accounts.add_user(session, SYSTEM, "Ben", PASSWORD)


@pytest.mark.parametrize("act", ACTS)
def test_only_administrators_may(session, ben, act: str) -> None:
    with pytest.raises(Forbidden):
        ACTS[act](session, Actor(ActorKind.PERSON, "Vic", role="viewer"), ben.id)


@pytest.mark.parametrize("act", ACTS.keys() - {"invite"})
def test_nobody_is_not_found(session, ada, act: str) -> None:
    with pytest.raises(NotFound):
        ACTS[act](session, COMMAND_LINE, 99)


def test_whoever_never_signed_in_is_no_other_administrator(session, ada) -> None:
    invited, _password = accounts.invite(session, COMMAND_LINE, "Cleo", role="admin")
    with pytest.raises(Conflict):
        accounts.deactivate(session, COMMAND_LINE, ada.id)
    assert ada.deactivated_at is None
    assert invited.is_temporary


def test_the_last_administrator_stays(session, ada, ben) -> None:
    accounts.deactivate(session, COMMAND_LINE, ada.id)
    with pytest.raises(Conflict) as caught:
        accounts.deactivate(session, COMMAND_LINE, ben.id)
    assert "“Ben” is the last administrator." in str(caught.value)
    assert ben.deactivated_at is None
    accounts.activate(session, COMMAND_LINE, ada.id)
    accounts.deactivate(session, COMMAND_LINE, ben.id)


def test_two_administrators_who_deactivate_each_other_leave_one(app: Flask) -> None:
    for name in ("Ada", "Ben"):
        add_person(app, name)
    together = Barrier(2)

    def deactivate(actor: str, other: str) -> bool:
        with app.app_context():
            together.wait()
            try:
                with transaction() as session:
                    person = accounts.get_person_named(session, other)
                    accounts.deactivate(session, Actor(ActorKind.PERSON, actor), person.id)
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(deactivate, ("Ada", "Ben"), ("Ben", "Ada"))) == [False, True]


def test_a_name_is_changed_and_may_change_its_case_alone(session, ada, ben) -> None:
    assert accounts.change_person(session, COMMAND_LINE, ben.id, name="BEN", role="admin").name == "BEN"
    accounts.change_person(session, COMMAND_LINE, ben.id, name=" Benedict ", role="admin")
    assert accounts.authenticate(session, "benedict", PASSWORD) is ben
    with pytest.raises(Conflict):
        accounts.change_person(session, COMMAND_LINE, ben.id, name="ada", role="admin")
    with pytest.raises(Invalid):
        accounts.change_person(session, COMMAND_LINE, ben.id, name="a\u202eb", role="admin")


def test_a_password_from_somebody_else_is_good_for_a_week(session, ada, monkeypatch) -> None:
    person, password = accounts.invite(session, COMMAND_LINE, "Ed")
    _, another = accounts.reset_password(session, COMMAND_LINE, person.id)
    assert accounts.authenticate(session, "Ed", password) is None
    assert accounts.authenticate(session, "Ed", another) is person
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=8))
    assert accounts.authenticate(session, "Ed", another) is None
    assert accounts.authenticate(session, "Ada", PASSWORD) is ada


def test_the_command_line_does_the_same(tmp_path) -> None:
    site = Site(tmp_path)
    for name in ("Ada", "Ben"):
        site.flask("user", "add", name, "--role", "admin", "--password-stdin", stdin=PASSWORD)
    assert "Benedict is admin now." in site.flask("user", "change", "ben", "--name", "Benedict").stdout
    site.flask("user", "deactivate", "benedict")
    listed = json.loads(site.flask("user", "list", "--json").stdout)
    assert [(each["name"], bool(each["deactivatedAt"])) for each in listed] == [("Ada", False), ("Benedict", True)]
    refused = site.flask("user", "deactivate", "Ada", ok=False)
    assert refused.returncode == 1
    assert "Error: “Ada” is the last administrator." in refused.stderr
    site.flask("user", "activate", "Benedict")
    site.flask("user", "sign-out", "Ada")
    assert len(site.flask("user", "reset-password", "Ada").stdout.strip()) > 20
    assert site.flask("user", "deactivate", "nobody", ok=False).returncode == 1
    site.close()
