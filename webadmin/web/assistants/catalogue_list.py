"""The list: search, tabs, filters, sort orders, pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flask import abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webadmin import catalogue, clock
from webadmin.db import db, translated_errors
from webadmin.errors import Invalid, Message
from webadmin.security import current_actor
from webadmin.web import imports
from webadmin.web.assistants.blueprint import bp, reading, way_back
from webadmin.web.htmx import page, wants_fragment
from webadmin.web.listing import PAGE_SIZES, Listing, excerpt

_FACETS: dict[str, Callable[[Session], list[tuple[str, int]]]] = {
    "tag": catalogue.tags,
    "author": catalogue.authors,
}


@bp.get("/assistants", endpoint="list")
def show_list() -> ResponseReturnValue:
    """The assistants that match, with their number in each status under the same filters."""
    listing, seen_at = Listing.from_args(request.args), clock.now_text()
    problem: Message | None = None
    with translated_errors():
        session = db.session()
        try:
            found = catalogue.find(session, listing.query)
        except Invalid as error:
            problem = error.message
            listing = replace(listing, query=replace(listing.query, cursor=None))
            found = catalogue.find(session, listing.query)
        counts = catalogue.counts(session, listing.query)
    response = page(
        "assistants/list.html",
        "assistants/_list_parts.html",
        status=400 if problem else 200,
        listing=listing,
        found=found,
        counts=counts,
        seen_at=seen_at,
        problem=problem,
        statuses=catalogue.STATUSES,
        sorts=[*catalogue.Sort],
        page_sizes=PAGE_SIZES,
        excerpt=excerpt,
        changed_by=imports.name_of(listing.query.written) if listing.query.written else None,
    )
    if wants_fragment():
        response.headers["HX-Push-Url"] = listing.href(cursor=listing.query.cursor)
    return response


@bp.get("/assistants/filter/<name>")
def facet(name: str) -> ResponseReturnValue:
    """The values that a filter can take, each a link to the list with it; read when somebody asks for them."""
    if name not in _FACETS:
        abort(404)
    listing = Listing.from_args(request.args)
    with translated_errors():
        values = _FACETS[name](db.session())
    return page("assistants/facet.html", "assistants/_facet.html", listing=listing, name=name, values=values)


@bp.get("/assistants/actions/<path:key>")
def actions(key: str) -> ResponseReturnValue:
    """What can be done with one assistant; the menu of its row asks for it when it is opened."""
    with translated_errors():
        record = catalogue.get(reading(), catalogue.decode_id(key))
    return page(
        "assistants/actions.html",
        "assistants/_actions.html",
        record=record,
        may_change=catalogue.may_change(current_actor(), record),
        back=way_back(),
    )
