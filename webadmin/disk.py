"""Whether a folder takes what is written: quotas, a full disk and a failing one show here, and nowhere as surely."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when there is no room: on the disk, in the quota, below the largest file it allows."""
_PROBE_BYTES = 64 * 1024


def probe(folder: Path, *, size_bytes: int = 0) -> OSError | None:
    """Write the end of an unnamed file there that is a little longer than `size_bytes`; the error, if any.

    All but the end of it is a hole, so it takes 64 kB of the disk for a moment.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.seek(size_bytes)
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except OSError as error:
        return error
    return None
