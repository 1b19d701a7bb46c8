"""What every answer says of itself to browsers, and to callers of what they have left."""

from __future__ import annotations

from flask import Response, g, request

from webadmin import config, hosts
from webadmin.throttle import Usage

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), "
        "magnetometer=(), microphone=(), midi=(), payment=(), screen-wake-lock=(), serial=(), usb=(), "
        "xr-spatial-tracking=()"
    ),
}
# Two years, as Mozilla's guidelines say; the rest as the list that browsers ship asks for (hstspreload.org).
_HSTS = {
    "host": "max-age=63072000",
    "subdomains": "max-age=63072000; includeSubDomains",
    "preload": "max-age=63072000; includeSubDomains; preload",
}


def add(response: Response) -> Response:
    """Tell the browser what it may do with an answer, and the caller how many calls are left."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    hsts = _HSTS.get(config.current().hsts)
    # Not for this machine's own name: other programs answer under it, too, and without TLS.
    if hsts and request.is_secure and not hosts.is_loopback(hosts.name_of(request.host)):
        response.headers["Strict-Transport-Security"] = hsts
    usage: Usage | None = g.get("usage")
    if usage is not None:
        _tell_usage(response, usage)
    return response


def _tell_usage(response: Response, usage: Usage) -> None:
    """The fields of draft-ietf-httpapi-ratelimit-headers-10, and how long to wait when the call was one too many."""
    response.headers["RateLimit-Policy"] = f'"default";q={usage.limit};w={usage.window_seconds}'
    response.headers["RateLimit"] = f'"default";r={usage.remaining};t={usage.wait_seconds}'
    if usage.is_over:
        response.headers["Retry-After"] = str(usage.wait_seconds)
