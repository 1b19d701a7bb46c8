"""Where notifications may go, what arrives there, and how what does not arrive is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time

import pytest

from tests.notifications.conftest import SECRET, by_mail
from tests.receivers import certificate, mail_server, receiver
from webadmin import notifications
from webadmin.config import ConfigError
from webadmin.notifications import Destination, Outcome, connections


def sent(destination: Destination = Destination.WEBHOOK) -> tuple[Outcome, str]:
    entry = notifications.send_test(destination)
    return entry.outcome, str(entry.answer)


class TestWebhook:
    def test_a_signed_message_arrives(self, site, hook):
        site(WEBHOOK_URL=hook.url, SITE_NAME="Catalogue of tests")
        assert sent() == (Outcome.DELIVERED, "localhost answered with the status 200.")
        [(method, path, headers, body)] = hook.got
        said = json.loads(body)
        assert (method, path, headers["content-type"]) == ("POST", "/hook/s3cret?key=abc", "application/json")
        assert headers["host"] == f"localhost:{hook.url.split(':')[2].split('/')[0]}"
        assert said == {
            "id": headers["x-notification-id"], "event": "test", "state": None, "title": "This is a test",
            "line": "Notifications arrive here.", "site": "Catalogue of tests", "at": said["at"],
            "newestVerifiedAt": None, "backups": [],
        }  # fmt: skip
        timestamp = headers["x-notification-timestamp"]
        proof = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["x-notification-signature"] == f"sha256={proof}"
        assert abs(int(timestamp) - time.time()) < 10

    def test_the_words_are_in_the_language_of_the_site(self, site, hook):
        site(WEBHOOK_URL=hook.url, SITE_LANGUAGE="zh")
        sent()
        assert json.loads(hook.got[0][3])["title"] == "这是一次测试"

    @pytest.mark.parametrize("status", [302, 404, 500])
    def test_another_answer_than_success_is_a_failure_and_no_redirect_is_followed(self, site, hook, status):
        with receiver() as other:
            hook.statuses, hook.location = [status], other.url
            site(WEBHOOK_URL=hook.url)
            assert sent() == (Outcome.FAILED, f"localhost answered with the status {status}.")
            assert (len(hook.got), other.got) == (1, [])

    def test_the_certificate_has_to_be_right(self, site, tmp_path, monkeypatch):
        context, cert = certificate(tmp_path)
        with receiver(context) as hook:
            site(WEBHOOK_URL=hook.url)
            outcome, answer = sent()
            assert (outcome, answer[:44]) == (Outcome.FAILED, "The certificate of localhost was not accepte")
            monkeypatch.setenv("SSL_CERT_FILE", str(cert))
            assert sent()[0] is Outcome.DELIVERED

    def test_without_a_secret_nothing_is_sent(self, site, hook):
        site(WEBHOOK_URL=hook.url, WEBHOOK_SECRET="")
        assert sent() == (Outcome.FAILED, "This destination is not set up.")
        assert hook.got == []


class TestMail:
    def test_a_mail_arrives(self, site, post):
        site(**by_mail(post), SITE_NAME="Catalogue\nof tests")
        assert sent(Destination.MAIL) == (Outcome.DELIVERED, "localhost took it.")
        [mail] = post.mails
        assert (mail["From"], mail["To"]) == ("catalogue@example.org", "ada@example.org, bob@example.org")
        assert mail["Subject"] == "[Catalogue of tests] This is a test"
        assert "Newest verified backup: —" in mail.get_content()
        assert "rcpt TO:<bob@example.org>" in post.said

    def test_starttls_and_account(self, site, tmp_path, monkeypatch):
        context, cert = certificate(tmp_path)
        with mail_server(context) as post:
            post.account = ("ada", "a mail password")
            account = {"SMTP_USER": "ada", "SMTP_PASSWORD": "a mail password"}
            site(**by_mail(post, SMTP_TLS="starttls", **account))
            assert "certificate of localhost was not accepted" in sent(Destination.MAIL)[1]
            assert not any(line.upper().startswith("AUTH") for line in post.said)
            monkeypatch.setenv("SSL_CERT_FILE", str(cert))
            assert sent(Destination.MAIL) == (Outcome.DELIVERED, "localhost took it.")
            post.account = ("ada", "another one")
            assert sent(Destination.MAIL)[1] == "localhost did not accept user name and password."

    def test_tls_from_the_start(self, site, tmp_path, monkeypatch):
        context, cert = certificate(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        with mail_server(context, tls_at_once=True) as post:
            site(**by_mail(post, SMTP_TLS="tls"))
            assert sent(Destination.MAIL)[0] is Outcome.DELIVERED

    def test_a_server_without_starttls_gets_nothing_in_the_clear(self, site, post):
        site(**by_mail(post, SMTP_TLS="starttls"))
        assert sent(Destination.MAIL)[1] == "localhost offers no STARTTLS, or no way to sign in."
        assert not any(line.upper().startswith(("MAIL", "AUTH")) for line in post.said)

    def test_a_refused_recipient_is_named(self, site, post):
        post.refuses = "bob"
        site(**by_mail(post))
        assert sent(Destination.MAIL) == (Outcome.DELIVERED, "localhost took it, but not for: bob@example.org")
        post.refuses = "example.org"
        assert sent(Destination.MAIL)[0] is Outcome.FAILED


class TestAddresses:
    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "localhost", "127.1", "0x7f000001", "10.1.2.3", "192.168.0.1", "172.16.5.5", "100.64.0.1",
         "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
         "[fec0::1]", "[feff::1]", "[::10.1.2.3]", "[::127.0.0.1]",
         "[::ffff:0:10.1.2.3]", "[::ffff:0:127.0.0.1]"],
    )  # fmt: skip
    def test_this_machine_and_private_networks_need_the_setting(self, site, host):
        site(WEBHOOK_URL=f"http://{host}/x", NOTIFY_ALLOW_PRIVATE="false")
        outcome, answer = sent()
        assert outcome is Outcome.FAILED
        assert "of this machine or a private network. NOTIFY_ALLOW_PRIVATE=true allows these." in answer

    @pytest.mark.parametrize(
        "host",
        [
            "169.254.169.254",
            "[fe80::1]",
            "224.0.0.1",
            "[ff02::1]",
            "0.0.0.0",
            "240.0.0.1",
            "[::]",
            "[64:ff9b:1::808:808]",
            "[64:ff9b:1:ffff::1]",
            "[::169.254.169.254]",
            "[::ffff:0:169.254.169.254]",
        ],
    )
    def test_link_local_multicast_and_reserved_are_never_called(self, site, host):
        site(WEBHOOK_URL=f"http://{host}/x")
        outcome, answer = sent()
        assert (outcome, answer.endswith("which is never called.")) == (Outcome.FAILED, True)

    def test_mail_and_heartbeat_are_held_to_the_same(self, site, post, hook):
        site(**by_mail(post), HEARTBEAT_URL=hook.url, NOTIFY_ALLOW_PRIVATE="false")
        for destination in (Destination.MAIL, Destination.HEARTBEAT):
            assert "NOTIFY_ALLOW_PRIVATE" in sent(destination)[1]
        assert (post.said, hook.got) == ([], [])

    def test_one_private_address_among_others_is_refused(self, site, monkeypatch):
        both = [(socket.AF_INET, 1, 6, "", ("93.184.215.14", 80)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 80))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: both)
        site(WEBHOOK_URL="http://example.org/x", NOTIFY_ALLOW_PRIVATE="false")
        assert "127.0.0.1" in sent()[1]

    def test_the_name_is_looked_up_once_and_the_checked_address_called(self, site, hook, monkeypatch):
        port = int(hook.url.split(":")[2].split("/")[0])
        asked = []

        def answer(host, *_arguments, **_named):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        site(WEBHOOK_URL=f"http://hooks.example.org:{port}/x")
        assert sent()[0] is Outcome.DELIVERED
        assert (asked, hook.got[0][2]["host"]) == (["hooks.example.org"], f"hooks.example.org:{port}")

    def test_a_name_that_there_is_not(self, site):
        site(WEBHOOK_URL="https://nobody.invalid/x")
        assert sent()[1] in ("The name nobody.invalid was not found.", "nobody.invalid did not answer in time.")

    def test_nobody_there(self, site):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            site(WEBHOOK_URL=f"http://127.0.0.1:{free.getsockname()[1]}/x")
            assert sent()[1] == "127.0.0.1 does not take connections there."

    @pytest.mark.parametrize(
        "url",
        ["ftp://example.org/", "file:///etc/passwd", "http://ada:pw@example.org/", "http://", "example.org",
         "http://a b/", "http://example.org:0/", "http://example.org:99999/", "http://example.org/\r\nX: y",
         "http://[::1/", "//example.org"],
    )  # fmt: skip
    def test_what_is_no_such_address_stops_the_start_and_is_not_shown(self, make_config, url):
        with pytest.raises(ConfigError) as caught:
            make_config(WEBHOOK_URL=url)
        assert caught.value.problems == [
            "WEBHOOK_URL: accepted is an http:// or https:// address without user name and password"
        ]


def drip(connection: socket.socket) -> None:
    """An answer that never ends, a byte at a time, each long before any time-out."""
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)
    except OSError:
        connection.close()


def test_an_answer_that_never_ends_is_cut(site, monkeypatch):
    monkeypatch.setattr(connections, "TOTAL_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: drip(server.accept()[0]), daemon=True).start()
        site(WEBHOOK_URL=f"http://127.0.0.1:{server.getsockname()[1]}/x")
        begun = time.monotonic()
        assert sent()[1] == "127.0.0.1 did not answer in time."
        assert time.monotonic() - begun < 5


def test_what_is_no_http_is_told(site):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(10_000)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n" * 3)
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        site(WEBHOOK_URL=f"http://127.0.0.1:{server.getsockname()[1]}/x")
        assert sent()[1] == "127.0.0.1 does not speak HTTP as it should."


def test_log_file_and_shortened_address_hold_no_secret(site, hook, tmp_path, post):
    hook.statuses = [500]
    site(WEBHOOK_URL=hook.url, **by_mail(post), SMTP_PASSWORD="a mail password")
    sent()
    sent(Destination.MAIL)
    text = "".join(path.read_text() for path in (tmp_path / "logs").glob("*.log"))
    assert "by webhook" in text
    assert not [each for each in ("s3cret", "key=abc", SECRET, "a mail password") if each in text]
    assert notifications.shortened(hook.url) == hook.url.partition("/hook")[0] + "/…"
    assert notifications.shortened("https://[2001:db8::1]/token") == "https://[2001:db8::1]/…"
