"""The index for many vectors: an inverted file of 8-bit vectors (FAISS) that proposes, exact cosines that decide.

Needs the extra `faiss`. Below `exact_below` rows it scans like `exact`. The number of lists that a search visits is
measured at each build, on rows of the store itself, so that `recall` is reached on the user's own data.
Sources: Jégou et al. 2011 (inverted files), https://github.com/facebookresearch/faiss/wiki.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.embeddings.exact import BLOCK, alive_among, nearest
from gatewheel.kernel.errors import MissingPart

if TYPE_CHECKING:
    from gatewheel.embeddings.matrix import Batches, Rows, Snapshot
    from gatewheel.kernel.ports import Vectors

TAIL = 0.1  # share of rows newer than the file above which it is built anew; until then they are scanned
WIDER = 4  # candidates for each result: 8 bits a number misplace neighbours by a few ranks
TRIALS = 64  # rows of the store that play the question when the number of lists is chosen
SAMPLE = 64  # training vectors a list
NOISE = 0.5  # length of the noise on a trial, against 1 of the vector


class Settings(BaseModel):
    """`[index.<name>] use = "faiss"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    exact_below: int = Field(50_000, ge=0, description="Fewer rows than this are scanned exactly.")
    recall: float = Field(0.98, gt=0, le=1, description="Share of the true 10 nearest that a search must find.")


def create(settings: Settings, *, folder: Path, dimensions: int) -> FaissIndex:
    """The index under `folder`; the folder is made at the first update.

    Raises MissingPart without the extra.
    """
    try:
        import faiss  # noqa: F401
    except ImportError as error:
        raise MissingPart("the index 'faiss' is not installed", cure="pip install 'gatewheel[faiss]'") from error
    return FaissIndex(settings, folder, dimensions=dimensions)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lists:
    """A FAISS index over the first `rows` rows of a generation; a search goes through `visits` of its lists."""

    index: Any
    rows: int
    visits: int


class FaissIndex:
    """Approximate without a filter or with a wide one, exact with a narrow one. Safe to search from several threads."""

    def __init__(self, settings: Settings, folder: Path, *, dimensions: int) -> None:
        from gatewheel.embeddings.matrix import Matrix

        self._settings = settings
        self._folder = folder
        self._matrix = Matrix(folder, dimensions=dimensions)
        now = self._matrix.load()
        self._state = now, self._load(now)

    @property
    def revision(self) -> int:
        """The store's revision that this index holds; -1 for none."""
        return self._state[0].revision

    def update(self, *, revision: int, alive: Rows, vectors: Batches) -> None:
        """Follow the store: see `Matrix.update`. New lists are built when more than a tenth of the rows is new."""
        now = self._matrix.update(revision=revision, alive=alive, vectors=vectors)
        with self._matrix.alone():
            lists = self._load(now)
            rows, covered = len(now.ids), lists.rows if lists else 0
            if rows >= max(1, self._settings.exact_below) and rows - covered > TAIL * rows:
                lists = self._build(now)
                _save(lists, self._folder, now.generation)
        self._state = now, lists

    def search(self, vector: Vectors, *, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        """Row numbers with their cosine, best first, equal ones by row number; `among` restricts the rows."""
        import numpy as np

        now, lists = self._state
        rows = alive_among(now, among)
        narrow = rows is not None and len(rows) < max(WIDER * k, self._settings.exact_below)
        if lists is None or narrow:
            return nearest(now, vector, rows=rows, k=k)
        listed = rows if rows is None else rows[rows < lists.rows]
        newer = np.arange(lists.rows, len(now.ids)) if rows is None else rows[rows >= lists.rows]
        near = _propose(lists, vector, wanted=WIDER * k, allowed=listed)
        if len(near) < min(k, lists.rows if listed is None else len(listed)):
            return nearest(now, vector, rows=rows, k=k)  # the lists that were visited hold too few
        return nearest(now, vector, rows=np.concatenate([np.sort(near), newer]), k=k)

    def _load(self, now: Snapshot) -> _Lists | None:
        """The lists on disk that cover most of this generation, memory-mapped."""
        import faiss

        found = []
        for path in self._folder.glob(f"ivf-{now.generation}-*.faiss"):
            rows, visits = (int(part) for part in path.stem.split("-")[2:])
            found.append((rows, visits, path))
        for rows, visits, path in sorted(found, reverse=True):
            try:
                index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
            except RuntimeError:  # another process has replaced it, or it is damaged: scan
                continue
            if rows == index.ntotal <= len(now.ids):
                return _Lists(index=index, rows=rows, visits=visits)
        return None

    def _build(self, now: Snapshot) -> _Lists:
        import faiss
        import numpy as np

        rows, dimensions = now.vectors.shape
        count = max(1, int(2 * rows**0.5))
        chance = np.random.default_rng(0)
        sample = np.sort(chance.choice(rows, min(rows, SAMPLE * count), replace=False))
        index = faiss.index_factory(dimensions, f"IVF{count},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1
        index.train(np.ascontiguousarray(now.vectors[sample]))
        for at in range(0, rows, BLOCK):
            index.add(np.ascontiguousarray(now.vectors[at : at + BLOCK]))
        questions = now.vectors[np.sort(chance.choice(rows, min(TRIALS, rows), replace=False))]
        # a stored row is its own nearest, which would flatter; some noise makes it a question beside the data
        questions = questions + chance.normal(0, NOISE / dimensions**0.5, questions.shape)
        return _Lists(index=index, rows=rows, visits=self._visits(now, index, questions))

    def _visits(self, now: Snapshot, index: Any, questions: Any) -> int:
        """The smallest power of two that reaches the recall asked for, or every list."""
        truth = [{row for row, _ in nearest(now, question, rows=None, k=10)} for question in questions]
        visits = 1
        while visits < index.nlist:
            lists = _Lists(index=index, rows=len(now.ids), visits=visits)
            found = [now.ids[_propose(lists, question, wanted=10 * WIDER, allowed=None)] for question in questions]
            hits = sum(len(true.intersection(near.tolist())) for true, near in zip(truth, found, strict=True))
            if hits >= self._settings.recall * sum(len(true) for true in truth):
                return visits
            visits *= 2
        return int(index.nlist)


def _save(lists: _Lists, folder: Path, generation: str) -> None:
    """Write the lists whole, then delete those that they replace."""
    import faiss

    path = folder / f"ivf-{generation}-{lists.rows}-{lists.visits}.faiss"
    part = path.with_name(f"{path.name}.part")
    faiss.write_index(lists.index, str(part))
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    for old in folder.glob("ivf-*.faiss"):
        if old != path:
            old.unlink(missing_ok=True)


def _propose(lists: _Lists, vector: Vectors, *, wanted: int, allowed: Any) -> Any:
    """Positions of rows that are probably among the nearest, unordered; `allowed` restricts them."""
    import faiss
    import numpy as np

    from gatewheel.embeddings.matrix import unit

    chosen = None
    if allowed is not None:
        mask = np.zeros(lists.rows, bool)
        mask[allowed] = True
        chosen = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
    question = unit(np.asarray(vector, np.float32).reshape(1, -1))
    plan = faiss.SearchParametersIVF(nprobe=lists.visits, sel=chosen)
    found = lists.index.search(question, min(wanted, lists.rows), params=plan)[1][0]
    return found[found >= 0]
