"""The refusals: one response of `components` for each status, with an example for each code it may carry."""

from __future__ import annotations

from typing import Any

from webadmin.api.openapi import examples
from webadmin.api.openapi.parts import JSON, schema, usual_headers
from webadmin.errors import N_

# Code, status, what it means, and an example: its message and its details.
CODES: dict[str, tuple[int, str, str, Any]] = {
    "VALIDATION_ERROR": (
        400,
        N_("A body or file cannot be used; `details` names each field at fault."),
        "Some fields need another look. Nothing was saved.",
        [{"index": None, "id": None, "field": "title", "message": "This field is required."}],
    ),
    "INVALID_PARAMETER": (
        400,
        N_("A parameter of the address cannot be used: unknown, sent twice, or with a value that is not accepted."),
        "A parameter cannot be used.",
        [{"index": None, "id": None, "field": "pageSize", "message": "“0” cannot be used; accepted are 1 to 100."}],
    ),
    "UNAUTHORIZED": (401, N_("No valid token or session came with the call."), "Sign in, or send a valid token.", None),
    "FORBIDDEN": (
        403,
        N_("Not allowed; or the CSRF token of a browser's session is missing or another session's."),
        "Your role cannot do this. Ask an administrator.",
        None,
    ),
    "NOT_FOUND": (
        404,
        N_("There is no such address or thing."),
        "There is no assistant “ast_1”. It may have been deleted: look in the trash.",
        None,
    ),
    "METHOD_NOT_ALLOWED": (
        405,
        N_(
            "The address does not take this method; the header `Allow` names those that it takes. A method that HTTP "
            "does not know is 501."
        ),
        "This address does not take that method.",
        None,
    ),
    "VERSION_CONFLICT": (
        409,
        N_("Somebody else saved first: load the record again and apply your change to it."),
        "Someone else saved this first: it is at version 5, yours is based on 4. Load the current version.",
        {"currentVersion": 5, "requestedVersion": 4},
    ),
    "CONFLICT": (
        409,
        N_("The id exists already, the catalogue changed meanwhile, or the task was cancelled."),
        "An assistant with the id “ast_1705314600” exists already.",
        None,
    ),
    "PRECONDITION_FAILED": (
        412,
        N_("`If-Match` names no representation that is current; only calls with that header are answered so."),
        "It has changed since: the ETag sent is not the current one.",
        None,
    ),
    "PAYLOAD_TOO_LARGE": (
        413,
        N_(
            "The body, or what it unpacks to, is larger than is taken. With headers that are too large the status is "
            "431."
        ),
        "The file is 629.1 MB; the limit is 536.9 MB.",
        None,
    ),
    "UNSUPPORTED_MEDIA_TYPE": (
        415,
        N_("A content type or content encoding that the call does not take."),
        "This type of content is not accepted here.",
        None,
    ),
    "RATE_LIMIT_EXCEEDED": (
        429,
        N_("Too many calls: wait for as many seconds as `Retry-After` says."),
        "Too many requests.",
        None,
    ),
    "INTERNAL_ERROR": (
        500,
        N_("A fault of the program; its log has it under the trace id."),
        "Something broke on our side. Check the result before you repeat this.",
        None,
    ),
    "SERVICE_UNAVAILABLE": (
        503,
        N_("Not now: another task is running, the database is locked or broken, or the disk is full."),
        "Another task is running: import, started by marta. Try again when it has ended.",
        None,
    ),
}
_HEADERS = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}
STATUSES = sorted({status for status, *_ in CODES.values()})


def responses() -> dict[str, Any]:
    """The responses of `components`, named by their status."""
    return {str(status): _response(status) for status in STATUSES}


def _response(status: int) -> dict[str, Any]:
    codes = {code: row for code, row in CODES.items() if row[0] == status}
    return {
        "description": " ".join(f"`{code}`: {row[1]}" for code, row in codes.items()),
        "headers": usual_headers(*_HEADERS.get(status, ())),
        "content": {
            JSON: {
                "schema": {
                    "allOf": [
                        schema("Failure"),
                        {"properties": {"error": {"properties": {"code": {"enum": [*codes]}}}}},
                    ]
                },
                "examples": {code: {"summary": row[1], "value": _example(code)} for code, row in codes.items()},
            }
        },
    }


def _example(code: str) -> dict[str, Any]:
    _, _, message, details = CODES[code]
    error: dict[str, Any] = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return {"success": False, "error": error | {"traceId": examples.TRACE_ID}}
