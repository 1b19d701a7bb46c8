"""The building blocks of the document: references, parameters, bodies, answers. Each returns a plain dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

JSON = "application/json"
# What counts as blank (Unicode's White_Space, and the separators of ASCII), and NUL, which no text may hold.
_BLANK = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_BLANK = rf"^[^\u0000]*[^\u0000{_BLANK}][^\u0000]*$"
WITHOUT_NUL = r"^[^\u0000]*$"
INTEGER_64 = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}


def schema(name: str) -> dict[str, Any]:
    """A reference to a schema of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(description: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    """A schema of `kind`, or null."""
    return {"type": [kind, "null"], "description": description, **more}


def header(name: str) -> dict[str, Any]:
    """A reference to a header of `components`."""
    return {"$ref": f"#/components/headers/{name}"}


def parameter(name: str) -> dict[str, Any]:
    """A reference to a parameter of `components`."""
    return {"$ref": f"#/components/parameters/{name}"}


def query(name: str, description: str, of: Mapping[str, Any], *, example: Any = None) -> dict[str, Any]:
    """An optional parameter of the address. `example` None shows none."""
    shown = {} if example is None else {"example": example}
    return {"name": name, "in": "query", "description": description, "schema": dict(of), **shown}


def examples(**named: tuple[str, Any]) -> dict[str, Any]:
    """Examples of a body: each is its summary and its value."""
    return {name: {"summary": summary, "value": value} for name, (summary, value) in named.items()}


def body(description: str, content: Mapping[str, Any], *, is_required: bool = True) -> dict[str, Any]:
    """What a call takes, by content type."""
    return {"description": description, "required": is_required, "content": dict(content)}


def json_body(description: str, of: str, shown: Mapping[str, Any], *, is_required: bool = True) -> dict[str, Any]:
    """A JSON body of the schema `of`, with its examples."""
    return body(description, {JSON: {"schema": schema(of), "examples": dict(shown)}}, is_required=is_required)


def success(data: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the envelope around `data`."""
    return {
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": True}, "data": dict(data)},
        "additionalProperties": False,
    }


def answer(
    description: str,
    data: Mapping[str, Any],
    shown: Mapping[str, Any],
    *,
    headers: Sequence[str] = (),
    links: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A success in the envelope. `shown` are examples of the data alone; `headers` name those beside the usual ones."""
    wrapped = {name: {**each, "value": {"success": True, "data": each["value"]}} for name, each in shown.items()}
    made: dict[str, Any] = {
        "description": description,
        "headers": usual_headers(*headers),
        "content": {JSON: {"schema": success(data), "examples": wrapped}},
    }
    return made | ({"links": dict(links)} if links else {})


def usual_headers(*more: str) -> dict[str, Any]:
    """The headers that an answer may have, and `more`, by reference."""
    return {name: header(name) for name in ("X-Request-Id", "RateLimit", "RateLimit-Policy", *more)}


def operation(
    id: str,
    tag: str,
    summary: str,
    description: str,
    responses: Mapping[str, Any],
    *,
    errors: Sequence[str],
    parameters: Sequence[Mapping[str, Any]] = (),
    request_body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One call. `errors` name responses of `components`, which stand there under their status."""
    made: dict[str, Any] = {
        "operationId": id,
        "tags": [tag],
        "summary": summary,
        "description": description,
    }
    if parameters:
        made["parameters"] = [dict(each) for each in parameters]
    if request_body is not None:
        made["requestBody"] = dict(request_body)
    refused = {status: {"$ref": f"#/components/responses/{status}"} for status in errors}
    made["responses"] = dict(sorted({**responses, **refused}.items()))
    return made
