"""Headers and cookies over real TLS, each held against a published rule.

The rules are those of Mozilla's HTTP Observatory (mdn/mdn-http-observatory, `src/analyzer/tests`, points of
`src/grader/charts.js`) and of Django's `check --deploy` (`django/core/checks/security`). `-s` prints the table.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from tests.people import PASSWORD, csrf_token
from tests.sites import Site

NAME = "admin.example.org"
PAGES = ("/", "/sign-in", "/assistants", "/backups", "/settings/tokens", "/api/assistants", "/no-such-page", "/healthz")
FILES = ("/static/css/app.css", "/static/js/app.js", "/static/icons.svg")


@dataclass
class Answers:
    """What a browser was sent over TLS: by path, without and with a session; and over plain HTTP."""

    nobody: dict[str, httpx.Response]
    ada: dict[str, httpx.Response]
    plain: httpx.Response

    @property
    def all(self) -> list[httpx.Response]:
        return [*self.nobody.values(), *self.ada.values()]

    @property
    def cookies(self) -> list[str]:
        """Every `Set-Cookie`."""
        steps = (step for each in self.all for step in [*each.history, each])
        return [line for step in steps for line in step.headers.get_list("set-cookie")]

    def said(self, name: str) -> set[str | None]:
        """What the answers say under a name."""
        return {each.headers.get(name) for each in self.all}

    def policy(self) -> dict[str, list[str]]:
        """The one Content-Security-Policy of all answers."""
        (text,) = self.said("content-security-policy")
        parts = [part.split() for part in text.split(";")]
        assert len(parts) == len({part[0] for part in parts})
        return {part[0]: part[1:] for part in parts}


@contextmanager
def tls_front(server: str, certificate: trustme.LeafCert) -> Iterator[int]:
    """A server with TLS before ours, as nginx would be; gives its port."""
    host, port = urlsplit(server).hostname, urlsplit(server).port

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = dict(self.headers.items()) | {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
            behind = http.client.HTTPConnection(host, port, timeout=60)
            behind.request(self.command, self.path, body, headers | {"Connection": "close"})
            answer = behind.getresponse()
            content = answer.read()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            behind.close()

        do_GET = do_POST = pass_on  # noqa: N815

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    front = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    front.socket = context.wrap_socket(front.socket, server_side=True)
    thread = threading.Thread(target=front.serve_forever, daemon=True)
    thread.start()
    yield front.server_address[1]
    front.shutdown()
    front.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    people = {"ADMIN_USERNAME": "Ada", "ADMIN_PASSWORD": PASSWORD}
    site = Site(tmp_path_factory.mktemp("tls"), {"TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": NAME, **people})
    server, authority = site.serve(), trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with tls_front(server.url, authority.issue_cert(NAME)) as port:

        def browser() -> httpx.Client:
            return httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trust, headers={"Host": NAME}, timeout=60)

        def ask(client: httpx.Client, path: str, **options: object) -> httpx.Response:
            return client.request(options.pop("method", "GET"), path, extensions={"sni_hostname": NAME}, **options)

        with browser() as nobody, browser() as ada:
            found = {path: ask(nobody, path) for path in (*PAGES, *FILES)}
            form = {"csrf_token": csrf_token(ask(ada, "/sign-in")), "username": "Ada", "password": PASSWORD}
            own = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
            signed_in = ask(ada, "/sign-in", method="POST", data=form, headers=own)
            assert signed_in.status_code == 303
            assert ask(ada, "/assistants").status_code == 200
            inside = {path: ask(ada, path) for path in (*PAGES, *FILES)} | {"POST /sign-in": signed_in}
        plain = httpx.get(f"{server.url}/sign-in", headers={"Host": NAME})
        yield Answers(found, inside, plain)
    site.close()


def max_age(answers: Answers) -> int:
    (text,) = answers.said("strict-transport-security")
    return int(re.fullmatch(r"max-age=(\d+).*", text)[1])


def has_only(sources: list[str], *allowed: str) -> bool:
    return set(sources) <= set(allowed)


def scripts(answers: Answers) -> list[str]:
    return re.findall(r"<script[^>]*\ssrc=\"([^\"]+)\"", "".join(each.text for each in answers.all))


MOZILLA: dict[str, tuple[int, Callable[[Answers], bool]]] = {
    "csp-implemented-with-no-unsafe-default-src-none": (
        10,
        lambda a: (
            a.policy()["default-src"] == ["'none'"]
            and all(has_only(a.policy()[each], "'self'", "'none'") for each in a.policy())
            and {"base-uri", "form-action", "frame-ancestors", "object-src"} <= a.policy().keys()
        ),
    ),
    "cookies-secure-with-httponly-sessions-and-samesite": (
        5,
        lambda a: (
            len(a.cookies) >= 3
            and all({"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; ")) for line in a.cookies)
            and all(line.startswith("__Host-") and "Domain" not in line for line in a.cookies)
        ),
    ),
    "cross-origin-resource-sharing-not-implemented": (0, lambda a: a.said("access-control-allow-origin") == {None}),
    "referrer-policy-private": (5, lambda a: a.said("referrer-policy") == {"same-origin"}),
    "hsts-implemented-max-age-at-least-six-months": (0, lambda a: max_age(a) >= 15_768_000),
    "sri-not-implemented-but-all-scripts-loaded-from-secure-origin": (
        0,
        lambda a: len(scripts(a)) > 0 and all(re.match(r"/[^/]", each) for each in scripts(a)),
    ),
    "x-content-type-options-nosniff": (0, lambda a: a.said("x-content-type-options") == {"nosniff"}),
    "x-frame-options-implemented-via-csp": (5, lambda a: a.policy()["frame-ancestors"] == ["'none'"]),
    "corp-implemented-with-same-origin": (10, lambda a: a.said("cross-origin-resource-policy") == {"same-origin"}),
    "coop-implemented-with-same-origin": (0, lambda a: a.said("cross-origin-opener-policy") == {"same-origin"}),
}
DJANGO: dict[str, Callable[[Answers], bool]] = {
    "W001, W006 nosniff": lambda a: a.said("x-content-type-options") == {"nosniff"},
    "W002, W019 X-Frame-Options": lambda a: a.said("x-frame-options") == {"DENY"},
    "W004 HSTS": lambda a: max_age(a) > 0,
    "W003, W016, W017 CSRF": lambda a: a.nobody["/sign-in"].text.count('name="csrf_token"') >= 1,
    "W010 to W015 session cookie": lambda a: all(
        {"Secure", "HttpOnly"} <= set(line.split("; ")) for line in a.cookies if "session" in line
    ),
    "W018 debug": lambda a: "Traceback" not in "".join(each.text for each in a.all),
    "W020 allowed hosts": lambda a: a.plain.status_code == 200,
    "W022, W023 Referrer-Policy": lambda a: a.said("referrer-policy") == {"same-origin"},
    "W024 Cross-Origin-Opener-Policy": lambda a: a.said("cross-origin-opener-policy") == {"same-origin"},
}


@pytest.mark.parametrize("rule", MOZILLA)
def test_each_rule_of_mozillas_is_met(answers: Answers, rule: str) -> None:
    points, is_met = MOZILLA[rule]
    print(f"{rule}: {points:+d}, {'met' if is_met(answers) else 'not met'}")
    assert is_met(answers)


@pytest.mark.parametrize("rule", DJANGO)
def test_each_rule_of_djangos_is_met(answers: Answers, rule: str) -> None:
    print(f"{rule}: {'met' if DJANGO[rule](answers) else 'not met'}")
    assert DJANGO[rule](answers)


def test_what_is_private_is_stored_nowhere(answers: Answers) -> None:
    for path, answer in answers.ada.items():
        is_file = path in FILES
        assert (answer.headers["cache-control"] == "no-store") is not is_file, path
        if not is_file:
            assert "Cookie" in answer.headers.get("vary", "") or path in ("/healthz", "POST /sign-in"), path
    assert {"Cookie", "Accept-Language", "HX-Request"} <= set(answers.nobody["/sign-in"].headers["vary"].split(", "))


def test_without_tls_nothing_speaks_of_it(answers: Answers) -> None:
    assert "strict-transport-security" not in answers.plain.headers
    (cookie,) = answers.plain.headers.get_list("set-cookie")
    assert cookie.startswith("aa_session=")
    assert "Secure" not in cookie


def test_nothing_names_the_software(answers: Answers) -> None:
    assert answers.said("server") | answers.said("x-powered-by") == {None}
