"""Servers that notifications are sent to: over HTTP and SMTP, on this machine, each with what it got."""

from __future__ import annotations

import base64
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Receiver:
    """A web server. `statuses` are its next answers, 200 when there are none left."""

    url: str = ""
    got: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    location: str = ""


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.got.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            if made.location:
                self.send_header("Location", made.location)
            self.end_headers()

        do_GET = do_POST  # noqa: N815  # The name is that of the library.

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    made.url = f"{'https' if tls else 'http'}://localhost:{server.server_port}/hook/s3cret?key=abc"
    with _running(server):
        yield made


@dataclass
class MailServer:
    """An SMTP server. `refuses` is a recipient that it does not take; `account` what it wants to be signed in with."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    refuses: str = ""
    account: tuple[str, str] | None = None


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None, *, tls_at_once: bool = False) -> Iterator[MailServer]:
    made = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if tls and tls_at_once:
                self._encrypt()
            self._answer("220 mail.example.org")
            while line := self.rfile.readline().decode().rstrip("\r\n"):
                made.said.append(line)
                if not self._obey(line.split(" ")[0].upper(), line):
                    return

        def _obey(self, verb: str, line: str) -> bool:
            if verb == "EHLO":
                offers = [*(["STARTTLS"] if tls else []), *(["AUTH PLAIN"] if made.account else [])]
                self._answer(*(f"250-{offer}" for offer in ["hello", *offers]), "250 8BITMIME")
            elif verb == "STARTTLS" and tls:
                self._answer("220 go on")
                self._encrypt()
            elif verb == "AUTH":
                wanted = base64.b64encode(("\0" + "\0".join(made.account or ())).encode()).decode()
                self._answer("235 welcome" if line.endswith(wanted) else "535 no such account")
            elif verb == "RCPT":
                self._answer("550 unknown" if made.refuses and made.refuses in line else "250 ok")
            elif verb == "DATA":
                self._answer("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                made.mails.append(message_from_bytes(text, policy=policy.default))
                self._answer("250 taken")
            else:
                self._answer("221 bye" if verb == "QUIT" else "250 ok")
            return verb != "QUIT"

        def _answer(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

        def _encrypt(self) -> None:
            assert tls
            self.finish()
            self.request = tls.wrap_socket(self.request, server_side=True)
            self.setup()

        def finish(self) -> None:
            super().finish()
            if isinstance(self.request, ssl.SSLSocket):
                self.request.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            pass  # A client that does not trust the certificate goes.

    server = Server(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    with _running(server):
        yield made


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for `localhost`, and the file by which clients may trust it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert
