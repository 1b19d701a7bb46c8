"""Holds every answer under /api that a test receives against the OpenAPI document.

`CheckedClient` does it for the browsers of Flask's tests, `check_httpx` for clients of a real server.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
from flask.testing import FlaskClient

from webadmin import config
from webadmin.api import openapi
from webadmin.config import Config

# A larger body is an export of thousands of records, each like the others.
_MOST_BYTES = 2_000_000
_JSON = "application/json"


@cache
def document() -> dict[str, Any]:
    """The document under default settings, whatever application the test made."""
    provider = config._provider
    config.use(lambda: Config.load({"TIMEZONE": "UTC"}, env_file=None))
    try:
        return json.loads(json.dumps(openapi.build()))
    finally:
        config._provider = provider


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or what it refers to."""
    found: Any = part
    if "$ref" in part:
        found = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
    return found


def validator(schema: dict[str, Any]) -> Any:
    """A validator of a schema whose references point into the document."""
    return jsonschema_rs.Draft202012Validator(schema | {"components": document()["components"]}, validate_formats=True)


@cache
def _routes() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of the paths, those without a parameter first."""
    paths = sorted(document()["paths"], key=lambda path: ("{" in path, path))
    return [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path) for path in paths]


def find_call(method: str, path: str) -> dict[str, Any] | None:
    """The call of the document that a request makes; HEAD is GET."""
    for pattern, template in _routes():
        if pattern.fullmatch(path):
            return document()["paths"][template].get("get" if method == "HEAD" else method.lower())
    return None


@cache
def _validator_of(operation_id: str, status: str) -> Any:
    responses = document()["components"]["responses"]
    for path in document()["paths"].values():
        for call in path.values():
            if isinstance(call, dict) and call["operationId"] == operation_id:
                responses = call["responses"]
    return validator(resolve(responses[status])["content"][_JSON]["schema"])


def check(method: str, path: str, status: int, headers: Any, body: bytes) -> None:
    """Fail unless the document allows this answer to this request."""
    said = f"{method} {path} → {status}"
    call = find_call(method, path)
    if method == "OPTIONS" and status == 204:
        assert headers.get("Allow") or headers.get("Access-Control-Allow-Methods"), said
        return
    responses = call["responses"] if call else document()["components"]["responses"]
    assert str(status) in responses, f"{said} is not in the document: {body[:500]!r}"
    response = resolve(responses[str(status)])
    for name, header in response.get("headers", {}).items():
        assert name in headers or not resolve(header).get("required"), f"{said} lacks the header {name}"
    if "content" not in response or method == "HEAD":
        assert not body, f"{said} has a body: {body[:500]!r}"
        return
    assert headers.get("Content-Type") in response["content"], f"{said} is {headers.get('Content-Type')}"
    if len(body) > _MOST_BYTES:
        return
    errors = list(_validator_of(call["operationId"] if call else "", str(status)).iter_errors(json.loads(body)))
    assert not errors, f"{said} does not fit the document: {errors[0]}"


def _is_call(path: str) -> bool:
    return path.startswith("/api/") and path != "/api/docs"


class CheckedClient(FlaskClient):
    """A browser of the tests that checks what it is answered under /api."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **kwargs)
        if _is_call(response.request.path):
            check(response.request.method, response.request.path, response.status_code, response.headers, response.data)
        return response


def check_httpx(response: httpx.Response) -> None:
    """An httpx hook that checks what is answered under /api."""
    if _is_call(response.request.url.path):
        body = response.read()
        # As it was sent: an escaped slash is part of an id.
        path = response.request.url.raw_path.partition(b"?")[0].decode()
        check(response.request.method, path, response.status_code, response.headers, body)
