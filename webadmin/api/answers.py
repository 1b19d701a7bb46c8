"""The envelope of contract 5 around what a call gives."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify


def success(data: Any, status: int = 200) -> Response:
    """`{"success": true, "data": …}`."""
    response = jsonify({"success": True, "data": data})
    response.status_code = status
    return response
