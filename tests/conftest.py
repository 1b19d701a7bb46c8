"""What all tests share: settings that point into a folder of their own, and nothing of the machine they run on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket

from tests.contract import CheckedClient
from tests.people import add_person, close, sign_in
from tests.receivers import MailServer, Receiver, mail_server, receiver
from webadmin import clock, config, safety
from webadmin.app import create_app
from webadmin.config import Config


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: at any time some test waits for a lock, a server or an interval of the scheduler."""
    return len(os.sched_getaffinity(0)) + 1


# Whatever a test does under /api is held against the OpenAPI document.
Flask.test_client_class = CheckedClient


class CompiledTemplates(FileSystemBytecodeCache):
    """Compiled templates in a folder; where a test lets the disk be full, one is compiled again, as without it."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


@pytest.fixture(scope="session", autouse=True)
def _compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile each template once for a run; every application, so nearly every test, has an environment of its own."""
    Flask.jinja_options = {"bytecode_cache": CompiledTemplates(str(tmp_path_factory.mktemp("templates")))}


@pytest.fixture(autouse=True)
def _process_began_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler's silence is told once a process is five minutes old, and a run of all tests takes longer."""
    monkeypatch.setattr(safety.facts, "_process_started_at", clock.now())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty data folder."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def make_config(folder: Path, tmp_path: Path) -> Callable[..., Config]:
    """Settings as if only these variables were set: `make_config(PORT="8102")`."""

    def make(**variables: str) -> Config:
        places = {
            "DATABASE_PATH": str(folder / "assistants.db"),
            "DATABASE_BACKUP_DIR": str(folder / "backups"),
            "LOG_DIR": str(tmp_path / "logs"),
            "TIMEZONE": "UTC",
            "RATE_LIMIT_MAX_REQUESTS": "0",
        }
        return Config.load(places | variables, env_file=None)

    return make


@pytest.fixture
def settings(make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> Config:
    """Default settings, in force for the domain (`config.current()`) while the test runs."""
    values = make_config()
    monkeypatch.setattr(config, "_provider", lambda: values)
    return values


@pytest.fixture
def app(make_config: Callable[..., Config]) -> Iterator[Flask]:
    """The application over an empty catalogue, with nobody in it."""
    built = create_app(make_config())
    built.testing = False
    yield built
    close(built)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser in which nobody is signed in; the site has no account yet."""
    return app.test_client()


@pytest.fixture
def ada(app: Flask) -> FlaskClient:
    """The browser of Ada, an administrator who is signed in."""
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    return browser


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A server that takes web hooks and pings."""
    with receiver() as made:
        yield made


@pytest.fixture
def post() -> Iterator[MailServer]:
    """A server that takes mail."""
    with mail_server() as made:
        yield made
