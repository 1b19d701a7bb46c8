"""`create_app`: settings, log, database, jobs, security, languages, pages, in this order."""

from __future__ import annotations

import time
from typing import cast

from flask import Flask, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from flask_babel import Babel

from webadmin import (
    accounts,
    api,
    audit,
    cli,
    config,
    cors,
    damage,
    jobs,
    memory,
    observability,
    problems,
    proxies,
    runtime,
    security,
    upgrade,
    web,
)
from webadmin.config import Config
from webadmin.db import db, engine_options, prepare, transaction, use_waits
from webadmin.errors import Unavailable
from webadmin.form_bodies import Request
from webadmin.http_errors import check_body
from webadmin.runtime import Runtime
from webadmin.saved_settings import Follower
from webadmin.web import prefs

LANGUAGES = ("en", "zh")
# A field of a form is one text; the whole of an upload streams to a file and does not count.
_FORM_MEMORY_BYTES = 64 * 1024 * 1024


class _Answers(DefaultJSONProvider):
    """JSON with its keys in the order in which they were given, as people read it in a terminal: success first."""

    sort_keys = False


def create_app(values: Config | None = None, *, must_open: bool = True) -> Flask:
    """Build the application.

    Args:
        values: the settings; read from environment and `.env.local` if None.
        must_open: whether a database that cannot be opened is an error. If not, the trouble is kept in
            `app.extensions["database_trouble"]`, for commands that look into it.

    Raises:
        ConfigError: a setting cannot be used.
        Unavailable: the database cannot be opened.
        Invalid: `ADMIN_USERNAME` or `ADMIN_PASSWORD` are refused.
    """
    values = values or Config.load()
    memory.give_back_large_blocks()
    app = Flask(__name__, template_folder="../templates", static_folder="../static", static_url_path="/static")
    app.request_class = Request
    app.extensions["settings"] = Follower(values)
    app.url_map.merge_slashes = False
    app.json = _Answers(app)
    app.config["MAX_CONTENT_LENGTH"] = values.max_upload_size
    app.config["MAX_FORM_MEMORY_SIZE"] = _FORM_MEMORY_BYTES
    app.extensions["runtime"] = Runtime(values.database_path.with_name("runtime.db"))
    app.wsgi_app = proxies.Forwarded(app.wsgi_app, values.trusted_proxies or ())  # type: ignore[method-assign]
    _install_providers()
    observability.set_up(values)
    with app.app_context():
        _open_database(app, values, must_open=must_open)
        _log_requests(app)
        app.extensions["settings"].refresh(at_once=True)
        app.before_request(app.extensions["settings"].refresh)
        _let_in(app)
        _speak_languages(app, values)
        web.init_app(app)
        app.register_blueprint(api.blueprint)
        cli.register(app)
        if values.admin_username and "opening" in app.extensions and not accounts.any_users(db.session()):
            with transaction() as session:
                accounts.create_from_settings(session)
    return app


def _install_providers() -> None:
    """The domain asks for settings, runtime database and contexts by these, and gets those of the current app."""
    config.use(lambda: cast("Follower", current_app.extensions["settings"]).current)
    runtime.use(lambda: cast("Runtime", current_app.extensions["runtime"]))
    use_waits(problems.note_wait)
    jobs.use(lambda: current_app._get_current_object().app_context)  # type: ignore[attr-defined]  # noqa: SLF001


def _open_database(app: Flask, values: Config, *, must_open: bool) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{values.database_path}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(values.db_timeout)
    db.init_app(app)
    prepare(db.engine)
    damage.watch(db.engine, values.database_path)
    try:
        app.extensions["opening"] = upgrade.open_database()
    except Unavailable as error:
        if must_open:
            raise
        app.extensions["database_trouble"] = error


def _log_requests(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        g.began_at = time.perf_counter()
        observability.new_request_id()
        audit.come_from("api" if security.is_for_program() else "page", request.remote_addr)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = observability.request_id()
        seconds = time.perf_counter() - g.get("began_at", time.perf_counter())
        actor = g.get("actor")
        observability.log_access(
            request.method, request.path, response.status_code, seconds, actor.name if actor else "-"
        )
        return response


def _let_in(app: Flask) -> None:
    cors.init_app(app)
    security.init_app(app)
    # After the count, which takes in what is refused; before the guard, which may look into a form for its token.
    app.before_request(lambda: check_body(request.environ))
    app.before_request(security.guard)


def _speak_languages(app: Flask, values: Config) -> None:
    def language() -> str:
        person = security.current_person()
        chosen = (person.language if person else None) or prefs.language()
        g.is_language_negotiated = chosen is None
        return chosen or request.accept_languages.best_match(LANGUAGES) or values.site_language

    @app.after_request
    def vary(response: Response) -> Response:
        if g.get("is_language_negotiated"):
            response.vary.add("Accept-Language")
        return response

    Babel(
        app,
        default_locale=values.site_language,
        default_timezone=values.timezone.key,
        default_translation_directories="translations",
        locale_selector=language,
    )
