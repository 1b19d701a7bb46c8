"""The catalogue over HTTP: list, read, create, update, delete, move to another status (contract 5)."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, request, url_for
from werkzeug.routing import PathConverter

from webadmin import catalogue
from webadmin.api import answers, bodies, conditional
from webadmin.api.parameters import InvalidParameter, one_of, or_none, read_query, text, whole_number
from webadmin.catalogue import STATUSES, Query, Record, Sort
from webadmin.db import db, transaction, translated_errors
from webadmin.errors import N_, Message, NotFound, Problem, StaleVersion
from webadmin.security import current_actor, reads_publicly

MOST_ROWS = 100_000
_PAGE_SIZE = 20
_PARAMETERS = {
    "page": whole_number(1),
    "pageSize": whole_number(1, 100),
    "status": or_none(one_of(STATUSES)),
    "author": text,
    "search": text,
    "cursor": text,
}


class KeyConverter(PathConverter):
    """An id in an address, slashes and all, unless it could be another address: such an id has its `~` form."""

    regex = r"(?!backup/)[^/].*?(?<!/status)"

    def to_python(self, value: str) -> str:
        """The id."""
        return catalogue.decode_id(value)

    def to_url(self, value: str) -> str:
        """The part of the address."""
        return catalogue.encode_id(value)


def register(blueprint: Blueprint) -> None:
    """Put the calls under `/api`."""
    blueprint.record(lambda state: state.app.url_map.converters.update(assistant=KeyConverter))
    for rule, view, method in (
        ("/assistants", list_assistants, "GET"),
        ("/assistants", create_assistant, "POST"),
        ("/assistants/<assistant:id>", show_assistant, "GET"),
        ("/assistants/<assistant:id>", update_assistant, "PUT"),
        ("/assistants/<assistant:id>", delete_assistant, "DELETE"),
        ("/assistants/<assistant:id>/status", set_status, "PATCH"),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=[method])


def list_assistants() -> Response:
    """One page of the catalogue, the newest first, with the number of all that match."""
    sent = read_query(_PARAMETERS)
    page, page_size = _page(sent)
    query = Query(
        search=sent.get("search") or "",
        search_in=("title", "desc"),
        status=sent.get("status"),
        author=sent.get("author"),
        sort=Sort.CREATED,
        cursor=sent.get("cursor"),
        page_size=page_size,
        is_open=reads_publicly(),
    )
    with translated_errors():
        found = catalogue.list_records(db.session(), query, page=page)
    rows = b",".join(map(catalogue.encode_open if query.is_open else catalogue.encode, found.records))
    tail = {
        "total": found.total,
        "page": (found.first - 1) // page_size + 1,
        "pageSize": page_size,
        "nextCursor": found.next,
    }
    return _read(_envelope(b'{"data":[' + rows + b"]," + msgspec.json.encode(tail)[1:]))


def show_assistant(id: str) -> Response:
    """One assistant."""
    _check_call(id)
    with translated_errors():
        if reads_publicly():
            return _read(_envelope(catalogue.encode_open(catalogue.get_open(db.session(), id))))
        return _read(_body(catalogue.get(db.session(), id)))


def create_assistant() -> Response:
    """A new draft."""
    read_query({})
    wanted, fields = catalogue.read_sent(bodies.receive()).for_new()
    with catalogue.json_names(), transaction() as session:
        record = catalogue.create(session, current_actor(), fields, assistant_id=wanted)
    response = _answer(record, 201)
    response.headers["Location"] = response.headers["Content-Location"]
    return response


def update_assistant(id: str) -> Response:
    """Change the fields that were sent, by the version that they are based on."""
    _check_call(id)
    sent = catalogue.read_sent(bodies.receive())
    version = sent.version
    with catalogue.json_names(), transaction() as session:
        conditional.check_match(lambda: _body(catalogue.get(session, id)))
        try:
            record = catalogue.update(session, current_actor(), id, sent.changes, version=version)
        except (NotFound, StaleVersion):
            # What no record could hold is the first thing to say; only one that holds it already may have it back.
            sent.refuse_faults()
            raise
    return _answer(record)


def set_status(id: str) -> Response:
    """Move to another status, or change the review note."""
    _check_call(id)
    move = catalogue.read_sent(bodies.receive()).move()
    with catalogue.json_names(), transaction() as session:
        conditional.check_match(lambda: _body(catalogue.get(session, id)))
        record = catalogue.set_status(session, current_actor(), id, move.status, version=move.version, note=move.note)
    return _answer(record)


def delete_assistant(id: str) -> Response:
    """Move to the trash."""
    _check_call(id)
    with transaction() as session:
        conditional.check_match(lambda: _body(catalogue.get(session, id)))
        catalogue.remove(session, current_actor(), id)
    return answers.success({"id": id})


def _page(sent: dict[str, Any]) -> tuple[int, int]:
    """The page and its size. Raises InvalidParameter for a page beyond reach, or beside a cursor."""
    page, page_size = sent.get("page"), sent.get("pageSize", _PAGE_SIZE)
    problem = None
    if sent.get("cursor") and page is not None:
        problem = Problem(Message(N_("Send either page or cursor.")), field="cursor")
    elif (page or 1) * page_size > MOST_ROWS:
        template = N_("Pages reach %(limit)d rows; go on with cursor, which takes the nextCursor of the last answer.")
        problem = Problem(Message(template, {"limit": MOST_ROWS}), field="page")
    if problem:
        raise InvalidParameter([problem])
    return page or 1, page_size


def _check_call(id: str) -> None:
    """Raise InvalidParameter for any parameter, NotFound for an address whose replaced bytes would name another id."""
    read_query({})
    if "\ufffd" in id:
        try:
            request.environ["PATH_INFO"].encode("latin-1").decode()
        except UnicodeDecodeError:
            raise NotFound(N_("There is no assistant “%(id)s”."), id=id) from None


def _read(body: bytes) -> Response:
    """The answer to reading; what anybody may read may be kept for a minute, for those who come without a name."""
    response = conditional.answer(body)
    if reads_publicly():
        response.headers["Cache-Control"] = "public, max-age=60"
        response.vary.update(("Authorization", "Cookie"))
    return response


def _answer(record: Record, status: int = 200) -> Response:
    """What a write made of a record, as reading it would give it: so the next write can name its entity tag."""
    response = Response(_body(record), status, mimetype="application/json")
    conditional.tag(response)
    # Whose tag it is: the answer is the record, also where another address was called (RFC 9110, 8.7).
    response.headers["Content-Location"] = url_for("api.show_assistant", id=record.id)
    return response


def _body(record: Record) -> bytes:
    return _envelope(catalogue.encode(record))


def _envelope(data: bytes) -> bytes:
    return b'{"success":true,"data":' + data + b"}"
