"""A program of its own, `copying.py SOURCE TARGET`: copies a file, with zeros for what the disk does not read.

Not a function: closing a file drops the locks that SQLite holds on it for the whole process (fcntl(2)), so a server
must not open its own database beside SQLite. Ends with the number of the system's error, 0 for none.
"""

import errno
import os
import sys

_BLOCK = 1024 * 1024
_PAGE = 4096


def _read(file: int, offset: int, size: int) -> bytes:
    """So many bytes; of a piece that cannot be read the pages that can."""
    try:
        return os.pread(file, size, offset)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    if size <= _PAGE:
        return bytes(size)
    return b"".join(_read(file, at, min(_PAGE, offset + size - at)) for at in range(offset, offset + size, _PAGE))


def _copy(source: str, target: str) -> None:
    reading = os.open(source, os.O_RDONLY)
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    size = os.fstat(reading).st_size
    for offset in range(0, size, _BLOCK):
        piece = memoryview(_read(reading, offset, min(_BLOCK, size - offset)))
        while piece:
            piece = piece[os.write(writing, piece) :]


if __name__ == "__main__":
    try:
        _copy(*sys.argv[1:])
    except OSError as failure:
        sys.exit(failure.errno)
