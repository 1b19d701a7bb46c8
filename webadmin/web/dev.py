"""`/dev/ui`: each component once in each of its variants. Only in debug mode; elsewhere the address does not exist."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint
from flask.typing import ResponseReturnValue

from webadmin import clock
from webadmin.web.differences import beside, lines, words
from webadmin.web.forms import TokenForm
from webadmin.web.htmx import page

_BEFORE = "You review code changes.\nQuote the line.\nBe kind.\n"
_AFTER = "You review code changes.\nQuote the whole line.\nBe kind.\nAsk when in doubt.\n"

bp = Blueprint("dev", __name__, url_prefix="/dev")


@bp.get("/ui")
def ui() -> ResponseReturnValue:
    """The page that shows the components; made-up contents, nothing of the catalogue."""
    now = clock.now()
    ages = [
        timedelta(minutes=3),
        timedelta(hours=7),
        timedelta(days=1, hours=2),
        timedelta(days=30),
        timedelta(days=400),
    ]
    return page(
        "dev/ui.html",
        moments=[now - age for age in ages],
        lines=lines(_BEFORE, _AFTER),
        columns=beside(lines(_BEFORE, _AFTER)),
        parts=words(_BEFORE.splitlines()[1], _AFTER.splitlines()[1]),
        form=TokenForm(formdata=None),
    )
