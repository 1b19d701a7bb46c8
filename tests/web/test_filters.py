"""Words around times, names and messages, in both languages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask_babel import force_locale
from markupsafe import Markup

from webadmin import accounts, clock
from webadmin.errors import Message
from webadmin.web.filters import actor_name, message, sentences, time_element


@pytest.fixture
def in_chinese(app: Flask):
    with app.test_request_context(), force_locale("zh"):
        yield


@pytest.fixture
def in_english(app: Flask):
    with app.test_request_context(), force_locale("en"):
        yield


@pytest.mark.usefixtures("in_chinese")
class TestChinese:
    def test_a_message_inside_a_message_is_translated_too(self):
        cause = Message("The disk is full. Nothing was changed.")
        whole = Message("The safety backup could not be made, so nothing was changed. %(reason)s", {"reason": cause})
        assert message(whole) == "未能创建保护备份，因此未做任何更改。磁盘已满。未做任何更改。"

    def test_parts_of_the_program_have_chinese_names_people_keep_theirs(self):
        assert actor_name(accounts.SCHEDULER.name) == "调度程序"
        assert actor_name("Draft") == "Draft"

    def test_no_space_stands_between_sentences(self):
        assert sentences(["一。", None, "二。"]) == "一。二。"

    def test_an_age_says_that_it_is_past(self):
        past = clock.now() - timedelta(minutes=12, seconds=5)
        assert ">12 分钟前<" in time_element(past, "short")


@pytest.mark.usefixtures("in_english")
class TestEnglish:
    def test_sentences_are_parted_and_text_beside_markup_is_escaped(self):
        assert sentences(["One.", "Two."]) == "One. Two."
        assert sentences([Markup("<b>One.</b>"), "a < b"]) == "<b>One.</b> a &lt; b"

    def test_a_short_age_leaves_ago_out(self):
        past = clock.now() - timedelta(minutes=12, seconds=5)
        assert ">12 min<" in time_element(past, "short")


def test_a_message_comes_back_from_its_stored_form_with_those_inside(in_english):
    inner = Message("%(days)d days", {"days": 3})
    stored = {"template": "Kept %(span)s", "params": {"span": {"template": inner.template, "params": inner.params}}}
    assert Message.stored(stored) == Message("Kept %(span)s", {"span": inner})


@pytest.mark.usefixtures("in_english")
@pytest.mark.parametrize("style", ["ago", "short", "clock", "until"])
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"])
def test_time_at_the_ends_of_the_calendar_is_shown_as_written(text: str, style: str) -> None:
    assert text in time_element(text, style)
