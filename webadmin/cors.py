"""Pages of other sites, `CORS_ORIGINS`: they may call the API with a token, never with a cookie.

Source of the rules: Fetch standard, «CORS protocol».
"""

from __future__ import annotations

from flask import Flask, Response, request

from webadmin import config, security

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type, Content-Encoding, If-Match, If-None-Match, Prefer"
_RESPONSE_HEADERS = (
    "Content-Disposition, ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
)
_PREFLIGHT_SECONDS = "600"


def init_app(app: Flask) -> None:
    """Let the sites of the settings in; to be called before the guard of `security` is set up."""
    app.before_request(_answer_preflight)
    app.after_request(_allow)


def _answer_preflight() -> Response | None:
    if not (security.is_api() and security.is_preflight() and _allowed()):
        return None
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
    response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
    return response


def _allow(response: Response) -> Response:
    origins = config.current().cors_origins
    if not security.is_api() or not origins:
        return response
    if "*" not in origins:
        response.vary.add("Origin")
    allowed = _allowed()
    if allowed:
        response.headers["Access-Control-Allow-Origin"] = allowed
        response.headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
    return response


def _allowed() -> str | None:
    """What `Access-Control-Allow-Origin` says to this request, None for nothing."""
    origins, origin = config.current().cors_origins or (), request.headers.get("Origin")
    if "*" in origins:
        return "*"
    return origin if origin in origins else None
