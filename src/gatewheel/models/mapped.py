"""A file mapped into memory, which gives back the memory of what was read of it: a tuning would hold it to its end."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np


class MappedFile:
    """`bytes` is the file (n,), nothing of it copied."""

    def __init__(self, path: Path) -> None:
        """Raises OSError for a file that cannot be read, ValueError for an empty one."""
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.bytes = np.frombuffer(self._map, np.uint8)

    def forget(self) -> None:
        """Give back the pages that were touched; the next look reads them again, mostly from the system's cache."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
