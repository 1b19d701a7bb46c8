"""Answers of pages: one route, two faces (the whole page, or the part of it that htmx asks for), redirects and toasts.

htmx 4 says in `HX-Request-Type` whether it wants a `partial` or a `full` page (body swaps, `hx-select`, Back). It
follows a 303 without telling, so a redirect for htmx travels in the header `HX-Redirect` instead.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import flask
from flask import g, make_response, render_template, request, session
from werkzeug.wrappers import Response

ToastKind = Literal["ok", "info", "warn", "bad"]
_SESSION_KEY = "toasts"


class Toast(TypedDict):
    """A short note at the foot of the page; `undo_url` is posted to by its Undo button."""

    kind: ToastKind
    text: str
    undo_url: str | None


def wants_fragment() -> bool:
    """Whether the browser asks for a part of the page, not for the page."""
    return request.headers.get("HX-Request-Type") == "partial"


def page(template: str, fragment: str | None = None, *, status: int = 200, **context: Any) -> flask.Response:
    """Render the full page, or only its fragment (with the pending toasts) when htmx asks for it.

    A template without a fragment is always sent whole. Never stored by a browser or proxy: Back must not show a naked
    fragment, and what is shown to a person who is signed in is theirs alone.
    """
    if fragment is not None and wants_fragment():
        html = render_template(fragment, **context)
        toasts = pending_toasts()
        if toasts:
            html += render_template("shared/_toasts.html", toasts=toasts, out_of_band=True)
    else:
        html = render_template(template, **context)
    return _private(make_response(html, status))


def redirect(
    url: str, *, toast: str | None = None, kind: ToastKind = "ok", undo_url: str | None = None
) -> flask.Response:
    """Send the browser to `url` with a GET, and show `toast` there."""
    if toast is not None:
        add_toast(toast, kind=kind, undo_url=undo_url)
    if request.headers.get("HX-Request") == "true":
        return _private(make_response("", 204, {"HX-Redirect": url}))
    return _private(make_response(flask.redirect(url, 303)))


def add_toast(text: str, *, kind: ToastKind = "ok", undo_url: str | None = None) -> None:
    """Show `text` with the next page or fragment; it waits in the session cookie until then."""
    toast = Toast(kind=kind, text=str(text), undo_url=undo_url)
    session[_SESSION_KEY] = [*session.get(_SESSION_KEY, []), toast]


def pending_toasts() -> list[Toast]:
    """The toasts to show now, taken out of the session; the same list for the whole request."""
    if _SESSION_KEY in session:
        g.toasts = [*g.get("toasts", []), *session.pop(_SESSION_KEY)]
    toasts: list[Toast] = g.get("toasts", [])
    return toasts


def _private(response: Response) -> flask.Response:
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(["HX-Request", "HX-Request-Type"])
    assert isinstance(response, flask.Response)  # noqa: S101 (for mypy: Flask makes them)
    return response
