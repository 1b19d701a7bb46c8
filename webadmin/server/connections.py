"""A connection: how its requests are read, handed to the application, and how it ends."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import WSGITask
from waitress.utilities import BadRequest

from webadmin.http_errors import BODY_DISCARDED, NOT_STORED, TOO_LARGE
from webadmin.server.framing import check_head, has_bare_line_end
from webadmin.server.refusals import Refusal

# Enough of a request to know its method and path, and of a chunk's size line or of trailers to be kept in memory.
_LONGEST_START = 8 * 1024
_LONGEST_FRAME = 64 * 1024
# RFC 3986 section 3.2.2; without the comma, by which waitress joins a header that is sent twice.
_HOST = re.compile(r"(?:[\w.~!$&'()*+;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", re.ASCII)
_LINGER_SECONDS = 600
_LINGER_IDLE_SECONDS = 15


class BoundedParser(HTTPRequestParser):
    """Reads a request; decides by its declared length (of chunks: by those so far) whether to store the body."""

    max_body_bytes = sys.maxsize
    discarded: str | None = None
    completed: bool = False
    body_rcv: Any = None
    content_length: int = 0
    headers_finished: bool = False
    header_plus: bytes = b""
    # How the request begins, whether or not waitress could make anything of it.
    start = b""

    def received(self, data: bytes) -> int:
        """Take in `data`; returns how much of it belongs to this request."""
        if len(self.start) < _LONGEST_START:
            self.start += data[:_LONGEST_START]
        try:
            consumed: int = super().received(data)
        except ValueError:
            # Python refuses to read a number of thousands of digits, and waitress hands that on.
            return self._refuse("Content-Length is invalid", data)
        except OSError:
            # The file that holds a larger body could not be written: the disk is full.
            return self._discard(NOT_STORED, data)
        if not self.headers_finished and has_bare_line_end(self.header_plus[-len(data) - 1 :]):
            return self._refuse("Bare CR or LF found in HTTP message", data)
        if self.error:
            self.expect_continue = False
            return len(data)
        if self.headers_finished and self.version == "1.1" and not _is_host(self.headers.get("HOST")):
            return self._refuse("Host is invalid", data)
        if self.chunked and self.body_rcv is not None and self._frame_bytes() > _LONGEST_FRAME:
            return self._refuse("Invalid chunk", data)
        if self.headers_finished and self._body_bytes() > self.max_body_bytes:
            return self._discard(TOO_LARGE, data)
        if self.completed:
            # Waitress would send «100 Continue» for a request without a body, and then wait for one.
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read first line and headers, once nothing in them can be understood in two ways."""
        if self.start.lstrip(b"\r\n")[:1].isspace():
            raise ParsingError("Start line is invalid")
        check_head(header_plus)
        super().parse_header(header_plus)

    def _body_bytes(self) -> int:
        if not self.chunked or self.body_rcv is None:
            return self.content_length
        # Of a chunk that is on its way, its size is known; it may be a number of thousands of digits.
        coming: int = min(self.body_rcv.chunk_remainder, self.max_body_bytes + 1)
        return len(self.body_rcv) + coming

    def _frame_bytes(self) -> int:
        """How much of a chunk's size line, or of what follows the last chunk, is kept until its end comes."""
        return len(self.body_rcv.control_line) + len(self.body_rcv.trailer)

    def _refuse(self, reason: str, data: bytes) -> int:
        self.error = BadRequest(reason)
        self.expect_continue = False
        self.completed = True
        return len(data)

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


def _is_host(host: str | None) -> bool:
    """Whether a request of HTTP/1.1 names its host as RFC 9112 section 3.2 wants it: once, and as one is written."""
    return host is not None and _HOST.fullmatch(host) is not None


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
    error_task_class = Refusal
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

    def send(self, data: bytes, do_close: bool = True) -> int:  # noqa: FBT001, FBT002  # Waitress passes it by place.
        """Send what fits; end the connection when a file has less left than was promised at its beginning.

        Somebody has cut it meanwhile. Waitress would try again for ever, and the client wait as long.
        """
        if not data:
            raise ConnectionAbortedError
        return int(super().send(data, do_close))

    def handle_close(self) -> None:
        """End the connection: the first time the sending half only."""
        if self._linger_until is None and self.connected and not self.requests and not self.total_outbufs_len:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self._heard_from = time.monotonic()
                self._linger_until = self._heard_from + _LINGER_SECONDS
                return
        super().handle_close()
