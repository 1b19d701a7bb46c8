"""Who may come in: sign-in state, bearer tokens, CSRF. What is not listed as open is closed."""

from __future__ import annotations

import logging
import secrets
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request, session, url_for
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import CSRFProtect, validate_csrf
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, SecurityError, Unauthorized
from werkzeug.routing import RoutingException
from wtforms import ValidationError

from webadmin import access, accounts, audit, config, db, headers, hosts, keyfile, observability, throttle
from webadmin.accounts import Actor, ActorKind, Permission
from webadmin.errors import N_, Forbidden, Unavailable
from webadmin.proxies import PASSED_ON
from webadmin.sessions import (
    METRICS_PATH,
    RuntimeSessions,
    ServerSession,
    is_api_call,
    is_bearer_call,
)
from webadmin.throttle import Throttle

# What somebody whose password was given by another person may do until they have chosen their own.
_WITH_TEMPORARY_PASSWORD = frozenset({"profile.password", "profile.change_password", "auth.sign_out", "prefs.set"})
# The same for somebody whose role needs a second factor, until they have one.
_WITHOUT_SECOND_FACTOR = frozenset({"profile.second_factor", "profile.turn_on", "auth.sign_out", "prefs.set"})
_log = logging.getLogger(__name__)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CSRFRefused(Forbidden):
    """The form or call came without the token of its own session: forged, or left open too long."""

    def __init__(self) -> None:
        super().__init__(
            N_(
                "The session's CSRF token is missing or belongs to another session. Send it in the header X-CSRFToken, "
                "or call with a token instead of a session."
            )
        )


class FromElsewhere(Forbidden):
    """The browser says that a page of another site sent this."""

    def __init__(self) -> None:
        super().__init__(
            N_("A page of another site sent this. Nothing was changed."),
            hint=N_("Open this site itself, and do it there."),
        )


class SignedIn(UserMixin):  # type: ignore[misc]
    """The person of this session, as the session remembers them: it must be known with a broken database too."""

    def __init__(self, person: dict[str, Any]) -> None:
        self.id: str = person["id"]
        self.user_id = int(self.id)
        self.name: str = person["name"]
        self.role: str = person["role"]
        self.language: str | None = person["language"]
        self.theme: str | None = person["theme"]
        # Sessions of earlier versions know nothing of these.
        self.is_temporary: bool = person.get("is_temporary", False)
        self.has_single_keys: bool = person.get("has_single_keys", True)
        self.needs_second_factor: bool = person.get("needs_second_factor", False)


def init_app(app: Flask) -> None:
    """Set up sign-in, the count of calls and the headers; who may go on is the business of `guard`, to be put last.

    Raises OSError when no secret key can be kept.
    """
    app.secret_key = _secret_key()
    observability.hide(app.secret_key)
    # The last one signs, each of them is believed (itsdangerous): forms that are open outlive a change of the key.
    app.config["SECRET_KEY_FALLBACKS"] = list(config.current().secret_key_old or ())
    app.config["WTF_CSRF_SECRET_KEY"] = [*app.config["SECRET_KEY_FALLBACKS"], app.secret_key]
    app.session_interface = RuntimeSessions()
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    # The guard checks instead, in its own order: who, then the token; the header before the body is read.
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    CSRFProtect(app)
    login = LoginManager(app)
    login.session_protection = None
    login.user_loader(_load_person)
    app.extensions["throttle"] = Throttle()
    app.before_request(_check_host)
    app.before_request(_identify)
    app.after_request(_note_refusal)
    app.after_request(headers.add)


def current_actor() -> Actor:
    """Who makes this request: the signed-in person or the token. Raises Unauthorized for nobody."""
    actor: Actor | None = g.get("actor")
    if actor is None:
        raise Unauthorized
    return actor


def require_person() -> SignedIn:
    """The signed-in person. Raises Unauthorized for nobody and for a token."""
    person = current_person()
    if person is None:
        raise Unauthorized
    return person


def session_id() -> str | None:
    """What names this browser's session in lists; it opens nothing."""
    return session.id_hash if isinstance(session, ServerSession) else None


def current_person() -> SignedIn | None:
    """The signed-in person, None for nobody and for a token; never reads a body and never fails."""
    person: SignedIn | None = g.get("person")
    return person


def safe_next(target: str | None) -> str:
    """`target` when it is a path of this site, else the start page (no open redirect)."""
    if not target or not target.startswith("/") or target.startswith("//"):
        return "/"
    # Browsers drop control characters and read a backslash as a slash: `/\t/host` and `/\host` leave the site.
    if "\\" in target or any(ord(char) < 0x21 or ord(char) == 0x7F for char in target):
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target


