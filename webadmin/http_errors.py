"""From an error to a status: the one table, and the one JSON error body (contract 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    RequestEntityTooLarge,
    SecurityError,
)

from webadmin import config, db, operations
from webadmin.errors import N_, Conflict, DomainError, Forbidden, Invalid, Message, NotFound, Unavailable
from webadmin.observability import request_id

# (status of the API, status of a page); the first class that fits counts.
STATUSES: tuple[tuple[type[DomainError], tuple[int, int]], ...] = (
    (NotFound, (404, 404)),
    (Forbidden, (403, 403)),
    (Invalid, (400, 422)),
    (Conflict, (409, 409)),
    (Unavailable, (503, 503)),
)
_HTTP: dict[int, tuple[str, str]] = {
    400: ("VALIDATION_ERROR", N_("That request was not complete. Go back and try again.")),
    401: ("UNAUTHORIZED", N_("Sign in, or send a valid token.")),
    403: ("FORBIDDEN", N_("Your role cannot do this. Ask an administrator.")),
    404: ("NOT_FOUND", N_("Not found. It may have been deleted; search the activity log.")),
    405: ("METHOD_NOT_ALLOWED", N_("This address does not take that method.")),
    413: ("PAYLOAD_TOO_LARGE", N_("This is too large.")),
    415: ("UNSUPPORTED_MEDIA_TYPE", N_("This type of content is not accepted here.")),
    429: ("RATE_LIMIT_EXCEEDED", N_("Too many requests.")),
    503: ("SERVICE_UNAVAILABLE", N_("Not available now. Try again in a few seconds.")),
}
# The server sets this in a request's environment when it did not store the body, and why it did not.
BODY_DISCARDED = "webadmin.body_discarded"
TOO_LARGE = "too-large"
NOT_STORED = "not-stored"

_BUG = ("INTERNAL_ERROR", N_("Something broke on our side. Check the result before you repeat this."))


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error means to whoever made the request."""

    status: int
    page_status: int
    code: str
    message: Message
    hint: Message | None = None
    details: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    is_bug: bool = False


def describe(error: Exception) -> Failure:
    """Say what `error` means: statuses, code, message, details, headers; anything unknown is a bug of ours."""
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        # So Flask wraps what is raised after the view, where the session is written.
        error = error.original_exception
    known = error if isinstance(error, DomainError) else db.translate(error)
    if isinstance(known, db.DatabaseLocked):
        known = operations.locked_by() or known
    if known is not None:
        return _domain(known)
    if isinstance(error, HTTPException) and error.code in _HTTP:
        return _http(error, error.code)
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        code, template = _HTTP[400]
        return Failure(error.code, error.code, code, Message(template))
    return Failure(500, 500, _BUG[0], Message(_BUG[1]), is_bug=True)


def check_body(environ: Mapping[str, Any]) -> None:
    """Raise RequestEntityTooLarge or DiskFull when the server did not store the body of this request."""
    discarded = environ.get(BODY_DISCARDED)
    if discarded == TOO_LARGE:
        raise RequestEntityTooLarge
    if discarded == NOT_STORED:
        raise db.DiskFull


def json_response(failure: Failure) -> Response:
    """The JSON error body, the same for every error: code, message, details, trace id."""
    body = error_json(failure.code, failure.message, failure.hint, failure.details) | {"traceId": trace_id()}
    response = jsonify({"success": False, "error": body})
    response.status_code = failure.status
    response.headers.update(failure.headers)
    return response


def error_json(code: str, message: Message, hint: Message | None = None, details: Any = None) -> dict[str, Any]:
    """An error as contract 5 shows it, without the id of a request: code, message with the next step, details."""
    body: dict[str, Any] = {"code": code, "message": f"{message} {hint}" if hint else str(message)}
    return body if details is None else body | {"details": details}


def trace_id() -> str:
    """The id of this request, as it stands on each of its log lines."""
    return request_id()


def _domain(error: DomainError) -> Failure:
    for kind, (status, page_status) in STATUSES:
        if isinstance(error, kind):
            seconds = error.retry_after_seconds if isinstance(error, Unavailable) else None
            headers = {"Retry-After": str(seconds)} if seconds else {}
            return Failure(status, page_status, error.code, error.message, error.hint, error.details(), headers)
    status = status_of(error.code)
    return Failure(status, status, error.code, error.message, error.hint, error.details())


def status_of(code: str) -> int:
    """The status of the API for a code of contract 5."""
    named = {name: status for status, (name, _) in _HTTP.items()}
    others = {"INVALID_PARAMETER": 400, "CONFLICT": 409, "VERSION_CONFLICT": 409, "PRECONDITION_FAILED": 412}
    return {**named, **others}.get(code, 500)


def _too_large(sent: int, limit: int) -> tuple[str, dict[str, Any]]:
    """Why a body was refused: its size, where that is known and over the limit, else what it consists of."""
    if sent > limit:
        return N_("The file is %(size)s; the limit is %(limit)s."), {
            "size": _megabytes(sent),
            "limit": _megabytes(limit),
        }
    if sent:
        return N_("The form has too many fields, or one of them is too long."), {}
    return N_("The file is larger than the limit of %(limit)s."), {"limit": _megabytes(limit)}


def _megabytes(count: int) -> str:
    """A size as people read it, in powers of 1000; small ones keep their digits, so that both never look alike."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count} B"


def _http(error: HTTPException, status: int) -> Failure:
    code, template = _HTTP[status]
    params: dict[str, Any] = {}
    headers: dict[str, str] = {}
    hint: Message | None = None
    if isinstance(error, SecurityError):
        template = N_("This site does not answer under the name in the header Host.")
        hint = Message(N_("Use one of its own names. Whoever runs it can add a name to ALLOWED_HOSTS."))
    if isinstance(error, RequestEntityTooLarge):
        template, params = _too_large(request.content_length or 0, config.current().max_upload_size)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    headers.update({name: value for name, value in error.get_headers() if name in ("WWW-Authenticate", "Retry-After")})
    return Failure(status, status, code, Message(template, params), hint, headers=headers)
