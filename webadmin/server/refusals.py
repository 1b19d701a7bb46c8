"""The answer to what is no request that can be read: in words, in the form that its address asks for."""

from __future__ import annotations

import json
import logging
import time
from http import HTTPStatus
from urllib.parse import unquote

from waitress.task import ErrorTask
from waitress.utilities import Error

from webadmin import observability
from webadmin.errors import Message
from webadmin.headers import HEADERS
from webadmin.http_errors import error_json

# By how waitress begins what it says: our own words. In English, as every message of the API: which languages the
# client reads is not known of a request that could not be read.
_WORDS = {
    "Malformed HTTP method": "This method is not known here; methods are written in capitals.",
    "Transfer-Encoding": "This Transfer-Encoding is not known here; “chunked” is.",
    "exceeds max_header": "The address and the headers of the request are larger than 64 KiB.",
    "exceeds max_body": "The body is too large.",
    "Start line": "The first line of the request is not one of HTTP.",
    "Bare CR or LF": "A line of the headers ends with CR or LF alone; each ends with both.",
    "Malformed header": "A header of the request cannot be read.",
    "Invalid header": "A header of the request cannot be read.",
    "Folded header": "A header of the request goes on in a second line; each is one line.",
    "Both lengths": "A request has a Content-Length or a Transfer-Encoding, not both.",
    "Chunks are unknown": "HTTP/1.0 has no Transfer-Encoding.",
    "Another host": "The address of the request names another host than the header Host.",
    "Content-Length": "The Content-Length or the address of the request cannot be read.",
    "Host": "The request must name its host, once, in the header Host.",
    "Invalid chunk": "The chunks of the body cannot be told apart.",
    "Chunk not": "The chunks of the body cannot be told apart.",
}
_UNREADABLE = "This is no HTTP request that can be read."
_BROKEN = "Something broke on our side. Check the result before you repeat this."
_CODES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "PAYLOAD_TOO_LARGE",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
}
_UNKNOWN_METHOD = "Malformed HTTP method"
_log = logging.getLogger(__name__)


class Refusal(ErrorTask):
    """Answers what waitress could not read, or what broke the application."""

    def execute(self) -> None:
        """Send the answer, log it under its id, end the connection."""
        status, code, sentence = _meaning(self.request.error)
        method, path = _target(self.channel.requests[0].start)
        trace_id = observability.new_request_id()
        if path == "/api" or path.startswith("/api/"):
            error = error_json(code, Message(sentence)) | {"traceId": trace_id}
            kind, body = "application/json", json.dumps({"success": False, "error": error}).encode() + b"\n"
        else:
            kind, body = "text/plain; charset=utf-8", f"{sentence}\n".encode()
        self.status = f"{status.value} {status.phrase}"
        headers = HEADERS | {"Content-Type": kind, "Cache-Control": "no-store", "X-Request-Id": trace_id}
        self.response_headers.extend(headers.items())
        self.set_close_on_finish()
        self.content_length = len(body)
        observability.log_access(method, path, status, time.time() - self.start_time, "-")
        _log.info("refused: %s", sentence)
        self.write(b"" if method == "HEAD" else body)


def _meaning(error: Error) -> tuple[HTTPStatus, str, str]:
    """Status, code of contract 5 and sentence for an error of waitress."""
    status = HTTPStatus(error.code)
    if error.body.startswith(_UNKNOWN_METHOD):
        # 405 would have to name the methods of an address, and the names of methods differ by their case (RFC 9110).
        return HTTPStatus.NOT_IMPLEMENTED, "METHOD_NOT_ALLOWED", _WORDS[_UNKNOWN_METHOD]
    usual = _BROKEN if status is HTTPStatus.INTERNAL_SERVER_ERROR else _UNREADABLE
    sentence = next((words for begin, words in _WORDS.items() if error.body.startswith(begin)), usual)
    return status, _CODES.get(status, "VALIDATION_ERROR"), sentence


def _target(start: bytes) -> tuple[str, str]:
    """Method and path of a request, as far as its first line tells them."""
    words = start.lstrip().split(b"\n", 1)[0].decode("latin-1").split()
    method, address = (*words, "", "")[:2]
    if not address.startswith("/") and "://" in address:
        address = "/" + address.partition("://")[2].partition("/")[2]
    path = unquote(address.partition("?")[0].partition("#")[0])
    return method, "/" + path.lstrip("/")
