"""The vectors of a store's rows in one memory-mapped file that only grows. Knows nothing about finding near ones.

A folder holds `vectors-<generation>.f32` (rows of unit vectors, appended to), `ids-<n>.i64` (the id of each row,
ascending; a removed row has its id's complement) and `manifest.json`, which names the two and is replaced last. Bytes
past the rows that the manifest counts are of a writer that was killed: nobody reads them and the next writer cuts them
off. So a reader sees the old revision or the new one, whenever a writer dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewheel.kernel.ports import Vectors

    Rows = NDArray[np.int64]

    Batches = Callable[[int], Iterator[tuple[Rows, Vectors]]]

FORMAT = 1
DEAD = 0.3  # share of removed rows above which all are written anew
NONE = -1  # the revision of a folder that holds nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """One revision. `ids` int64 ascending, `removed` bool, `vectors` float32 (rows, dimensions), memory-mapped."""

    revision: int
    generation: str
    ids: Rows
    removed: Any
    vectors: Vectors


class Matrix:
    """The vectors under one folder. One writer at a time, readers never wait."""

    def __init__(self, folder: Path, *, dimensions: int) -> None:
        self.folder = folder
        self.dimensions = dimensions

    def load(self) -> Snapshot:
        """The newest whole revision; an empty one, revision -1, when there is none that can be read."""
        for _ in range(3):  # a writer may delete the files of the manifest that was just read
            try:
                return self._load(json.loads((self.folder / "manifest.json").read_bytes()))
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError, OSError):
                break
        return self._empty()

    def update(self, *, revision: int, alive: Rows, vectors: Batches) -> Snapshot:
        """Hold exactly the rows of a store: drop those that are not in `alive`, add what is new.

        `alive` is int64 ascending; `vectors(after)` gives (ids, rows) in batches, ids ascending and greater than
        `after`. An id never comes back with another vector. A batch that is newer than `alive` is welcome.
        """
        with self.alone():
            held = self.load()
            if held.revision == revision:
                return held
            keep = np.isin(held.ids, alive, assume_unique=True)
            last = int(held.ids[-1]) if len(held.ids) else 0
            unknown = np.searchsorted(alive, last, side="right") - np.count_nonzero(keep)
            if unknown or np.count_nonzero(~keep) > DEAD * len(keep):
                held, keep, last = self._empty(), np.zeros(0, bool), 0
            added = self._append(held, vectors(last))
            ids = np.concatenate([np.where(keep, held.ids, ~held.ids), added])
            self._publish(revision, held.generation, ids)
            return self.load()

    def _empty(self) -> Snapshot:
        return Snapshot(
            revision=NONE,
            generation=secrets.token_hex(4),
            ids=np.zeros(0, np.int64),
            removed=np.zeros(0, bool),
            vectors=np.zeros((0, self.dimensions), np.float32),
        )

    def _load(self, manifest: dict[str, Any]) -> Snapshot:
        empty = self._empty()
        if (manifest["format"], manifest["dimensions"]) != (FORMAT, self.dimensions):
            return empty
        signed = np.fromfile(self.folder / manifest["ids"], dtype="<i8")
        path = self.folder / f"vectors-{manifest['generation']}.f32"
        shape = (len(signed), self.dimensions)
        if len(signed) != manifest["rows"] or path.stat().st_size < 4 * shape[0] * shape[1]:
            return empty
        removed = signed < 0
        return Snapshot(
            revision=manifest["revision"],
            generation=manifest["generation"],
            ids=np.where(removed, ~signed, signed),
            removed=removed,
            vectors=np.memmap(path, dtype="<f4", mode="r", shape=shape) if all(shape) else np.zeros(shape, np.float32),
        )

    def _append(self, held: Snapshot, batches: Iterator[tuple[Rows, Vectors]]) -> Rows:
        found = [np.zeros(0, np.int64)]
        path = self.folder / f"vectors-{held.generation}.f32"
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(4 * len(held.ids) * self.dimensions)
            file.seek(0, os.SEEK_END)
            for ids, rows in batches:
                file.write(unit(rows).astype("<f4", copy=False).tobytes())
                found.append(ids)
            file.flush()
            os.fsync(file.fileno())
        return np.concatenate(found)

    def _publish(self, revision: int, generation: str, signed: Rows) -> None:
        manifest = {
            "format": FORMAT,
            "revision": revision,
            "generation": generation,
            "dimensions": self.dimensions,
            "rows": len(signed),
            "ids": f"ids-{secrets.token_hex(4)}.i64",
        }
        write_whole(self.folder / str(manifest["ids"]), signed.astype("<i8").tobytes())
        write_whole(self.folder / "manifest.json", json.dumps(manifest).encode())
        current = {manifest["ids"], f"vectors-{generation}.f32"}
        for path in (*self.folder.glob("ids-*"), *self.folder.glob("vectors-*"), *self.folder.glob("*.part")):
            if path.name not in current:
                path.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder against other writers, of this process and of others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go by the system when the process dies
            yield


def unit(rows: Vectors) -> Vectors:
    """Rows of length 1; a row of zeros stays."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), np.float32)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a kill leaves the old one or the new one."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
