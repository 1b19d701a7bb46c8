"""Signing in: name and password, then a code where there is a second factor, then a session of one's own."""

from __future__ import annotations

import secrets

from flask import Response, after_this_request, current_app, g, request, session
from flask_login import login_user
from itsdangerous import BadSignature, URLSafeSerializer

from webadmin import accounts, audit, clock, db, security, throttle
from webadmin.errors import Invalid
from webadmin.sessions import ServerSession, read_cookie, set_cookie

DEVICE_COOKIE = "aa_device"
_DEVICE_SECONDS = 400 * 86400
_PENDING_SECONDS = 600


def check_sign_in(name: str, password: str) -> accounts.User | None:
    """Who has this name and password; None whatever is wrong. Raises TooManyTries, Unavailable."""
    caller = throttle.by_address(request.remote_addr)
    with db.translated_errors():
        try:
            user = accounts.sign_in(db.db.session(), name, password, address=caller, device=_device())
        except accounts.TooManyTries:
            _refuse(accounts.find_user(db.db.session(), name), step="password", is_throttled=True)
            raise
        if user is None:
            _refuse(accounts.find_user(db.db.session(), name), step="password")
        return user


def _refuse(user: accounts.User | None, *, step: str, is_throttled: bool = False) -> None:
    """Note that somebody was not let in; not under which name, where nobody has it: it may be a password."""
    audit.refuse(
        audit.Act.SIGN_IN_REFUSED,
        accounts.thing_of(user) if user is not None else None,
        caller=throttle.by_address(request.remote_addr),
        step=step,
        is_throttled=is_throttled or None,
    )


def check_setup(code: str, name: str, password: str) -> accounts.User:
    """Make the first account. Raises Conflict, Invalid, TooManyTries, Unavailable."""
    address = throttle.by_address(request.remote_addr)
    try:
        with db.transaction() as changing:
            return accounts.create_first(changing, code=code, name=name, password=password, address=address)
    except (Invalid, accounts.TooManyTries) as error:
        if isinstance(error, accounts.TooManyTries) or any(each.field == "code" for each in error.problems):
            audit.refuse(audit.Act.SETUP_REFUSED, caller=address)
        raise


def await_code(user: accounts.User, *, is_kept: bool) -> None:
    """Remember, in a session of its own, that `user` gave the right password and has yet to give a code."""
    _begin_session()
    session["pending"] = {**security.remembered(user), "is_kept": is_kept, "at": _now()}


def who_awaits_code() -> tuple[accounts.User, bool] | None:
    """Who gave the password in this browser within ten minutes, and whether they stay signed in. Raises Unavailable."""
    pending = session.get("pending")
    if pending is None or not 0 <= _now() - pending["at"] <= _PENDING_SECONDS:
        return None
    with db.translated_errors():
        user = accounts.get_user(db.db.session(), int(pending["id"]))
    if user is None or user.password_changed_at != pending["password_changed_at"]:
        return None
    return user, pending["is_kept"]


def check_code(user: accounts.User, code: str) -> bool:
    """Whether this is the code that `user` was asked for. Raises TooManyTries, Unavailable."""
    try:
        is_right = _is_code(user, code)
    except accounts.TooManyTries:
        _refuse(user, step="code", is_throttled=True)
        raise
    if not is_right:
        _refuse(user, step="code")
    return is_right


def _is_code(user: accounts.User, code: str) -> bool:
    device = _device()
    mark = device.mark if device is not None and device.user_id == user.id else None
    if not accounts.is_recovery_code(code):
        return accounts.check_app_code(user, code, device=mark)
    with db.transaction() as changing:
        return accounts.use_recovery_code(changing, user.id, code, device=mark)


def sign_in(user: accounts.User, *, is_kept: bool) -> None:
    """Begin a new session for `user`; nothing of the visitor's earlier session stays, its id included."""
    audit.note(accounts.actor_of(user), audit.Act.SIGN_IN, accounts.thing_of(user))
    _begin_session()
    session["is_kept"] = is_kept
    _remember(user)
    login_user(security.SignedIn(session["person"]))
    _mark_device(user)


def renew(user: accounts.User) -> None:
    """Keep this session, under a new id, after its person's password changed; their other sessions end."""
    accounts.end_sessions(user.id)
    _rotate()
    _remember(user)


def _remember(user: accounts.User) -> None:
    session["person"] = security.remembered(user)


def _begin_session() -> None:
    session.clear()
    # Flask-WTF remembers the token of the old session for the rest of the request.
    g.pop("csrf_token", None)
    _rotate()


def _rotate() -> None:
    if isinstance(session, ServerSession):
        session.rotate()


def _devices() -> URLSafeSerializer:
    return URLSafeSerializer([*current_app.config["SECRET_KEY_FALLBACKS"], current_app.secret_key], salt="device")


def _device() -> accounts.Device | None:
    """The mark that this browser was given when somebody signed in with it."""
    try:
        user_id, mark = _devices().loads(read_cookie(DEVICE_COOKIE) or "")
    except (BadSignature, ValueError, TypeError):
        return None
    return accounts.Device(user_id, mark)


def _mark_device(user: accounts.User) -> None:
    known = _device()
    mark = known.mark if known is not None and known.user_id == user.id else secrets.token_urlsafe(16)
    text = str(_devices().dumps([user.id, mark]))

    @after_this_request
    def keep(response: Response) -> Response:
        set_cookie(response, DEVICE_COOKIE, text, max_age=_DEVICE_SECONDS)
        return response


def _now() -> int:
    return int(clock.now().timestamp())
