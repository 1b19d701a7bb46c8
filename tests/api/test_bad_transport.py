"""Requests that are damaged on the wire, over real sockets: an answer in words, the server lives, nothing changed."""

from __future__ import annotations

import gzip
import json
import re
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.sites import Site

BASE = "/api/assistants"
NEW = {"title": "T", "desc": "d", "emoji": "🤖", "prompt": "p", "id": "ast_1"}
BODY = json.dumps(NEW | {"id": "ast_2"}).encode()
MEBIBYTE = 1 << 20


class Wire:
    """A server, and a token for it."""

    def __init__(self, site: Site) -> None:
        server = site.serve()
        self.host, self.port = urlsplit(server.url).hostname, urlsplit(server.url).port
        self.token = site.token()

    def head(self, method: str = "POST", path: str = BASE, *lines: str) -> bytes:
        told = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Authorization: Bearer {self.token}"]
        return "\r\n".join([*told, "Content-Type: application/json", *lines, "", ""]).encode("latin-1")

    def send(self, *parts: bytes, ends: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Send raw bytes, then nothing more; status, headers and body of the first answer."""
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            with suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
            received = b""
            while part := connection.recv(1 << 16):
                received += part
                if not ends and re.search(rb"\r\n\r\n.", received, re.DOTALL):
                    break
        head, _, body = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        return int(lines[0].split()[1]), headers, body[: int(headers["content-length"])]

    def ids(self) -> list[str]:
        status, _, body = self.send(self.head("GET", BASE, "Connection: close"))
        assert status == 200, body
        return sorted(each["id"] for each in json.loads(body)["data"]["data"])


@pytest.fixture(scope="module")
def wire(tmp_path_factory) -> Any:
    site = Site(tmp_path_factory.mktemp("wire"), {"RATE_LIMIT_MAX_REQUESTS": "0"})
    made = Wire(site)
    content = json.dumps(NEW).encode()
    assert made.send(made.head("POST", BASE, f"Content-Length: {len(content)}", "Connection: close"), content)[0] == 201
    yield made
    site.close()


def refused(answer: tuple[int, dict[str, str], bytes], *statuses: int) -> dict[str, Any]:
    status, headers, body = answer
    assert status in statuses, (status, body[:500])
    assert headers["content-type"] == "application/json"
    error: dict[str, Any] = json.loads(body)["error"]
    assert error["message"].strip()
    assert error["traceId"]
    return error


class TestLength:
    @pytest.mark.parametrize("length", ["-1", "x", "1e3", "+5", "0x10", "", " ", "9" * 5000, "1, 2", "٣"])
    def test_length_that_is_no_number_is_refused(self, wire, length):
        raw = wire.head().replace(b"\r\n\r\n", f"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode())
        refused(wire.send(raw + BODY), 400, 413)
        assert wire.ids() == ["ast_1"]

    def test_two_lengths_are_refused(self, wire):
        lines = (f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY) + 5}", "Connection: close")
        refused(wire.send(wire.head("POST", BASE, *lines) + BODY), 400)
        assert wire.ids() == ["ast_1"]

    def test_length_and_chunks_together_do_not_smuggle_a_second_call(self, wire):
        second = wire.head("DELETE", f"{BASE}/ast_1", "Connection: close")
        lines = (f"Content-Length: {5 + len(second)}", "Transfer-Encoding: chunked", "Connection: close")
        status, _, _ = wire.send(wire.head("POST", BASE, *lines) + b"0\r\n\r\n" + second)
        assert status == 400
        assert wire.ids() == ["ast_1"]

    def test_body_longer_than_its_length_is_judged_by_its_length(self, wire):
        lines = (f"Content-Length: {len(BODY) - 5}", "Connection: close")
        refused(wire.send(wire.head("POST", BASE, *lines) + BODY), 400)
        assert wire.ids() == ["ast_1"]

    def test_body_shorter_than_its_length_is_never_applied(self, wire):
        with socket.create_connection((wire.host, wire.port), timeout=30) as connection:
            connection.sendall(wire.head("POST", BASE, f"Content-Length: {len(BODY) + 10}") + BODY)
        assert wire.ids() == ["ast_1"]

    @pytest.mark.parametrize("chunks", [b"zz\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloworld\r\n0\r\n\r\n"])
    def test_broken_chunks_are_refused(self, wire, chunks):
        raw = wire.head("POST", BASE, "Transfer-Encoding: chunked", "Connection: close")
        refused(wire.send(raw + chunks), 400, 413)
        assert wire.ids() == ["ast_1"]

    def test_chunks_that_stop_are_never_applied(self, wire):
        raw = wire.head("POST", BASE, "Transfer-Encoding: chunked")
        with socket.create_connection((wire.host, wire.port), timeout=30) as connection:
            connection.sendall(raw + f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n")
        assert wire.ids() == ["ast_1"]

    def test_unknown_transfer_encoding_is_refused(self, wire):
        raw = wire.head("POST", BASE, "Transfer-Encoding: gzip, chunked", "Connection: close")
        status, _, _ = wire.send(raw + b"0\r\n\r\n")
        assert status in (400, 415, 501)

    def test_body_over_the_limit_is_answered_while_it_is_sent(self, wire):
        size = 16 * MEBIBYTE + 1
        lines = (f"Content-Length: {size}", "Connection: close")
        answer = wire.send(wire.head("POST", BASE, *lines), *[bytes(MEBIBYTE)] * 16, b" ")
        assert refused(answer, 413)["code"] == "PAYLOAD_TOO_LARGE"

    def test_body_at_the_limit_is_read(self, wire):
        body = BODY.replace(b'"id"', b'"version": 1, "id"')
        lines = (f"Content-Length: {16 * MEBIBYTE}", "Connection: close")
        answer = wire.send(wire.head("POST", BASE, *lines), body, b" " * (16 * MEBIBYTE - len(body)))
        assert refused(answer, 400)["details"][0]["field"] == "version"

    def test_right_chunks_and_continue_are_taken(self, wire):
        packed = gzip.compress(json.dumps(NEW | {"id": "ast_3"}).encode())
        lines = ("Transfer-Encoding: chunked", "Content-Encoding: gzip", "Expect: 100-continue", "Connection: close")
        chunks = b"".join(b"1\r\n" + packed[i : i + 1] + b"\r\n" for i in range(len(packed))) + b"0\r\n\r\n"
        status, _, body = wire.send(wire.head("POST", BASE, *lines), chunks)
        assert status == 201, body
        assert wire.send(wire.head("DELETE", f"{BASE}/ast_3", "Connection: close"))[0] == 200


class TestHead:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/assistants/\xff",
            "/api/assistants/%",
            "/api/assistants/%zz",
            "/api/assistants/%00",
            "/api/assistants/../assistants/none",
            "/api/assistants/%2e%2e/assistants/none",
            "/api/assistants/none#part",
            "/api/assistants/a b",
            "//api/assistants/none",
            "/api/assistants/" + "x" * 60_000,
        ],
    )
    def test_odd_request_target_is_answered_in_words(self, wire, path):
        status, headers, body = wire.send(wire.head("GET", path, "Connection: close"))
        assert status in (400, 404), (status, body[:500])
        if path.startswith("/api/"):
            assert json.loads(body)["success"] is False
            assert headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        "raw",
        [
            b"GET /api/assistants\r\n\r\n",
            b"GET /api/assistants HTTP/9.9\r\n\r\n",
            b"GET /api/assistants HTTP/1.1 more\r\nHost: x\r\n\r\n",
            b"GE T /api/assistants HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /api/assistants HTTP/1.1\r\nHost x\r\n\r\n",
            b"GET /api/assistants HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
            b"GET /api/assistants HTTP/1.1\r\nHost: x\r\n Folded: y\r\n\r\n",
            b"GET /api/assistants HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 400_000 + b"\r\n\r\n",
            b"GET /api/assistants HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"{}\r\n\r\n",
        ],
    )
    def test_what_is_no_request_is_refused_and_the_server_lives(self, wire, raw):
        status, _, body = wire.send(raw, ends=False)
        assert 400 <= status < 600
        assert status != 500, body
        assert wire.ids() == ["ast_1"]

    def test_thousand_headers_are_no_trouble(self, wire):
        lines = [f"X-{n}: {n}" for n in range(1000)]
        status, _, _ = wire.send(wire.head("GET", BASE, *lines, "Connection: close"))
        assert status in (200, 400, 431)
