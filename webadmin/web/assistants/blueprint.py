"""The blueprint that the catalogue's views register on, and what they share."""

from __future__ import annotations

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session

from webadmin import catalogue, security
from webadmin.db import db, transaction
from webadmin.errors import Unavailable

bp = Blueprint("assistants", __name__)


@bp.app_template_global("id_part")
def encode_id(assistant_id: str) -> str:
    """The id as the last part of an address."""
    return catalogue.encode_id(assistant_id)


@bp.app_template_global("copy_id")
def copy_id() -> str:
    """The id that a copy will have: it stands in the form, so that a form sent twice makes one copy."""
    return catalogue.new_id()


def reading() -> Session:
    """A session to read with, after what other programs did has become history.

    Where nothing can be written (locked, full, damaged) the history is shown as far as it is known: reading goes on.
    """
    session = db.session()
    if catalogue.are_pending(session):
        try:
            with transaction() as writer:
                catalogue.absorb(writer)
        except Unavailable:
            session.rollback()
    return session


def way_back() -> str:
    """The list that a form leads back to, with its filters: what the form says, else what it was opened from."""
    start = url_for("assistants.list")
    target = request.values.get("back")
    if target is None:
        seen = security.seen_page()
        target = seen if seen.startswith(f"{start}?") else start
    return security.safe_next(target)
