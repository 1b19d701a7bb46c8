"""From an error to a page, a toast for a fragment, or the API's JSON; nothing here needs the database.

A form whose session or token had ended is answered by a page that holds what was typed, to be sent again.
"""

from __future__ import annotations

import json
import logging

import flask
from flask import Flask, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.routing import RequestRedirect

from webadmin import hosts, http_errors, problems, security
from webadmin.errors import N_, Message
from webadmin.http_errors import Failure
from webadmin.web.filters import message, sentences
from webadmin.web.htmx import page, wants_fragment

# A form larger than this cannot be carried through the sign-in form.
_CARRIED_MAX = 8_000_000
_PLAIN = Markup("<!doctype html><html lang=en><title>{0}</title><h1>{0}</h1><p>{1}</p><p>{2}</p></html>")
_log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Answer every error of the application in words."""
    app.register_error_handler(Exception, respond)


def respond(error: Exception) -> ResponseReturnValue:
    """The answer to an error, by what asked: JSON for the API, a toast for a fragment, a page else."""
    if isinstance(error, RequestRedirect):
        return error.get_response()
    failure = http_errors.describe(error)
    if failure.is_bug:
        _log.error("unexpected error", exc_info=error)
    if failure.status >= 500:
        problems.note(type(error).__name__, _told(error, failure))
    if security.is_for_program():
        return http_errors.json_response(failure)
    if isinstance(error, Unauthorized):
        return _with(failure, _sign_in_again())
    if isinstance(error, security.CSRFRefused):
        return _with(failure, _send_again(failure))
    if isinstance(error, HTTPException) and error.response is not None:
        return error.get_response()
    return _with(failure, _explain(failure))


def resend_page(target: str, fields: list[tuple[str, str]], *, status: int = 200) -> flask.Response:
    """A page that shows what was typed into a form that could not be taken, with a button that sends it."""
    return page("errors/resend.html", target=target, fields=fields, files=[], status=status)


def read_fields(text: str | None) -> list[tuple[str, str]]:
    """The form fields that the sign-in form carried; nothing when there are none or they are malformed."""
    try:
        pairs = json.loads(text or "[]")
        fields = [(str(name), str(value)) for name, value in pairs]
        # Half a surrogate pair is no character, and no page could be encoded with it.
        json.dumps(fields, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        return []
    return fields


def _told(error: Exception, failure: Failure) -> Message:
    return (
        Message(N_("Unexpected error: %(kind)s"), {"kind": type(error).__name__}) if failure.is_bug else failure.message
    )


def _sign_in_again() -> flask.Response:
    if wants_fragment():
        return page("auth/_sign_in_form.html", in_dialog=True, status=401)
    if request.method in ("GET", "HEAD") or not security.is_same_site():
        target = security.safe_next(_path_with_query()) if request.method in ("GET", "HEAD") else "/"
        address = url_for("auth.sign_in", next=target) if target != "/" else url_for("auth.sign_in")
        if request.headers.get("HX-Request") == "true":
            return make_response("", 401, {"HX-Redirect": address})
        return make_response(flask.redirect(address, 302))
    kept = {"resend_to": _path_with_query(), "resend_fields": json.dumps(_typed_fields())}
    return page("auth/sign_in.html", next=security.seen_page(), kept=kept, status=401)


def _send_again(failure: Failure) -> flask.Response:
    # Only for this site's own pages: else any other site could put its form in front of a signed-in person.
    if wants_fragment() or not security.is_same_site():
        return _explain(failure, gettext("This page was open too long. Nothing was sent. Load it again."))
    files = [file.filename for file in request.files.values() if file.filename]
    return page("errors/resend.html", target=_path_with_query(), fields=_typed_fields(), files=files, status=403)


def _explain(failure: Failure, sentence: str | None = None) -> flask.Response:
    sentence = sentence or message(failure.message)
    hint = message(failure.hint) if failure.hint else None
    trace_id = http_errors.trace_id()
    status = failure.page_status
    if wants_fragment():
        text = sentences([sentence, hint])
        return make_response(render_template("errors/_error.html", sentence=text, trace_id=trace_id), status)
    retry = failure.headers.get("Retry-After")
    try:
        # What failed may be what the shell would read, so such a page is drawn without it.
        html = render_template(
            "errors/error.html",
            status=status,
            sentence=sentence,
            hint=hint,
            trace_id=trace_id,
            retry_seconds=retry,
            # Under this name no other page answers either.
            has_way=status != 400 or hosts.is_ours(request.host),
            bare=status >= 500,
        )
    except Exception:
        _log.exception("the error page could not be drawn")
        html = _PLAIN.format(status, sentence, trace_id)
    return make_response(html, status)


def _with(failure: Failure, response: flask.Response) -> flask.Response:
    for name, value in failure.headers.items():
        if name != "WWW-Authenticate":
            response.headers[name] = value
    return response


def _typed_fields() -> list[tuple[str, str]]:
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name != "csrf_token" and "password" not in name and name != "current"
    ]
    return fields if sum(len(value) for _, value in fields) <= _CARRIED_MAX else []


def _path_with_query() -> str:
    return request.full_path if request.query_string else request.path
