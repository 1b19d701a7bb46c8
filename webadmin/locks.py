"""Looking at the locks that processes hold, without writing anything: also where nothing can be written."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05


@contextmanager
def unless_held(path: Path, *, wait_seconds: float = 0) -> Iterator[bool]:
    """Hold a lock of `filelock` if it gets free within some seconds; whether it did. One that was never taken is free.

    Raises OSError when the file cannot be opened.
    """
    try:
        # A lock file of filelock is never a link, and opening a pipe must not wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _is_taken(descriptor, time.monotonic() + wait_seconds)
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True
