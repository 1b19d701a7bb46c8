"""Taking the address, and serving an application at it until a signal ends that."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from webadmin import observability
from webadmin.config import Config
from webadmin.server.connections import BoundedParser, Channel

_THREADS = 24
_CONNECTIONS = 500
# Each connection may hold a file beside its socket: a body on its way in, an export on its way out.
_OPEN_FILES = 4096
# A body stays in memory up to this size, then goes to a file: 500 trickling clients are 32 MB, not 250.
_BODY_IN_MEMORY = 64 * 1024
# First line and headers together; servers in front of this one take 8 to 32 KiB.
_HEAD_BYTES = 64 * 1024
# glibc gives each new thread a heap of its own, up to eight for each core, and returns none: each long task left some
# 10 MB behind, 180 MB after 25 of them on two cores. With two for all threads that is 40 MB, and no slower.
_HEAPS = 2
_M_ARENA_MAX = -8  # From glibc's malloc.h.


class ListenError(Exception):
    """The address cannot be listened on; `hint` names the remedy."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


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
        share_heaps()
        _keep_bodies_in(config.database_path.parent / ".incoming")
        application = build()
        observability.show_on_terminal()
        server = _make_server(application, listening, config)
        for line in _where_to_go(config, listening[0].getsockname()[1]):
            print(line, flush=True)
        server.run()


def share_heaps() -> None:
    """Let the threads of this process share few heaps; does nothing where the C library is not glibc."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


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
        max_request_header_size=_HEAD_BYTES,
        ident=None,
        log_socket_errors=False,
        # `webadmin.proxies` looks at them, and knows networks as well as one address.
        clear_untrusted_proxy_headers=False,
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
