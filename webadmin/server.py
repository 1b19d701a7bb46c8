"""The production server: waitress, with request bodies bounded before anything is read of them.

Waitress reads bodies in its main loop, so clients that trickle hold no thread. Two things are added to it:

- A body over `MAX_UPLOAD_SIZE` is not stored. The request goes to the application at once, with an empty body and
  `BODY_DISCARDED` in its environment, so that the answer is the application's own 413, in words. (Waitress' own limit
  answers in plain text, and counts a body of exactly the limit as too large.)
- A connection that the server ends is closed in two steps: the answer and the end of sending first, then what the
  client still sends is read and thrown away. Closing a socket with unread data resets the connection, and the client
  loses the answer that it has not read yet.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher, WSGITask
from waitress.utilities import BadRequest

from webadmin import observability
from webadmin.config import Config
from webadmin.http_errors import BODY_DISCARDED, NOT_STORED, TOO_LARGE

_THREADS = 24
_CONNECTIONS = 500
# Each connection may hold a file beside its socket: a body on its way in, an export on its way out.
_OPEN_FILES = 4096
# A body stays in memory up to this size, then goes to a file: 500 trickling clients are 32 MB, not 250.
_BODY_IN_MEMORY = 64 * 1024
_LINGER_SECONDS = 600
_LINGER_IDLE_SECONDS = 15


class ListenError(Exception):
    """The address cannot be listened on; `hint` names the remedy."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


class BoundedParser(HTTPRequestParser):
    """Reads a request; decides by its declared length (of a chunked one: by what came) whether to store the body."""

    max_body_bytes = sys.maxsize
    discarded: str | None = None
    completed: bool = False
    body_rcv: Any = None

    def received(self, data: bytes) -> int:
        """Take in `data`; returns how much of it belongs to this request."""
        try:
            consumed: int = super().received(data)
        except ValueError:
            # Python refuses to read a number of thousands of digits, and waitress hands that on.
            self.error = BadRequest("Content-Length is invalid")
            self.completed = True
            return len(data)
        except OSError:
            # The file that holds a larger body could not be written: the disk is full.
            return self._discard(NOT_STORED, data)
        if self.headers_finished and not self.error and self._body_bytes() > self.max_body_bytes:
            return self._discard(TOO_LARGE, data)
        if self.completed:
            # Waitress would send «100 Continue» for a request without a body, and then wait for one.
            self.expect_continue = False
        return consumed

    def _body_bytes(self) -> int:
        return len(self.body_rcv) if self.chunked and self.body_rcv else self.content_length

    def _discard(self, reason: str, data: bytes) -> int:
        self.headers["CONTENT_LENGTH"] = str(self._body_bytes())
        # What follows is the rest of the body and must never be read as a next request.
        self.headers["CONNECTION"] = "close"
        with contextlib.suppress(OSError):
            self.close()
        self.body_rcv = None
        self.expect_continue = False
        self.discarded = reason
        self.completed = True
        return len(data)


class Task(WSGITask):
    """Calls the application, and tells it when the body was not stored."""

    def get_environment(self) -> dict[str, Any]:
        """The WSGI environment."""
        environ: dict[str, Any] = super().get_environment()
        if self.request.discarded:
            environ[BODY_DISCARDED] = self.request.discarded
        return environ


class Channel(HTTPChannel):
    """One connection. When the server ends it, it lingers until the client has ended it too, or time is up."""

    task_class = Task
    parser_class = BoundedParser
    _linger_until: float | None = None
    _heard_from = 0.0

    def readable(self) -> bool:
        """Whether the main loop should wait for data from the client."""
        return self._linger_until is not None or bool(super().readable())

    def writable(self) -> bool:
        """Whether the main loop should call `handle_write`."""
        if self._linger_until is None:
            return bool(super().writable())
        return time.monotonic() > min(self._linger_until, self._heard_from + _LINGER_IDLE_SECONDS)

    def handle_read(self) -> None:
        """Take what the client sent; while lingering, throw it away."""
        if self._linger_until is None:
            super().handle_read()
        elif self.recv(self.adj.recv_bytes):  # At the client's end this closes the connection.
            self._heard_from = time.monotonic()

    def handle_close(self) -> None:
        """End the connection: the first time the sending half only."""
        if self._linger_until is None and self.connected and not self.requests and not self.total_outbufs_len:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self._heard_from = time.monotonic()
                self._linger_until = self._heard_from + _LINGER_SECONDS
                return
        super().handle_close()


