"""What tests of pages share: posting forms, uploading files, waiting for tasks, reading answers."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.people import csrf_token

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def soup(answer: TestResponse, status: int = 200) -> BeautifulSoup:
    assert answer.status_code == status, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def words(node: BeautifulSoup) -> str:
    return " ".join(node.get_text(" ").split())


def tile(page: BeautifulSoup, name: str) -> str:
    """The figure of the tile with this name."""
    found = next(each for each in page.select(".tile") if words(each).startswith(name))
    return found.select_one(".figure").text


class Browser:
    """A signed-in browser without scripts."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, buffered=True, **options)

    def page(self, path: str) -> BeautifulSoup:
        return soup(self.get(path))

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
        token = csrf_token(self.client.get("/import"))
        return self.client.post(path, data={"csrf_token": token, **fields}, headers=headers)

    def upload(self, content: Any, name: str = "market.json", path: str = "/import", **options: Any) -> TestResponse:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.post(path, file=(io.BytesIO(data), name), **options)

    def settled(self, path: str) -> BeautifulSoup:
        """The page once nothing runs on it any more."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = self.page(path)
            if not found.select("[data-poll]:not(#safety-pill)"):
                return found
            time.sleep(0.05)
        raise AssertionError("the task did not end in time")

    def imported(self, content: Any) -> str:
        """Upload, and return the address of the review."""
        answer = self.upload(content)
        assert answer.status_code == 303, answer.text
        self.settled(answer.location)
        return str(answer.location)

    def submit(self, form: BeautifulSoup, **changes: Any) -> TestResponse:
        """Send a form of a page as it stands, with the changes."""
        fields = {each["name"]: each.get("value", "") for each in form.select("input[name]")}
        return self.client.post(form["action"], data=fields | changes)


@pytest.fixture
def browser(ada: FlaskClient) -> Browser:
    return Browser(ada)


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    """A layout A document with `count` records: `document(3)`."""

    def make(count: int = 3, **changes: Any) -> dict[str, Any]:
        records = [
            {
                "id": f"ast_{n}",
                "title": f"Assistant {n}",
                "prompt": f"Prompt {n}",
                "createdAt": "2026-01-15T10:30:00.000Z",
            }
            | changes
            for n in range(count)
        ]
        metadata = {"version": "1.0.0", "timestamp": "2026-01-15T10:30:00.000Z", "recordCount": count}
        return {"metadata": metadata, "assistants": records}

    return make
