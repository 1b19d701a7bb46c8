"""Alive and ready: open to all, and telling no secret."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from webadmin.db import db


def test_a_living_process_answers(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}


def test_ready_names_each_part(client: FlaskClient, folder: Path) -> None:
    (folder / "backups").mkdir(exist_ok=True)
    answer = client.get("/api/health")
    assert answer.status_code == 200
    assert answer.json["success"] is True
    assert set(answer.json["data"]["checks"].values()) == {"ok"}


def test_a_broken_database_is_named_without_a_path(app: Flask, client: FlaskClient, folder: Path) -> None:
    (folder / "backups").mkdir(exist_ok=True)
    with app.app_context():
        db.engine.dispose()
    for file in folder.glob("assistants.db*"):
        file.unlink()
    (folder / "assistants.db").write_bytes(b"not a database at all" * 500)
    answer = client.get("/api/health")
    assert answer.status_code == 503
    error = answer.json["error"]
    assert error["code"] == "SERVICE_UNAVAILABLE"
    assert error["details"]["checks"]["database"] == "failing"
    assert error["details"]["checks"]["runtime"] == "ok"
    assert str(folder) not in answer.text
