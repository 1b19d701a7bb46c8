"""Tags to choose from: those most used in the catalogue, beside the editor's field."""

from __future__ import annotations

import time

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue

from webadmin import catalogue
from webadmin.db import db, translated_errors
from webadmin.web import texts
from webadmin.web.assistants.blueprint import bp

_SHOWN = 5
# Counting tags reads the whole table, and a suggestion is as good a minute later.
_KEPT_SECONDS = 60
_KEY = "webadmin.tags"


@bp.get("/assistants/suggestions")
def suggestions() -> ResponseReturnValue:
    """The most used tags that the field `tags` does not hold yet."""
    typed = set(texts.split_tags(request.args.get("tags", "")))
    found = [(tag, uses) for tag, uses in _most_used() if tag.strip() and tag not in typed]
    return render_template("assistants/_suggestions.html", suggestions=found[:_SHOWN])


def _most_used() -> list[tuple[str, int]]:
    kept: tuple[float, list[tuple[str, int]]] | None = current_app.extensions.get(_KEY)
    if kept is None or kept[0] < time.monotonic():
        with translated_errors():
            found = catalogue.tags(db.session())
        kept = current_app.extensions[_KEY] = (time.monotonic() + _KEPT_SECONDS, found)
    return kept[1]
