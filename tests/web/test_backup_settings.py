"""Schedule and retention on the settings page: seen before they are saved, in force at once, locked where fixed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from tests.people import add_person, close, csrf_token, sign_in
from tests.web.conftest import soup, words
from webadmin import backups, config
from webadmin.accounts import SCHEDULER
from webadmin.app import create_app
from webadmin.config import Config
from webadmin.db import db

SCHEDULE = {"AUTO_BACKUP_ENABLED": "1", "AUTO_BACKUP_TIME": "03:30", "AUTO_BACKUP_DAYS": ["mon", "thu"]}
RETENTION = {
    "BACKUP_RETENTION_DAYS": "30", "BACKUP_MAX_COUNT": "",
    "BACKUP_KEEP_DAILY": "0", "BACKUP_KEEP_WEEKLY": "0", "BACKUP_KEEP_MONTHLY": "0",
}  # fmt: skip
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def send(browser: FlaskClient, page: str, fields: dict, part: str = ""):
    return browser.post(page + part, data={"csrf_token": csrf_token(browser.get(page)), **fields})


def confirm(browser: FlaskClient, fields: dict):
    """Send a retention, and again with what its question asks to be confirmed."""
    asked = soup(send(browser, "/settings/retention", fields))
    return send(browser, "/settings/retention", fields | {"confirmed": asked.select_one("[name=confirmed]")["value"]})


def made_daily(app: Flask, days: int) -> None:
    with app.app_context():
        for ago in range(days, 0, -1):
            with time_machine.travel(NOW - timedelta(days=ago), tick=False):
                backups.create(SCHEDULER, reason="scheduled")


def files(app: Flask) -> int:
    with app.app_context():
        return sum(backup.has_file for backup in backups.list_backups(db.session()))


def test_a_saved_schedule_is_in_force_and_names_who_chose_it(app: Flask, ada: FlaskClient) -> None:
    assert send(ada, "/settings/schedule", SCHEDULE).status_code == 303
    with app.app_context(), time_machine.travel(NOW, tick=False):
        assert [f"{run.due_at:%a %H:%M}" for run in backups.next_runs(NOW, 3)] == [
            "Thu 03:30",
            "Mon 03:30",
            "Thu 03:30",
        ]
    page = soup(ada.get("/settings/schedule"))
    assert [box["value"] for box in page.select("[name=AUTO_BACKUP_DAYS][checked]")] == ["mon", "thu"]
    assert [words(box.parent) for box in page.select("[name=AUTO_BACKUP_DAYS][checked]")] == ["Mon", "Thu"]
    assert page.select_one("[name=AUTO_BACKUP_TIME]")["value"] == "03:30"
    assert "Last changed by Ada" in words(page)
    assert "Mon, Thu at 03:30" in words(soup(ada.get("/backups")))


def test_the_next_five_runs_are_shown_before_they_are_saved(ada: FlaskClient) -> None:
    with time_machine.travel(NOW, tick=False):
        part = soup(send(ada, "/settings/schedule", SCHEDULE, "/preview"))
    assert len(part.select("li")) == 5
    assert "03:30" in words(part.select_one("li"))
    with ada.application.app_context():
        assert config.current().auto_backup_time.hour == 2


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (datetime(2026, 3, 27, tzinfo=UTC), "Clock change: runs once, at 03:00."),
        (datetime(2026, 10, 23, tzinfo=UTC), "Clock change: this time comes twice; runs once, the first time."),
    ],
)
def test_clock_changes_are_named(make_config: Callable[..., Config], now: datetime, sentence: str) -> None:
    app = create_app(make_config(TIMEZONE="Europe/Berlin", AUTO_BACKUP_TIME="02:30"))
    add_person(app, "Ada")
    with time_machine.travel(now, tick=False):
        browser = app.test_client()
        sign_in(browser, "Ada")
        page = words(soup(browser.get("/settings/schedule")))
    close(app)
    assert page.count("Clock change") == 1
    assert sentence in page


def test_switched_off_here_makes_no_backups(app: Flask, ada: FlaskClient) -> None:
    send(ada, "/settings/schedule", {name: value for name, value in SCHEDULE.items() if name != "AUTO_BACKUP_ENABLED"})
    with app.app_context():
        assert backups.next_runs(NOW) == []
        assert backups.run_scheduled(NOW) is None
    assert "Automatic backups are off" in ada.get("/backups").text


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("AUTO_BACKUP_TIME", "25:00", "A time of day such as 02:00"),
        ("AUTO_BACKUP_TIME", "", "A time of day such as 02:00"),
        ("AUTO_BACKUP_DAYS", [], "Choose at least one day"),
        ("AUTO_BACKUP_DAYS", ["mon", "<script>"], "Choose at least one day"),
    ],
)
def test_a_schedule_that_cannot_be_used_saves_nothing(ada: FlaskClient, field: str, value: object, sentence: str):
    answer = send(ada, "/settings/schedule", SCHEDULE | {field: value})
    page = soup(answer, 422)
    assert sentence in words(page.select_one("[role=alert]"))
    assert page.select_one("[name=AUTO_BACKUP_ENABLED]").has_attr("checked")
    assert "Last changed" not in ada.get("/settings/schedule").text


def test_what_the_environment_fixes_is_shown_locked(make_config: Callable[..., Config]) -> None:
    app = create_app(make_config(AUTO_BACKUP_TIME="04:40"))
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    page = soup(browser.get("/settings/schedule"))
    assert page.select_one("[name=AUTO_BACKUP_TIME]").has_attr("disabled")
    assert "Set by AUTO_BACKUP_TIME in the environment." in words(page)
    send(browser, "/settings/schedule", SCHEDULE)
    with app.app_context():
        assert f"{config.current().auto_backup_time:%H:%M}" == "04:40"
        assert config.current().auto_backup_days == frozenset({0, 3})
    close(app)


def test_stricter_retention_is_saved_only_after_its_number_was_seen(app: Flask, ada: FlaskClient) -> None:
    made_daily(app, 20)
    fields = RETENTION | {"BACKUP_RETENTION_DAYS": "10"}
    with time_machine.travel(NOW, tick=False):
        part = words(soup(send(ada, "/settings/retention", fields, "/preview")))
        asked = soup(send(ada, "/settings/retention", fields))
        with app.app_context():
            assert config.current().backup_retention_days == 30
        saved = confirm(ada, fields)
        with app.app_context():
            dropped = backups.prune(SCHEDULER).plan.dropped
    assert "10 backups go to the bin at the next look. 10 backups stay." in part
    assert "Save, and bin 10 backups" in words(asked)
    assert (saved.status_code, len(dropped), files(app)) == (303, 10, 10)


def test_a_rule_that_deletes_as_many_but_others_is_asked_about_too(app: Flask, ada: FlaskClient) -> None:
    made_daily(app, 16)
    most = RETENTION | {"BACKUP_MAX_COUNT": "13"}
    with time_machine.travel(NOW, tick=False):
        first = soup(send(ada, "/settings/retention", most)).select_one("[name=confirmed]")["value"]
        send(ada, "/settings/retention", most | {"confirmed": first})
        # Sunday the 8th stands for its week now; another day goes in its place.
        asked = soup(send(ada, "/settings/retention", most | {"BACKUP_KEEP_WEEKLY": "4", "confirmed": first}))
    assert "Save, and bin 3 backups" in words(asked)
    assert asked.select_one("[name=confirmed]")["value"] != first


def test_looser_retention_is_saved_at_once(app: Flask, ada: FlaskClient) -> None:
    made_daily(app, 20)
    with time_machine.travel(NOW, tick=False):
        fields = RETENTION | {"BACKUP_RETENTION_DAYS": "90", "BACKUP_KEEP_MONTHLY": "12"}
        assert send(ada, "/settings/retention", fields).status_code == 303
    page = soup(ada.get("/settings/retention"))
    assert page.select_one("[name=BACKUP_KEEP_MONTHLY]")["value"] == "12"


def test_the_floor_holds_against_the_strictest_rules(app: Flask, ada: FlaskClient) -> None:
    made_daily(app, 20)
    with time_machine.travel(NOW, tick=False):
        assert confirm(ada, RETENTION | {"BACKUP_RETENTION_DAYS": "1", "BACKUP_MAX_COUNT": "3"}).status_code == 303
        with app.app_context():
            backups.prune(SCHEDULER)
    assert files(app) == 3


@pytest.mark.parametrize("value", ["-1", "1.5", "9" * 20, "٣", "one"])
def test_retention_that_cannot_be_used_names_the_fields(ada: FlaskClient, value: str) -> None:
    fields = dict.fromkeys(RETENTION, value)
    page = soup(send(ada, "/settings/retention", fields), 422)
    assert [link["href"] for link in page.select("[role=alert] a")] == [f"#{name}" for name in RETENTION]
    assert {page.select_one(f"[name={name}]")["value"] for name in RETENTION} == {value}
    part = send(ada, "/settings/retention", fields, "/preview")
    assert "What is in the form cannot be used yet." in part.text


def test_a_backup_says_why_and_until_when_it_is_kept(app: Flask, ada: FlaskClient) -> None:
    made_daily(app, 20)
    with app.app_context():
        newest, *_, oldest = (backup.name for backup in backups.list_backups(db.session()))
    with time_machine.travel(NOW, tick=False):
        assert "Kept until 22 Dec" in ada.get(f"/backups/{newest}").text
        confirm(ada, RETENTION | {"BACKUP_RETENTION_DAYS": "1"})
        assert "Goes to the bin soon: its time is over" in ada.get(f"/backups/{oldest}").text
        assert re.search("Kept until 23 Nov|Kept as one of the newest", ada.get(f"/backups/{newest}").text)
