"""A server for tests: `python server_program.py FOLDER PORT MAX_UPLOAD_SIZE`, serving a small stand-in application."""

from __future__ import annotations

import hashlib
import json
import sys

from webadmin import observability
from webadmin.config import Config
from webadmin.http_errors import BODY_DISCARDED
from webadmin.server import ListenError, serve

FORM = b"""<!doctype html><title>upload</title>
<form method="post" action="/upload" enctype="multipart/form-data">
<input type="file" name="file"><button>Send</button></form>"""


def application(environ, start_response):
    """Tell what arrived; 413 in words where the body was not stored."""
    if environ["PATH_INFO"] == "/form":
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(FORM)))])
        return [FORM]
    digest, size = hashlib.sha256(), 0
    while chunk := environ["wsgi.input"].read(1 << 16):
        digest.update(chunk)
        size += len(chunk)
    discarded = environ.get(BODY_DISCARDED)
    answer = {
        "declared": environ.get("CONTENT_LENGTH"),
        "size": size,
        "sha256": digest.hexdigest(),
        "discarded": discarded,
    }
    status = {"too-large": "413 Content Too Large", "not-stored": "503 Service Unavailable"}.get(discarded, "200 OK")
    body = json.dumps(answer).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def main() -> int:
    folder, port, limit = sys.argv[1:]
    variables = {
        "DATABASE_PATH": f"{folder}/data/assistants.db",
        "LOG_DIR": f"{folder}/logs",
        "PORT": port,
        "MAX_UPLOAD_SIZE": limit,
    }
    config = Config.load(variables, env_file=None)
    observability.set_up(config)
    try:
        serve(lambda: application, config)
    except ListenError as error:
        print(f"Error: {error}\nTry: {error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
