"""The cast of the tests, and how its members reach the application."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from webadmin import accounts, runtime
from webadmin.db import db, transaction

PASSWORD = "a long walk by the river"


def add_person(app: Flask, name: str, password: str = PASSWORD, *, role: str = "admin") -> None:
    with app.app_context(), transaction() as session:
        accounts.add_user(session, accounts.SYSTEM, name, password, role=role)


def add_token(app: Flask, name: str = "robot", **options: Any) -> str:
    with app.app_context(), transaction() as session:
        return accounts.issue_token(session, accounts.SYSTEM, name, **options)[1]


def csrf_token(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def session_token(client: FlaskClient, **request: Any) -> str:
    """The CSRF token of the browser's session, as any of its pages would show it."""
    with client.session_transaction(**request) as session:
        raw = session.setdefault("csrf_token", "0" * 40)
    token = URLSafeTimedSerializer(client.application.secret_key or "", salt="wtf-csrf-token").dumps(raw)
    return str(token)


def sign_in(
    client: FlaskClient, name: str, password: str = PASSWORD, *, path: str = "/sign-in", **fields: str
) -> TestResponse:
    token = csrf_token(client.get(path))
    return client.post(path, data={"csrf_token": token, "username": name, "password": password, **fields})


def close(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()
        runtime.current().close()