class Server(TcpWSGIServer):
    """One listening socket."""

    channel_class = Channel


def serve(build: Callable[[], WSGIApplication], config: Config) -> None:
    """Listen, make the application, and serve it until SIGTERM or SIGINT.

    The address is taken first, so that nothing is opened or printed by a server that cannot run.

    Raises:
        ListenError: the address cannot be listened on.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    with contextlib.ExitStack() as cleanup:
        listening = listen(config.host, config.port)
        for each in listening:
            cleanup.callback(each.close)
        _raise_open_files()
        _keep_bodies_in(config.database_path.parent / ".incoming")
        application = build()
        observability.show_on_terminal()
        server = _make_server(application, listening, config)
        for line in _where_to_go(config, listening[0].getsockname()[1]):
            print(line, flush=True)
        server.run()


def listen(host: str, port: int) -> list[socket.socket]:
    """Bound sockets for every address of `host`.

    Raises:
        ListenError: one of them is in use, not allowed, or not of this machine.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListenError(
            f"HOST={host} is no address of this machine.", "set HOST to one, such as 127.0.0.1"
        ) from error
    found: list[socket.socket] = []
    for family, kind, protocol, _, address in addresses:
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind(address)
            listener.listen()
        except OSError as error:
            for each in [*found, listener]:
                each.close()
            raise _listen_error(error, host, port) from error
        found.append(listener)
    return found


def _listen_error(error: OSError, host: str, port: int) -> ListenError:
    if isinstance(error, PermissionError):
        return ListenError(f"Port {port} may only be used by root.", "choose one above 1023, as in: PORT=8001 make run")
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"Port {port} is in use by another program.",
            f"stop that one (is this program running already?), or choose another port: PORT={port + 1} make run",
        )
    return ListenError(
        f"{host}:{port} cannot be listened on: {error.strerror}.", "set HOST and PORT to what this machine has"
    )


def _make_server(application: WSGIApplication, listening: list[socket.socket], config: Config) -> Server:
    BoundedParser.max_body_bytes = config.max_upload_size
    adjustments = Adjustments(
        sockets=listening,
        threads=_THREADS,
        connection_limit=_CONNECTIONS,
        asyncore_use_poll=True,
        recv_bytes=64 * 1024,
        inbuf_overflow=_BODY_IN_MEMORY,
        max_request_body_size=sys.maxsize,
        ident=None,
        log_socket_errors=False,
    )
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(_THREADS)
    # The servers share one map of sockets, and running one runs the loop over all of them.
    sockets: dict[int, wasyncore.dispatcher] = {}
    servers = [
        Server(
            application,
            map=sockets,
            _sock=each,
            dispatcher=dispatcher,
            adj=adjustments,
            sockinfo=(each.family, each.type, each.proto, each.getsockname()),
            bind_socket=False,
        )
        for each in listening
    ]
    return servers[0]


def _keep_bodies_in(folder: Path) -> None:
    """Put uploads on their way in beside the database: /tmp may be small, or memory."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = os.fspath(folder)


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _where_to_go(config: Config, port: int) -> list[str]:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nosec B104  # Compared, not bound.
    host = everywhere.get(config.host, config.host)
    lines = [f"{config.site_name} is at http://{f'[{host}]' if ':' in host else host}:{port}/"]
    if config.host in everywhere:
        lines.append("It can be reached at every address of this machine.")
    return [*lines, "Stop it with Ctrl-C."]


def _stop(signal_number: int, _frame: FrameType | None) -> None:
    # A second signal ends the process at once.
    signal.signal(signal_number, signal.SIG_DFL)
    raise SystemExit(0)
