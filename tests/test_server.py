"""The production server over real sockets, with a small application behind it (server_program.py)."""

from __future__ import annotations

import contextlib
import http.client
import json
import platform
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from webadmin.config import PROJECT
from webadmin.server import ListenError, listen

PROGRAM = Path(__file__).with_name("server_program.py")
LIMIT = 1 << 20
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int
    folder: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def peak_kilobytes(self) -> int:
        return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])


@contextlib.contextmanager
def run_server(folder: Path, *, limit: int = LIMIT, port: int = 0, **options) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, PROGRAM, folder, str(port), str(limit)],
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        line = process.stdout.readline()
        yield Running(process, int(re.search(r":(\d+)/", line)[1]), folder)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with run_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def read_answer(connection: socket.socket) -> tuple[int, dict, bytes]:
    """Status, JSON body and what follows it; the connection must be ended by the server without a reset."""
    received = b""
    while chunk := connection.recv(1 << 16):
        received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    return int(head.split()[1]), json.loads(rest[:length]), rest[length:]


def post(connection: socket.socket, length: int, *headers: str) -> None:
    lines = ["POST /up HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())


def test_length_of_thousands_of_digits_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def refused(server, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the one answer, after which the server ends the connection."""
    with server.connect() as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(1 << 16):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    assert int(headers["content-length"]) == len(body)
    assert headers["connection"] == "close"
    assert not {"server", "via"} & set(headers)
    assert b"waitress" not in received
    return int(lines[0].split()[1]), headers, body


CHUNKED = b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
UNREADABLE = {
    "no host": (b"GET {} HTTP/1.1\r\n\r\n", 400, "VALIDATION_ERROR", "host"),
    "two hosts": (b"GET {} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "VALIDATION_ERROR", "host"),
    "host that is none": (b"GET {} HTTP/1.1\r\nHost: <a b>\r\n\r\n", 400, "VALIDATION_ERROR", "host"),
    "header without a colon": (b"GET {} HTTP/1.1\r\nHost x\r\n\r\n", 400, "VALIDATION_ERROR", "header"),
    "NUL in a header": (b"GET {} HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400, "VALIDATION_ERROR", "header"),
    "folded first header": (b"GET {} HTTP/1.1\r\n X: y\r\n\r\n", 400, "VALIDATION_ERROR", "header"),
    "bare LF": (b"GET {} HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400, "VALIDATION_ERROR", "CR or LF"),
    "no version after more words": (b"GET {} HTTP/1.1 more\r\nHost: x\r\n\r\n", 400, "VALIDATION_ERROR", "first line"),
    "length that is no number": (
        b"POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "Content-Length",
    ),
    "length of thousands of digits": (
        b"POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "Content-Length",
    ),
    "length beyond 64 bits": (
        b"POST {} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999999999999999999\r\n\r\n",
        413,
        "PAYLOAD_TOO_LARGE",
        "too large",
    ),
    "headers without end": (
        b"GET {} HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000,
        431,
        "PAYLOAD_TOO_LARGE",
        "headers",
    ),
    "header in two lines": (
        b"GET {} HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "second line",
    ),
    "space before the colon": (b"GET {} HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n", 400, "VALIDATION_ERROR", "header"),
    "bare LF throughout": (b"GET {} HTTP/1.1\nHost: x\n\n", 400, "VALIDATION_ERROR", "CR or LF"),
    "no version": (b"GET {}\r\n\r\n", 400, "VALIDATION_ERROR", "first line"),
    "version 2": (b"GET {} HTTP/2.0\r\nHost: x\r\n\r\n", 400, "VALIDATION_ERROR", "first line"),
    "space after the version": (b"GET {} HTTP/1.1 \r\nHost: x\r\n\r\n", 400, "VALIDATION_ERROR", "first line"),
    "space before the method": (b" GET {} HTTP/1.1\r\nHost: x\r\n\r\n", 400, "VALIDATION_ERROR", "first line"),
    "control character in the address": (
        b"GET {}?\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "first line",
    ),
    "length and chunks": (
        b"POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "not both",
    ),
    "two lengths alike": (
        b"POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "Content-Length",
    ),
    "chunks twice": (
        b"POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
        "VALIDATION_ERROR",
        "Transfer-Encoding",
    ),
    "chunks of HTTP/1.0": (
        b"POST {} HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "HTTP/1.0",
    ),
    "line end in what follows a chunk's size": (
        b"POST {}" + CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n",
        400,
        "VALIDATION_ERROR",
        "chunk",
    ),
    "unknown transfer encoding": (
        b"POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: br\r\n\r\n",
        501,
        "VALIDATION_ERROR",
        "Transfer-Encoding",
    ),
    "method in small letters": (b"get {} HTTP/1.1\r\nHost: x\r\n\r\n", 501, "METHOD_NOT_ALLOWED", "method"),
    "chunk of no size": (b"POST {}" + CHUNKED + b"zz\r\n", 400, "VALIDATION_ERROR", "chunk"),
    "chunk longer than its size": (b"POST {}" + CHUNKED + b"1\r\nabc\r\n0\r\n\r\n", 400, "VALIDATION_ERROR", "chunk"),
    "chunk size without end": (b"POST {}" + CHUNKED + b"0" * 200_000, 400, "VALIDATION_ERROR", "chunk"),
    "trailers without end": (
        b"POST {}" + CHUNKED + b"0\r\nX: " + b"x" * 200_000,
        400,
        "VALIDATION_ERROR",
        "chunk",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_request_is_refused_in_the_form_of_its_address(server, name):
    """A second request after it is never answered: what comes after a refusal is of nobody knows whom."""
    request, status, code, word = UNREADABLE[name]
    request += b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n" if request.endswith(b"\r\n\r\n") else b""
    for address in (b"/api/assistants?x=1", b"http://x/api", b"//api/%61ssistants"):
        found, headers, body = refused(server, request.replace(b"{}", address))
        assert (found, headers["content-type"]) == (status, "application/json"), body
        error = json.loads(body)["error"]
        assert error["code"] == code
        assert word in error["message"]
        assert error["traceId"] == headers["x-request-id"]
        log = (server.folder / "logs" / "assistant-admin.log").read_text()
        assert re.search(rf"{error['traceId']} webadmin.access: \w+ /api\S* {status} ", log)
    found, headers, body = refused(server, request.replace(b"{}", b"/apiary"))
    assert (found, headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert word in body.decode()
    assert len(body.splitlines()) == 1


@pytest.mark.parametrize(
    "junk", [b"{}\r\n\r\n", b"\x16\x03\x01\x02\0\r\n\r\n", b"GET http://[x/ HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_what_is_no_http_at_all_is_answered_in_a_sentence(server, junk):
    status, headers, body = refused(server, junk)
    assert (status, headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert body.decode().endswith(".\n")


@pytest.mark.parametrize("target", ["http://evil.example/", "http://x@evil.example/", "http://x:x@x/", "x:80", "up"])
def test_address_that_names_another_host_is_refused(server, target):
    status, _, body = refused(server, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, body.count(b"\n")) == (400, 1)
    with server.connect() as connection:
        connection.sendall(b"GET HTTP://X/up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize(
    "host", ["", "x", "a.example:8000", "127.0.0.1:8000", "[::1]:8000", "my_host", "xn--bcher-kva.example"]
)
def test_every_host_that_is_written_as_one_is_taken(server, host):
    with server.connect() as connection:
        connection.sendall(f"GET /up HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert read_answer(connection)[0] == 200


def test_nothing_that_a_refused_request_held_is_answered_as_a_request(server):
    inner = b"GET /form HTTP/1.1\r\nHost: x\r\n\r\n"
    status, _, body = refused(server, b"POST /up HTTP/1.1\r\nContent-Length: 5\r\n\r\n" + inner * 10)
    assert (status, body.count(b"\n")) == (400, 1)


def test_secret_of_a_refused_header_is_not_in_the_log(server):
    refused(server, b"GET /api HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer aat_secretsecret\nX: y\r\n\r\n")
    assert "aat_secretsecret" not in (server.folder / "logs" / "assistant-admin.log").read_text()


def test_trickling_clients_do_not_hold_the_server(server):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(60)]
        for connection in slow:
            post(connection, 1000)
        waits = []
        for _ in range(10):
            for connection in slow:
                connection.sendall(b"x")
            started = time.monotonic()
            with server.connect() as quick:
                post(quick, 3, "Connection: close")
                quick.sendall(b"abc")
                assert read_answer(quick)[0] == 200
            waits.append(time.monotonic() - started)
        assert max(waits) < 1


def test_clients_that_trickle_their_headers_do_not_hold_the_server(server):
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(server.connect()).sendall(b"POST /up HTTP/1.1\r\nHost:")
        with server.connect() as quick:
            post(quick, 3, "Connection: close")
            quick.sendall(b"abc")
            assert read_answer(quick)[0] == 200


def test_body_of_exactly_the_limit_arrives_and_one_byte_more_does_not(server):
    for size, status in [(LIMIT, 200), (LIMIT + 1, 413)]:
        with server.connect() as connection:
            post(connection, size, "Connection: close")
            connection.sendall(b"x" * size)
            found, answer, _ = read_answer(connection)
            assert (found, answer["size"]) == (status, size if status == 200 else 0)


def test_too_large_body_is_answered_in_words_after_all_of_it_was_sent(server):
    size = 100 << 20
    before = server.peak_kilobytes()
    with server.connect() as connection:
        post(connection, size)
        for _ in range(size >> 20):
            connection.sendall(bytes(1 << 20))
        status, answer, rest = read_answer(connection)
    assert (status, answer["declared"], answer["discarded"], rest) == (413, str(size), "too-large", b"")
    assert server.peak_kilobytes() - before < 10_000


def test_too_large_body_is_answered_before_it_was_sent(server):
    with server.connect() as connection:
        post(connection, 10 << 30)
        assert read_answer(connection)[0] == 413


def test_rest_of_a_too_large_body_is_never_taken_for_a_request(server):
    with server.connect() as connection:
        inner = b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        post(connection, LIMIT + 1)
        connection.sendall(inner * 100)
        status, _, rest = read_answer(connection)
        assert (status, rest) == (413, b"")


def test_client_that_asks_first_is_told_not_to_send(server):
    with server.connect() as connection:
        post(connection, LIMIT + 1, "Expect: 100-continue")
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_client_that_asks_first_and_sends_all_the_same_gets_the_answer(server):
    with server.connect() as connection:
        post(connection, 20 << 20, "Expect: 100-continue")
        time.sleep(0.2)
        connection.sendall(bytes(20 << 20))
        assert read_answer(connection)[0] == 413


def test_client_that_asks_first_is_told_to_go_on(server):
    with server.connect() as connection:
        post(connection, 3, "Expect: 100-continue", "Connection: close")
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert read_answer(connection)[0] == 200


def test_request_without_a_body_that_asks_first_is_answered(server):
    with server.connect() as connection:
        post(connection, 0, "Expect: 100-continue", "Connection: close")
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize(("chunks", "status"), [(15, 200), (40, 413)])
def test_chunked_body_is_bounded_by_what_came(server, chunks, status):
    with server.connect() as connection:
        connection.sendall(b"POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for _ in range(chunks):
            connection.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        found, answer, _ = read_answer(connection)
        assert found == status
        assert answer["size"] == (chunks << 16 if status == 200 else 0)


def test_chunk_over_the_limit_is_answered_before_it_was_sent(server):
    with server.connect() as connection:
        connection.sendall(
            b"POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n"
        )
        status, answer, _ = read_answer(connection)
        assert (status, answer["discarded"]) == (413, "too-large")


def test_connection_goes_on_after_an_answer(server):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        sockets = set()
        for _ in range(2):
            connection.request("POST", "/up", b"abc")
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["size"]) == (200, 3)
            sockets.add(connection.sock)
        assert len(sockets) == 1


def test_body_that_cannot_be_stored_is_told_to_the_application(tmp_path):
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    with run_server(tmp_path, preexec_fn=small_files) as server, server.connect() as connection:
        post(connection, LIMIT)
        connection.sendall(bytes(LIMIT))
        status, answer, _ = read_answer(connection)
        assert (status, answer["discarded"]) == (503, "not-stored")


def test_bodies_on_their_way_in_leave_nothing_behind(server):
    with server.connect() as connection:
        post(connection, LIMIT)
        connection.sendall(bytes(LIMIT // 2))
        incoming = server.folder / "data" / ".incoming"
        assert incoming.stat().st_mode & 0o077 == 0
        assert list(incoming.iterdir()) == []


def test_busy_port_is_named_with_its_remedy(server):
    run = subprocess.run(
        [sys.executable, PROGRAM, server.folder, str(server.port), "1"],
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 1
    assert f"Error: Port {server.port} is in use" in run.stderr
    assert "Try: " in run.stderr
    assert run.stdout == ""


def test_address_of_another_machine_is_refused_in_words():
    with pytest.raises(ListenError, match="cannot be listened on"):
        listen("192.0.2.1", 8102)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_server_cleanly(tmp_path, stop):
    with run_server(tmp_path) as server:
        with server.connect() as connection:
            post(connection, 1000)
            server.process.send_signal(stop)
            assert server.process.wait(timeout=10) == 0
        with run_server(tmp_path, port=server.port):
            pass


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("options", [[], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"]])
def test_curl_shows_the_answer_to_a_too_large_upload(server, tmp_path, options):
    file = tmp_path / "large"
    file.write_bytes(bytes(30 << 20))
    url = f"http://127.0.0.1:{server.port}/up"
    run = subprocess.run(["curl", "-sS", *options, "-T", file, url], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["discarded"] == "too-large"


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_browser_shows_the_answer_to_a_too_large_upload(server, tmp_path):
    # In a thread of its own: Playwright keeps a loop in each, and other tests have one in this.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(send_too_much, server, tmp_path).result()


def send_too_much(server, tmp_path):
    file = tmp_path / "large"
    file.write_bytes(bytes(30 << 20))
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        ) as browser,
    ):
        page = browser.new_page()
        for send in ("document.forms[0].submit()", None):
            page.goto(f"http://127.0.0.1:{server.port}/form")
            page.set_input_files("input", file)
            if send:
                with page.expect_navigation():
                    page.evaluate(send)
                shown = page.inner_text("body")
            else:
                call = "fetch('/upload', {method: 'POST', body: new FormData(document.forms[0])}).then(r => r.text())"
                shown = page.evaluate(call)
            assert json.loads(shown)["discarded"] == "too-large"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives each thread a heap of its own")
def test_threads_share_few_heaps() -> None:
    program = """
import ctypes, tempfile, threading
from webadmin.server import share_heaps
share_heaps()
libc, gate, blocks = ctypes.CDLL(None), threading.Barrier(13), []
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
def take():
    blocks.append(libc.malloc(5000))
    gate.wait()
threads = [threading.Thread(target=take) for _ in range(12)]
for each in threads: each.start()
gate.wait()
for each in threads: each.join()
with tempfile.NamedTemporaryFile() as file:
    out = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, out)
    libc.fclose(out)
    print(file.read().count(b"<heap nr="))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 2
