"""From outside: what is open, what a cookie is worth, what a form needs, what every answer carries."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import PASSWORD, add_person, add_token, close, csrf_token, session_token, sign_in
from webadmin import clock, runtime, security
from webadmin.app import create_app
from webadmin.sessions import COOKIE

OPEN = {"/healthz", "/api/health", "/sign-in", "/sign-in/code", "/setup", "/preferences"}
FORM = "application/x-www-form-urlencoded"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)


def addresses(app: Flask) -> list[tuple[str, str]]:
    """Every method and address of the application, from its own map."""
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<int:[^>]+>", "1", rule.rule)
        path = re.sub(r"<[^>]+>", "x", path)
        found += [(method, path) for method in sorted(rule.methods or ()) if rule.endpoint != "static"]
    return found


def cookie(client: FlaskClient) -> str:
    found = client.get_cookie(COOKIE)
    assert found
    return found.value


def rows(app: Flask) -> list[str]:
    with app.app_context():
        return [row["id_hash"] for row in runtime.current().read("SELECT id_hash FROM sessions")]


def test_nothing_is_open_to_nobody(app: Flask) -> None:
    add_person(app, "Ada")
    for method, path in addresses(app):
        # From elsewhere: programs of this machine read the metrics.
        answer = app.test_client().open(path, method=method, environ_base={"REMOTE_ADDR": "203.0.113.7"})
        if path in OPEN:
            assert answer.status_code in (200, 204, 302, 303, 403, 404, 405, 503), (method, path)
        elif (path.startswith("/api/") and path != "/api/docs") or path == "/metrics":
            assert answer.status_code == 401, (method, path)
            assert method == "HEAD" or answer.json["error"]["code"] == "UNAUTHORIZED"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        else:
            assert answer.status_code == 302, (method, path)
            assert answer.headers["Location"].startswith("/sign-in"), (method, path)


def test_before_the_first_account_every_page_leads_to_setup(client: FlaskClient) -> None:
    for path in ("/", "/settings/tokens", "/no-such-page"):
        assert client.get(path).headers["Location"] == "/setup"
    assert client.get("/api/assistants").status_code == 401


def test_every_answer_carries_the_headers(app: Flask, client: FlaskClient) -> None:
    add_person(app, "Ada")
    for path in ("/sign-in", "/api/assistants", "/no-such-page", "/healthz", "/static/css/app.css"):
        answer = client.get(path)
        headers = answer.headers
        answer.close()
        assert headers["Content-Security-Policy"] == CSP
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert path.startswith("/static") or headers["Cache-Control"] == "no-store"


def test_a_visitor_gets_no_cookie_until_a_form_needs_one(app: Flask) -> None:
    add_person(app, "Ada")
    browser = app.test_client()
    for path in ("/", "/healthz", "/api/health", "/no-such-page"):
        assert "Set-Cookie" not in browser.get(path).headers
    assert rows(app) == []
    assert "Set-Cookie" in browser.get("/sign-in").headers


@pytest.mark.parametrize(("scheme", "start", "count"), [("http", "", 0), ("https", "__Host-", 1)])
def test_every_cookie_is_closed_to_scripts_and_other_sites(app: Flask, scheme: str, start: str, count: int) -> None:
    add_person(app, "Ada")
    browser, site = app.test_client(), {"base_url": f"{scheme}://localhost"}
    page = browser.get("/sign-in", **site)
    form = {"csrf_token": csrf_token(page), "username": "Ada", "password": PASSWORD}
    signed_in = browser.post("/sign-in", data=form, **site)
    token = {"X-CSRFToken": session_token(browser, **site)}
    chosen = browser.post("/preferences", data={"theme": "dark", "language": "zh"}, headers=token, **site)
    signed_out = browser.post("/sign-out", headers=token, **site)
    found = [line for answer in (page, signed_in, chosen, signed_out) for line in answer.headers.getlist("Set-Cookie")]
    names = ["aa_session", "aa_device", "aa_session", "theme", "language", "aa_session"]
    assert sorted(line.partition("=")[0] for line in found) == sorted(start + name for name in names)
    for line in found:
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert line.count("Secure") == count
        assert "Domain" not in line
    assert "Max-Age" not in found[0]
    assert "Max-Age=0" in found[-1]
    assert browser.get("/settings/tokens", **site).status_code == 302


def test_over_tls_a_cookie_of_another_host_is_not_believed(app: Flask, ada: FlaskClient) -> None:
    planted = app.test_client()
    planted.set_cookie(COOKIE, cookie(ada))
    assert planted.get("/settings/tokens").status_code == 200
    assert planted.get("/settings/tokens", base_url="https://localhost").status_code == 302


@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        ("host", "max-age=63072000"),
        ("subdomains", "max-age=63072000; includeSubDomains"),
        ("preload", "max-age=63072000; includeSubDomains; preload"),
        ("off", None),
    ],
)
def test_browsers_are_told_to_stay_with_tls_once_they_came_over_it(make_config, setting: str, sent: str | None) -> None:
    app = create_app(make_config(HSTS=setting, ALLOWED_HOSTS="admin.example.org"))
    for path in ("/healthz", "/static/css/app.css", "/sign-in"):
        for site in ("https://admin.example.org", "http://admin.example.org", "https://localhost"):
            answer = app.test_client().get(path, base_url=site)
            answer.close()
            wanted = sent if site == "https://admin.example.org" else None
            assert answer.headers.get("Strict-Transport-Security") == wanted, (site, path)
    close(app)


def test_the_cookie_is_stored_hashed(app: Flask) -> None:
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    with app.app_context():
        stored = str([tuple(row) for row in runtime.current().read("SELECT * FROM sessions")])
    assert cookie(browser) not in stored


def test_signing_in_gives_a_new_session_id_and_token(app: Flask) -> None:
    add_person(app, "Ada")
    browser = app.test_client()
    token = csrf_token(browser.get("/sign-in"))
    planted = cookie(browser)
    assert sign_in(browser, "Ada").headers["Location"] == "/"
    assert cookie(browser) != planted
    other = app.test_client()
    other.set_cookie(COOKIE, planted)
    assert other.get("/settings/tokens").status_code == 302
    assert browser.post("/sign-out", data={"csrf_token": token}).status_code == 403


def test_signing_out_ends_the_session_wherever_its_cookie_went(app: Flask, ada: FlaskClient) -> None:
    stolen = cookie(ada)
    thief = app.test_client()
    thief.set_cookie(COOKIE, stolen)
    assert thief.post("/sign-out").status_code == 403
    token = session_token(thief)
    assert ada.post("/sign-out", headers={"X-CSRFToken": token}).headers["Location"] == "/sign-in"
    assert ada.get_cookie(COOKIE) is None
    assert thief.get("/settings/tokens").headers["Location"].startswith("/sign-in")
    assert rows(app) == []


def test_a_session_ends_after_twelve_idle_hours(ada: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=11))
    assert is_signed_in(ada)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=22))
    assert is_signed_in(ada)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=35))
    assert not is_signed_in(ada)


def test_a_kept_session_lives_thirty_idle_days(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    add_person(app, "Ada")
    browser = app.test_client()
    answer = sign_in(browser, "Ada", remember="1")
    [kept] = [header for header in answer.headers.getlist("Set-Cookie") if header.startswith(COOKIE)]
    assert "Max-Age=2592000" in kept
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=29))
    assert is_signed_in(browser)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=60))
    assert not is_signed_in(browser)


def test_a_changed_password_ends_the_other_sessions(app: Flask, ada: FlaskClient) -> None:
    elsewhere = app.test_client()
    sign_in(elsewhere, "Ada")
    new = "another long walk"
    answer = ada.post(
        "/profile/password", data={"csrf_token": session_token(ada), "current": PASSWORD, "password": new}
    )
    assert answer.status_code == 303
    assert is_signed_in(ada)
    assert not is_signed_in(elsewhere)
    assert sign_in(app.test_client(), "Ada", new).headers["Location"] == "/"


def test_no_changing_route_works_without_its_token(app: Flask, ada: FlaskClient) -> None:
    for method, path in addresses(app):
        if method in ("GET", "HEAD", "OPTIONS"):
            continue
        for headers in ({}, {"X-CSRFToken": "forged"}, {"Content-Type": "application/json"}):
            answer = ada.open(path, method=method, headers=headers, data=b"{}" if headers else None)
            assert answer.status_code == 403, (method, path, headers)
    assert is_signed_in(ada)


def test_a_token_that_leaked_is_worth_nothing_to_another_site(ada: FlaskClient) -> None:
    token = {"X-CSRFToken": session_token(ada)}
    origins = (
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://[",
    )
    told = [{"Origin": origin} for origin in origins] + [{"Referer": "https://evil.example/"}]
    told += [{"Sec-Fetch-Site": site, "Origin": "http://localhost"} for site in ("cross-site", "same-site", "nonsense")]
    for headers in told:
        for path in ("/preferences", "/api/assistants/backup/create"):
            answer = ada.post(path, headers=headers | token)
            assert answer.status_code == 403
            assert "A page of another site sent this." in answer.text
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}, {}):
        assert ada.post("/preferences", data={"theme": "dark"}, headers=headers | token).status_code == 303


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_forms_are_bounded_before_they_are_read(client: FlaskClient, kind: str) -> None:
    def form(fields: int) -> bytes:
        if kind.startswith("multipart"):
            part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
            return part * fields + b"--x--\r\n"
        return b"&".join([b"a=1"] * fields)

    answer = client.post("/setup", data=form(20_000), content_type=kind)
    assert answer.status_code == 413
    assert "too many fields" in answer.text
    assert client.post("/setup", data=form(900), content_type=kind).status_code == 403


def test_a_form_of_one_very_long_text_is_not_taken_into_memory(client: FlaskClient) -> None:
    answer = client.post("/setup", data=b"a=" + b"x" * (64 * 1024 * 1024), content_type=FORM)
    assert answer.status_code == 413
    assert "too long" in answer.text


@pytest.mark.parametrize(
    "seen", ["http://[", "http://evil.example/assistants?q=a", "//", "http://localhost//evil", "\\"]
)
def test_an_odd_page_that_the_browser_came_from_is_no_trouble(ada: FlaskClient, seen: str) -> None:
    for name in ("Referer", "HX-Current-URL"):
        page = ada.get("/assistants/new", headers={name: seen})
        assert page.status_code == 200
        assert "evil" not in page.text
        assert ada.application.test_client().post("/profile", headers={name: seen}).status_code in (302, 401)


def test_a_refusal_is_logged_without_what_it_was_refused_for(app: Flask, ada: FlaskClient, tmp_path: Path) -> None:
    secrets = {
        name: f"{name}-Kennwort-{'x' * 20}" for name in ("password", "bearer", "cookie", "csrf", "query", "field")
    }
    stranger = app.test_client()
    stranger.set_cookie(COOKIE, secrets["cookie"])
    form = {"csrf_token": secrets["csrf"], "username": "Ada", "password": secrets["password"]}
    query = f"?token={secrets['query']}&q={secrets['query']}"
    refused = [
        stranger.get(f"/api/assistants{query}", headers={"Authorization": f"Bearer aat_{secrets['bearer']}"}),
        stranger.post(f"/sign-in{query}", data=form),
        stranger.post("/sign-in", data=form | {"csrf_token": csrf_token(stranger.get("/sign-in"))}),
        ada.post(f"/profile/password{query}", data={"current": secrets["field"], "password": secrets["password"]}),
        ada.post("/preferences", data=form, headers={"X-CSRFToken": secrets["csrf"], "Origin": "https://evil.example"}),
        ada.get(f"/assistants{query}", headers={"Host": "evil.example", "Cookie": secrets["cookie"]}),
    ]
    assert [answer.status_code for answer in refused] == [401, 403, 422, 403, 403, 400]
    log = (tmp_path / "logs" / "assistant-admin.log").read_text()
    assert all(f" {answer.status_code} " in log for answer in refused)
    assert [name for name, secret in secrets.items() if secret in log] == []


def test_the_token_of_one_session_is_worth_nothing_in_another(app: Flask, ada: FlaskClient) -> None:
    other = csrf_token(app.test_client().get("/sign-in"))
    assert ada.post("/sign-out", data={"csrf_token": other}).status_code == 403


def test_a_dialog_over_an_old_page_may_send_the_old_token_in_the_header(app: Flask) -> None:
    add_person(app, "Ada")
    browser = app.test_client()
    token = csrf_token(browser.get("/sign-in"))
    answer = browser.post(
        "/sign-in",
        data={"csrf_token": token, "username": "Ada", "password": PASSWORD},
        headers={"X-CSRFToken": "of the ended session", "HX-Request": "true", "HX-Request-Type": "partial"},
    )
    assert answer.status_code == 204
    new = re.search(r'"csrf": "([^"]+)"', answer.headers["HX-Trigger"])
    assert new
    assert browser.post("/sign-out", headers={"X-CSRFToken": new[1]}).status_code == 303


def test_a_call_without_the_csrf_token_of_its_session_hears_that_it_is_the_token(ada: FlaskClient) -> None:
    for headers in ({}, {"X-CSRFToken": csrf_token(ada.application.test_client().get("/sign-in"))}):
        answer = ada.post("/api/assistants", json={"title": "x"}, headers=headers)
        assert answer.status_code == 403
        assert answer.json["error"]["code"] == "FORBIDDEN"
        assert "CSRF token is missing or belongs to another session" in answer.json["error"]["message"]
        assert "X-CSRFToken" in answer.json["error"]["message"]


def test_a_bearer_token_opens_the_api_alone_and_needs_no_csrf_token(app: Flask) -> None:
    add_person(app, "Ada")
    bearer = {"Authorization": f"Bearer {add_token(app)}"}
    client = app.test_client()
    assert client.get("/api/no-such-call", headers=bearer).status_code == 404
    assert client.post("/api/no-such-call", headers=bearer).status_code in (404, 405)
    assert client.get("/settings/tokens", headers=bearer).status_code == 302
    assert "Set-Cookie" not in client.get("/api/no-such-call", headers=bearer).headers


@pytest.mark.parametrize("sent", ["Bearer wrong", "Bearer ", "Bearer aat_" + "x" * 100_000, "Basic YTpi"])
def test_a_wrong_token_is_refused(app: Flask, sent: str) -> None:
    add_person(app, "Ada")
    answer = app.test_client().get("/api/assistants", headers={"Authorization": sent})
    assert answer.status_code == 401
    assert answer.json["error"]["code"] == "UNAUTHORIZED"


def test_a_wrong_bearer_token_does_not_fall_back_to_the_session(ada: FlaskClient) -> None:
    assert ada.get("/api/no-such-call", headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example", "\\/evil.example", "evil",
        "javascript:alert(1)", "/a\nb", "", None, "http:evil.example", " /x", "/\x7f/evil.example",
    ],
)  # fmt: skip
def test_next_leads_nowhere_else(app: Flask, target: str | None) -> None:
    assert security.safe_next(target) == "/"
    add_person(app, "Ada")
    if target:
        assert sign_in(app.test_client(), "Ada", next=target).headers["Location"] == "/"


def test_next_leads_back_to_the_page_with_its_query(app: Flask) -> None:
    add_person(app, "Ada")
    browser = app.test_client()
    location = browser.get("/settings/tokens?q=a%26b&page=2").headers["Location"]
    assert location == "/sign-in?next=/settings/tokens?q%3Da%2526b%26page%3D2"
    assert sign_in(browser, "Ada", path=location).headers["Location"] == "/settings/tokens?q=a%26b&page=2"
    assert browser.get(location).headers["Location"] == "/settings/tokens?q=a%26b&page=2"


def test_a_fragment_of_an_ended_session_gets_the_sign_in_form(app: Flask) -> None:
    add_person(app, "Ada")
    answer = app.test_client().get("/settings/tokens", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert answer.status_code == 401
    assert "<html" not in answer.text
    assert 'name="password"' in answer.text


def test_the_secret_key_is_private_and_the_same_after_a_restart(app: Flask, folder, make_config) -> None:
    file = folder / "secret-key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text().strip()) == 64
    assert file.read_text().strip() == app.secret_key


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/api/no-such-call").status_code == 404


def test_session_that_cannot_be_kept_is_told_in_a_page_that_does_not_try_again(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        refuse = "CREATE TRIGGER refuse BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'full'); END"
        runtime.current().change(lambda connection: connection.execute(refuse))
    add_person(app, "Ada")
    answer = app.test_client().get("/sign-in")
    assert answer.status_code == 503
    assert "The file for sessions and running tasks cannot be used." in answer.text
    assert "finalizing failed" not in caplog.text
