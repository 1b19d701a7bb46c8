"""docs/notifications.md: its example tells a genuine message from any other, its body is the one that is sent."""

from __future__ import annotations

import json
import re
import time

from tests.notifications.conftest import SECRET
from webadmin import notifications
from webadmin.config import PROJECT
from webadmin.notifications import Destination, Event

TEXT = (PROJECT / "docs" / "notifications.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[1]


def test_the_example_takes_what_is_sent_and_nothing_else(site, hook):
    site(WEBHOOK_URL=hook.url)
    notifications.send_test(Destination.WEBHOOK)
    [(_, _, got, body)] = hook.got
    headers = {name.title(): value for name, value in got.items()}
    namespace: dict = {}
    exec(example("python"), namespace)
    is_genuine = namespace["is_genuine"]
    assert is_genuine(headers, body, SECRET)
    assert not is_genuine(headers, body.replace(b"test", b"best"), SECRET)
    assert not is_genuine(headers, body, SECRET + "!")
    assert not is_genuine(headers | {"X-Notification-Timestamp": str(int(time.time()) + 1)}, body, SECRET)
    assert not is_genuine(headers, body, SECRET, now=time.time() + 301)


def test_the_body_has_the_fields_that_are_described(site, hook):
    site(WEBHOOK_URL=hook.url)
    notifications.send_test(Destination.WEBHOOK)
    assert list(json.loads(hook.got[0][3])) == list(json.loads(example("json")))


def test_every_event_is_described():
    assert [event for event in Event if f"| `{event}` |" not in TEXT] == []
