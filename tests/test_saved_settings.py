"""Settings chosen on the settings page: saved with who chose them, followed by all processes, under what is fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.people import close
from webadmin import config, saved_settings
from webadmin.accounts import Actor, ActorKind
from webadmin.app import create_app
from webadmin.config import Config
from webadmin.db import reading, transaction
from webadmin.errors import Invalid
from webadmin.saved_settings import SettingLocked

ADA = Actor(ActorKind.PERSON, "Ada")
BOB = Actor(ActorKind.PERSON, "Bob")


@pytest.fixture
def inside(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        yield app


def save(actor: Actor = ADA, **values: str) -> None:
    with transaction() as session:
        saved_settings.save(session, actor, values, current=config.current())


def saved() -> dict[str, tuple[str, str]]:
    with reading() as connection:
        rows = saved_settings.list_saved(Session(connection))
        return {name: (row.value, row.changed_by) for name, row in rows.items()}


def test_a_saved_value_is_in_force_and_says_where_it_comes_from(inside: Flask) -> None:
    save(AUTO_BACKUP_TIME="03:30", AUTO_BACKUP_DAYS="mon,fri")
    inside.extensions["settings"].refresh(at_once=True)
    assert (config.current().auto_backup_time, config.current().auto_backup_days) == (time(3, 30), frozenset({0, 4}))
    assert config.current().source("AUTO_BACKUP_TIME") == "settings page"
    assert config.current().source("BACKUP_MAX_COUNT") == "default"


def test_another_process_follows_within_five_seconds(
    inside: Flask, make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = create_app(make_config())
    with inside.app_context():
        save(BACKUP_RETENTION_DAYS="14")
    now = saved_settings.time.monotonic() + 5
    monkeypatch.setattr(saved_settings.time, "monotonic", lambda: now)
    other.test_client().get("/healthz")
    with other.app_context():
        assert config.current().backup_retention_days == 14
    close(other)


def test_an_empty_text_takes_the_default_again(inside: Flask) -> None:
    save(BACKUP_MAX_COUNT="5")
    save(BACKUP_MAX_COUNT="  ")
    inside.extensions["settings"].refresh(at_once=True)
    assert (saved(), config.current().backup_max_count) == ({}, None)


def test_who_changed_a_value_last_is_kept_with_it(inside: Flask) -> None:
    save(ADA, BACKUP_RETENTION_DAYS="14", BACKUP_MAX_COUNT="9")
    save(BOB, BACKUP_RETENTION_DAYS="14", BACKUP_MAX_COUNT="8")
    assert saved() == {"BACKUP_RETENTION_DAYS": ("14", "Ada"), "BACKUP_MAX_COUNT": ("8", "Bob")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTO_BACKUP_TIME", "24:00"),
        ("AUTO_BACKUP_DAYS", "mon,someday"),
        ("BACKUP_RETENTION_DAYS", "0"),
        ("BACKUP_KEEP_MONTHLY", "-1"),
        ("AUTO_BACKUP_ENABLED", "perhaps"),
        ("BACKUP_MAX_COUNT", "٣"),
    ],
)
def test_a_value_that_cannot_be_used_saves_nothing(inside: Flask, name: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        save(**{"BACKUP_KEEP_WEEKLY": "3", name: value})
    assert [problem.field for problem in caught.value.problems] == [name]
    assert saved() == {}


def test_what_may_only_be_set_outside_is_refused(inside: Flask) -> None:
    with pytest.raises(Invalid, match="SECRET_KEY"):
        save(SECRET_KEY="a new and long one, but not here")


def test_what_the_environment_fixes_stays(make_config: Callable[..., Config]) -> None:
    free = create_app(make_config())
    with free.app_context():
        save(AUTO_BACKUP_TIME="03:30")
    close(free)
    fixed = create_app(make_config(AUTO_BACKUP_TIME="04:40"))
    with fixed.app_context():
        assert config.current().auto_backup_time == time(4, 40)
        with pytest.raises(SettingLocked, match="environment"):
            save(AUTO_BACKUP_TIME="05:50")
    close(fixed)


def test_a_saved_value_of_another_version_does_not_stop_the_start(
    make_config: Callable[..., Config], inside: Flask
) -> None:
    save(BACKUP_RETENTION_DAYS="14")
    with transaction() as session:
        session.get(saved_settings.SavedSetting, "BACKUP_RETENTION_DAYS").value = "two weeks"
    again = create_app(make_config())
    with again.app_context():
        assert config.current().backup_retention_days == 30
    close(again)
