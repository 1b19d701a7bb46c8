"""`/metrics`: the facts for Prometheus and what reads its format. Who may read them, `security` says."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webadmin import metrics
from webadmin.sessions import METRICS_PATH

bp = Blueprint("metrics", __name__)


@bp.get(METRICS_PATH)
def show() -> Response:
    """The metrics of now."""
    body, media_type = metrics.render(request.headers.get("Accept"))
    return Response(body, content_type=media_type)