def seen_page() -> str:
    """Path and query of the page from which the browser says that it sent this, the start page for one elsewhere."""
    try:
        seen = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    except ValueError:
        return "/"
    if seen.netloc != request.host:
        return "/"
    return safe_next(f"{seen.path}?{seen.query}" if seen.query else seen.path)


def is_api() -> bool:
    """Whether this request is answered in JSON."""
    return is_api_call(request)


def reads_publicly() -> bool:
    """Whether nobody in particular reads what `PUBLIC_READ` opens: only what is public and published may be shown."""
    is_reading = request.method in ("GET", "HEAD") and request.endpoint in access.PUBLIC
    # A token that is not valid is refused, so that its owner hears of it.
    return g.actor is None and is_reading and config.current().public_read and not is_bearer_call(request)


def is_for_program() -> bool:
    """Whether a program asks that is told of errors in JSON: a call of the API, or one for the metrics."""
    return is_api() or request.path == METRICS_PATH


def reads_metrics_here() -> bool:
    """Whether a program of this machine reads the metrics, which needs no token then.

    What a proxy passes on may come from this machine too: a header by which proxies tell for whom they ask gives it
    away, or a `Host` that is not this machine's own (so also a browser that was lured here by a name). A token that is
    not valid is refused, so that its owner hears of it.
    """
    if request.path != METRICS_PATH or request.method not in ("GET", "HEAD") or is_bearer_call(request):
        return False
    return (
        PASSED_ON not in request.environ
        and hosts.is_loopback(request.remote_addr)
        and hosts.is_loopback(hosts.name_of(request.host))
    )


def is_preflight() -> bool:
    """Whether a browser asks if a page of another site may make a call (Fetch standard, CORS-preflight request)."""
    asks = "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
    return request.method == "OPTIONS" and asks


def is_same_site() -> bool:
    """Whether the browser says that this site's own page sent the request."""
    return _sender() == request.host


def _sender() -> str | None:
    """The host of the page that sent the request, empty for one that hides it, None where the browser says nothing."""
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        # `none`: somebody typed the address, or sent a form again that the browser had kept.
        return request.host if fetch_site == "same-origin" else None if fetch_site == "none" else ""
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    try:
        return None if origin is None else urlsplit(origin).netloc
    except ValueError:
        return ""


def _check_host() -> None:
    """Raises SecurityError for a `Host` that is no name of this site.

    What answers without a session has nothing to hide, and probes call the program by an address.
    """
    if request.endpoint not in access.WITHOUT_SESSION and not hosts.is_ours(request.host):
        _log.info("refused: Host is %s", request.headers.get("Host"))
        raise SecurityError


def _identify() -> None:
    """Find out who makes the request, and count it if it is a call of the API by anybody but a signed-in browser."""
    if request.endpoint in access.WITHOUT_SESSION:
        return
    if isinstance(session, ServerSession) and session.failure is not None:
        raise session.failure
    token = _token() if is_bearer_call(request) else None
    g.actor = _token_actor(token) if token else _person_actor()
    if is_api() and current_person() is None and not is_preflight():
        _count_call(throttle.by_token(token.id) if token else throttle.by_address(request.remote_addr))


def _count_call(caller: str) -> None:
    counter: Throttle = current_app.extensions["throttle"]
    g.usage = counter.count(caller)
    if g.usage is not None and g.usage.is_over:
        raise throttle.TooManyCalls(g.usage)


def guard() -> ResponseReturnValue | None:
    """Stop the request of whoever may not make it, or who was made to (CSRF).

    Raises Unauthorized, FromElsewhere, CSRFRefused, and Forbidden for a role that may not.
    """
    if request.endpoint in access.WITHOUT_SESSION:
        return None
    if g.actor is None and request.endpoint not in access.OPEN and not reads_publicly() and not reads_metrics_here():
        if not is_for_program() and not has_accounts():
            return redirect(url_for("auth.setup"))
        raise Unauthorized(www_authenticate=_challenge() if is_for_program() else None)
    if request.method not in _SAFE_METHODS and not is_bearer_call(request):
        _check_csrf()
    unfinished = _unfinished(current_person())
    if unfinished is not None:
        return _first(unfinished)
    if g.actor is not None and request.endpoint is not None and request.method != "OPTIONS":
        access.check(g.actor, request.endpoint)
    return None


def may(permission: Permission) -> bool:
    """Whether whoever makes this request has a permission."""
    actor: Actor | None = g.get("actor")
    return actor is not None and accounts.may(actor, permission)


def is_open(url: str, method: str = "GET") -> bool:
    """Whether whoever makes this request may call an address of this site; true where the guard would not stop them."""
    actor: Actor | None = g.get("actor")
    adapter = request_ctx.url_adapter
    if actor is None or adapter is None or not url.startswith("/"):
        return True
    try:
        endpoint, _ = adapter.match(urlsplit(url).path, method)
    except (HTTPException, RoutingException):
        return True
    return access.is_open_to(actor, endpoint)


