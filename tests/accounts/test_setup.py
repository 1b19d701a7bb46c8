"""The first account: one code for all processes, gone when it was used."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.people import PASSWORD, close
from webadmin import accounts, keyfile
from webadmin.app import create_app
from webadmin.config import Config
from webadmin.db import db, transaction
from webadmin.errors import Conflict, Invalid


def test_the_code_is_private_stays_the_same_and_goes_with_the_first_account(app: Flask, folder: Path) -> None:
    file = folder / "setup-code"
    with app.app_context():
        code = accounts.setup_code(db.session())
        assert code == accounts.setup_code(db.session())
        assert file.stat().st_mode & 0o777 == 0o600
        with transaction() as session:
            assert code
            accounts.create_first(session, code=f" {code.lower().replace('-', '')} ", name="Ada", password=PASSWORD)
        assert accounts.setup_code(db.session()) is None
        assert not file.exists()


def test_a_wrong_code_makes_nobody(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        with pytest.raises(Invalid) as caught:
            accounts.create_first(session, code="AAAA-AAAA", name="Ada", password=PASSWORD)
        assert caught.value.problems[0].field == "code"
        assert not accounts.any_users(session)


def test_there_is_one_first_account(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        code = accounts.setup_code(session)
        assert code
        accounts.create_first(session, code=code, name="Ada", password=PASSWORD)
        with pytest.raises(Conflict):
            accounts.create_first(session, code=code, name="Eve", password=PASSWORD)


def test_the_settings_make_the_first_administrator_once(make_config: Callable[..., Config]) -> None:
    for password in (PASSWORD, "a later value of the setting"):
        app = create_app(make_config(ADMIN_USERNAME="root", ADMIN_PASSWORD=password))
        with app.app_context():
            assert accounts.authenticate(db.session(), "root", PASSWORD)
            assert len(accounts.list_users(db.session())) == 1
        close(app)


def test_a_weak_password_in_the_settings_stops_the_start(make_config: Callable[..., Config]) -> None:
    with pytest.raises(Invalid):
        create_app(make_config(ADMIN_USERNAME="root", ADMIN_PASSWORD="short"))


def _made_by_a_process(path: Path) -> str:
    return keyfile.read_or_make(path, lambda: f"made by {multiprocessing.current_process().pid}")


def test_processes_that_start_together_share_one_secret(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(_made_by_a_process, [tmp_path / "key"] * 8, chunksize=1)
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_an_emptied_secret_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    assert keyfile.read_or_make(tmp_path / "key", lambda: "new") == "new"
