"""Sessions kept on the server: the cookie holds a random id, `runtime.db` its hash and what belongs to it.

A visitor who is not signed in gets a row and a cookie only when a form needs a CSRF token.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from typing import Any

from flask import Flask, Request, request
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSession, SessionInterface
from flask.wrappers import Response

from webadmin import clock, config, runtime
from webadmin.errors import Unavailable

COOKIE = "aa_session"
METRICS_PATH = "/metrics"
_ANONYMOUS_SECONDS = 2 * 3600
_AGENT_MAX = 300
_TOUCH_SECONDS = 60
_serializer = TaggedJSONSerializer()
_log = logging.getLogger(__name__)


class ServerSession(SecureCookieSession):
    """One visitor's session. `rotate()` gives it a new id when it is saved."""

    id_hash: str | None = None
    seen_at = 0
    is_rotating = False
    # Neither loaded nor saved: a call with a bearer token, a static file.
    is_transient = False
    failure: Unavailable | None = None

    def rotate(self) -> None:
        """Give the session a new id, so that an id planted before signing in is worth nothing after it."""
        self.is_rotating = self.modified = True

    @property
    def idle_seconds(self) -> int:
        """How long the session lives without a request."""
        if "_user_id" not in self:
            return _ANONYMOUS_SECONDS
        settings = config.current()
        return settings.session_kept_days * 86400 if self.get("is_kept") else settings.session_idle_hours * 3600


class RuntimeSessions(SessionInterface):
    """Flask's session interface over `runtime.db`."""

    def open_session(self, app: Flask, request: Request) -> ServerSession:
        """Load the visitor's session; an unknown, old or expired cookie gives an empty one."""
        session = ServerSession()
        if request.path.startswith("/static/") or is_bearer_call(request):
            session.is_transient = True
            return session
        cookie = read_cookie(COOKIE)
        if not cookie:
            return session
        id_hash = _hash(cookie)
        try:
            rows = runtime.current().read("SELECT * FROM sessions WHERE id_hash=?", (id_hash,))
        except Unavailable as error:
            # An error raised here would pass by the error pages; the guard raises it again.
            session.failure, session.is_transient = error, True
            return session
        return _load(rows[0]) if rows else session

    def save_session(self, app: Flask, session: SecureCookieSession, response: Response) -> None:  # type: ignore[override]
        """Write what changed, and note that the visitor was seen."""
        if not isinstance(session, ServerSession) or session.is_transient:
            return
        if session.accessed:
            response.vary.add("Cookie")
        try:
            if not session:
                _end(session, response)
            elif session.id_hash is None or session.is_rotating:
                _create(session, response)
            elif session.modified or _now() - session.seen_at > _TOUCH_SECONDS:
                _update(session)
        except Unavailable:
            # The page that tells it comes by here, too, and must not fail in the same way.
            session.is_transient = True
            raise


def is_api_call(request: Request) -> bool:
    """Whether a request is of the API; the page that explains it is a page."""
    return f"{request.path}/".startswith("/api/") and request.path != "/api/docs"


def is_bearer_call(request: Request) -> bool:
    """Whether the request comes with a token instead of a browser's session."""
    scheme = request.headers.get("Authorization", "").partition(" ")[0]
    return (is_api_call(request) or request.path == METRICS_PATH) and scheme.lower() == "bearer"


def _load(row: Any) -> ServerSession:
    """The session kept in this row; an empty one when its time is over by the settings of now."""
    session = ServerSession(_serializer.loads(row["data"]))
    session.id_hash, session.seen_at = row["id_hash"], row["seen_at"]
    ends_at = min(session.seen_at + session.idle_seconds, row["created_at"] + config.current().session_max_days * 86400)
    return session if ends_at > _now() else ServerSession()


def _create(session: ServerSession, response: Response) -> None:
    store, now, text = runtime.current(), _now(), secrets.token_urlsafe(32)
    store.write("DELETE FROM sessions WHERE id_hash=? OR seen_at + idle_seconds < ?", (session.id_hash, now))
    agent = request.headers.get("User-Agent", "")[:_AGENT_MAX].encode(errors="replace").decode()
    store.write(
        "INSERT INTO sessions (id_hash, user_id, data, created_at, seen_at, idle_seconds, address, agent)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            _hash(text),
            session.get("_user_id"),
            _dump(session),
            now,
            now,
            session.idle_seconds,
            request.remote_addr,
            agent,
        ),
    )
    max_age = session.idle_seconds if session.get("is_kept") else None
    set_cookie(response, COOKIE, text, max_age=max_age)


def _update(session: ServerSession) -> None:
    # Never an insert: a session that another request ended meanwhile stays ended.
    try:
        runtime.current().write(
            "UPDATE sessions SET data=?, seen_at=?, idle_seconds=? WHERE id_hash=?",
            (_dump(session), _now(), session.idle_seconds, session.id_hash),
        )
    except Unavailable:
        # With a full disk pages must still be readable.
        _log.warning("a session could not be written", exc_info=True)


def _end(session: ServerSession, response: Response) -> None:
    if session.id_hash is not None:
        runtime.current().write("DELETE FROM sessions WHERE id_hash=?", (session.id_hash,))
        set_cookie(response, COOKIE, "", max_age=0)


def read_cookie(name: str) -> str | None:
    """The value of a cookie of ours; over TLS none that another host could have planted."""
    return request.cookies.get(_cookie(name))


def set_cookie(response: Response, name: str, value: str, *, max_age: int | None) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send along, `Secure` over TLS; 0 s removes it."""
    response.set_cookie(
        _cookie(name),
        value,
        max_age=max_age,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )


def _cookie(name: str) -> str:
    # Browsers take such a name over TLS alone, from this very host (draft-ietf-httpbis-rfc6265bis, section 4.1.3.2).
    return f"__Host-{name}" if request.is_secure else name


def _dump(session: ServerSession) -> str:
    return str(_serializer.dumps(dict(session)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _now() -> int:
    return int(clock.now().timestamp())