def _unfinished(person: SignedIn | None) -> str | None:
    """The address of what this person must do before anything else, unless that is what they do."""
    if person is None or request.endpoint in access.OPEN:
        return None
    if person.is_temporary and request.endpoint not in _WITH_TEMPORARY_PASSWORD:
        return url_for("profile.password")
    if person.needs_second_factor and request.endpoint not in _WITHOUT_SECOND_FACTOR | _WITH_TEMPORARY_PASSWORD:
        return url_for("profile.second_factor")
    return None


def _first(address: str) -> ResponseReturnValue:
    """Send somebody to what they must do before anything else."""
    if is_for_program():
        raise Forbidden(N_("Your account is not complete yet."), hint=N_("Open the site and follow what it asks."))
    if request.headers.get("HX-Request") == "true":
        return Response("", 204, {"HX-Redirect": address})
    return redirect(address, 303)


def _challenge() -> WWWAuthenticate:
    return WWWAuthenticate("bearer", {"error": "invalid_token"} if is_bearer_call(request) else None)


def has_accounts() -> bool:
    """Whether the first account exists; asked of the database until it does. Raises Unavailable."""
    if not g.get("has_accounts"):
        with db.translated_errors():
            g.has_accounts = accounts.any_users(db.db.session())
    return bool(g.has_accounts)


def _token() -> accounts.ValidToken | None:
    """The valid token that the request brings. Raises Unavailable."""
    text = request.headers["Authorization"][6:].strip()
    with db.translated_errors():
        return accounts.authenticate_token(db.db.session(), text, address=request.remote_addr)


def _token_actor(token: accounts.ValidToken) -> Actor:
    return Actor(ActorKind.TOKEN, token.name, token.role, token.id, token.purposes)


def _person_actor() -> Actor | None:
    if "_user_id" not in session or not current_user.is_authenticated:
        return None
    return Actor(ActorKind.PERSON, g.person.name, g.person.role, g.person.user_id)


def _load_person(user_id: str) -> SignedIn | None:
    person = session.get("person")
    if person is None or person["id"] != user_id:
        return None
    try:
        with db.translated_errors():
            user = accounts.get_user(db.db.session(), int(user_id))
    except Unavailable:
        # The health page and a recovery need a signed-in administrator just when the database is broken.
        g.person = SignedIn(person)
    else:
        is_same = user is not None and user.password_changed_at == person["password_changed_at"]
        g.person = SignedIn(remembered(user)) if user is not None and is_same else None
    return current_person()


def remembered(user: accounts.User) -> dict[str, Any]:
    """What a session keeps of its person."""
    return {
        "id": str(user.id),
        "name": user.name,
        "role": user.role,
        "language": user.language,
        "theme": user.theme,
        "is_temporary": user.is_temporary,
        "has_single_keys": user.has_single_keys,
        "needs_second_factor": user.totp_secret is None and accounts.is_required(user),
        "password_changed_at": user.password_changed_at,
    }


def _check_csrf() -> None:
    # The token alone would do; this also holds where one has leaked.
    if _sender() not in (None, request.host):
        raise FromElsewhere
    # Header first: a script's upload of 600 MB is refused or let in without reading its body. A dialog opened over an
    # old page brings the old token in the header and its own in the form.
    if not _is_token(request.headers.get("X-CSRFToken")) and not _is_token(request.form.get("csrf_token")):
        raise CSRFRefused
    g.csrf_valid = True


def _is_token(text: str | None) -> bool:
    try:
        validate_csrf(text)
    except ValidationError:
        return False
    return True


def _note_refusal(response: Response) -> Response:
    """Write into the activity log who was refused what. Addresses and queries stay out: they may hold anything.

    That a browser must sign in (again) is no refusal; the form of signing in says itself what came of it.
    """
    is_sign_in = request.endpoint in ("auth.sign_in", "auth.code", "auth.setup")
    is_challenge = response.status_code == 401 and not is_for_program()
    if response.status_code in (401, 403, 429) and not is_sign_in and not is_challenge:
        actor: Actor | None = g.get("actor")
        audit.refuse(
            audit.Act.REQUEST_REFUSED,
            who=actor or audit.NOBODY,
            caller=throttle.by_address(request.remote_addr),
            status=response.status_code,
            method=request.method if request.endpoint else None,
            route=request.url_rule.rule if request.url_rule else None,
        )
    return response


def _secret_key() -> str:
    settings = config.current()
    if settings.secret_key:
        return str(settings.secret_key)
    return keyfile.read_or_make(settings.database_path.parent / "secret-key", partial(secrets.token_hex, 32))
