"""Giving memory back to the system as soon as it is free."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# glibc, <malloc.h>.
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1024 * 1024


def give_back_large_blocks() -> None:
    """Let each large block be a mapping of its own, which goes when it is freed. Does nothing where there is no glibc.

    By itself glibc raises the size from which blocks are so when the first large one is freed; later ones then lie in
    the heap, between small ones that keep it from shrinking: after one record of 9 MiB the process stayed 80 MB larger.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
