"""Calls over HTTP: webhook and heartbeat. Redirects are not followed, the body of an answer is not read."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlsplit

from webadmin.errors import N_, Message
from webadmin.notifications.connections import NotDelivered, limited


def call(url: str, *, method: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Message:
    """Call an address; returns what it answered, in words.

    Raises NotDelivered for any answer but one of 200 to 299, and for none.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    connection = HTTPSConnection(host, port) if is_tls else HTTPConnection(host, port)
    with limited(host) as line:
        try:
            connection.sock = line.open(host, port)
            if is_tls:
                connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=host)
            connection.request(
                method, _target(parts.path, parts.query), body, {"Connection": "close", **(headers or {})}
            )
            status = connection.getresponse().status
            if line.is_over:  # What was cut reads like an end.
                raise TimeoutError
        except HTTPException as error:
            if line.is_over:
                raise TimeoutError from error
            raise NotDelivered(N_("%(host)s does not speak HTTP as it should."), host=host) from error
        finally:
            connection.close()
    if not 200 <= status < 300:
        raise NotDelivered(N_("%(host)s answered with the status %(status)d."), host=host, status=status)
    return Message(N_("%(host)s answered with the status %(status)d."), {"host": host, "status": status})


def shortened(url: str) -> str:
    """The address as pages and log show it: without path and query, which are often a secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}/…"


def _target(path: str, query: str) -> str:
    safe = "%/:@!$&'()*+,;=-._~?"
    return quote(path or "/", safe=safe) + (f"?{quote(query, safe=safe)}" if query else "")
