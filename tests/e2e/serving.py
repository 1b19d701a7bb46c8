"""An application served over HTTP from a thread of the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from flask import Flask
from waitress.server import create_server


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of `app`, until the block ends."""
    server = create_server(app, host="127.0.0.1", port=0, threads=6)

    def run() -> None:
        # Closing takes the descriptors away from the loop that may be waiting on them.
        with suppress(OSError):
            server.run()

    thread = Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(5)
