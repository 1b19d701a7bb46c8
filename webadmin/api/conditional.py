"""Conditional requests (RFC 9110, section 13): entity tags of what is answered, and writes that name one."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from flask import Response, request

from webadmin.errors import N_, DomainError


class PreconditionFailed(DomainError):
    """What is to be changed is not, or no longer, what the entity tags in `If-Match` stand for."""

    code = "PRECONDITION_FAILED"

    def __init__(self) -> None:
        super().__init__(
            N_("This is no longer what the entity tag stands for. Nothing was changed."),
            hint=N_("Load it again and apply your change to it."),
        )


def answer(body: bytes) -> Response:
    """JSON text with its entity tag; 304 and no body when the client says that it has this text already."""
    tag = _tag(body)
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
        del response.headers["Content-Type"]
    else:
        response = Response(body, mimetype="application/json")
    response.set_etag(tag)
    return response


def tag(response: Response) -> None:
    """Give an answer the entity tag of its body."""
    response.set_etag(_tag(response.get_data()))


def check_match(current: Callable[[], bytes]) -> None:
    """Compare `If-Match`, where it was sent, with the body that reading would give now.

    Raises PreconditionFailed, and what `current` raises where there is nothing to compare with.
    """
    if "If-Match" in request.headers and not request.if_match.contains(_tag(current())):
        raise PreconditionFailed


def _tag(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()
