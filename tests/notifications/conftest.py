"""A site whose notifications go to servers on this machine, and looks of its scheduler at set times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest
import time_machine
from flask import Flask

from tests.people import close
from tests.receivers import MailServer
from webadmin import notifications, safety
from webadmin.app import create_app
from webadmin.config import Config
from webadmin.notifications import Entry

SECRET = "a secret of twenty characters"


@pytest.fixture(autouse=True)
def _large_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests may itself be short of space, which would be told."""
    monkeypatch.setattr(safety.states, "DISK_LOW_BYTES", 0)


@pytest.fixture
def site(make_config: Callable[..., Config]) -> Iterator[Callable[..., Flask]]:
    """The application with these settings, private destinations allowed: `site(WEBHOOK_URL=hook.url)`."""
    with ExitStack() as stack:

        def make(**variables: str) -> Flask:
            fixed = {"NOTIFY_ALLOW_PRIVATE": "true", "WEBHOOK_SECRET": SECRET}
            app = create_app(make_config(**{**fixed, **variables}))
            stack.callback(close, app)
            stack.enter_context(app.app_context())
            return app

        yield make


def by_mail(post: MailServer, **more: str) -> dict[str, str]:
    """The settings that send mail there."""
    return {
        "SMTP_HOST": "localhost", "SMTP_PORT": str(post.port), "SMTP_TLS": "none",
        "MAIL_FROM": "catalogue@example.org", "MAIL_TO": "ada@example.org, bob@example.org",
    } | more  # fmt: skip


def look(at: datetime) -> list[Entry]:
    """What the scheduler does twice a minute; returns the log, newest first."""
    with time_machine.travel(at, tick=False):
        notifications.watch(at)
        notifications.deliver_due(at)
    return notifications.newest()
