"""Cases in clusters: those of one document or conversation are not independent, so whole clusters are what is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.intp]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows by cluster: `order[starts[g] : starts[g] + sizes[g]]` are the rows of cluster g."""

    order: Places
    starts: Places
    sizes: Places

    @property
    def count(self) -> int:
        return len(self.sizes)

    @property
    def single(self) -> bool:
        """Every cluster is one case."""
        return self.count == len(self.order)

    @property
    def effective(self) -> float:
        """How many clusters of equal size would be worth as much: (Σn)² / Σn² (Kish 1965)."""
        total = float(self.sizes.sum())
        return total * total / float((self.sizes.astype(np.float64) ** 2).sum()) if total else 0.0

    @property
    def freedom(self) -> float:
        """Degrees of freedom of a variance over these clusters, after Satterthwaite with equal cases; at least 1.

        Bell and McCaffrey (2002) derive it for the mean; it equals the number of clusters less one when all are even.
        """
        return max(1.0, self.effective - 1.0)

    def sums(self, values: Floats) -> Floats:
        """Sums of the values of each cluster, shape (clusters,)."""
        return np.add.reduceat(values[self.order], self.starts) if len(values) else np.zeros(0)

    def rows(self, chosen: Places) -> Places:
        """The rows of these clusters, one after the other; a cluster chosen twice is there twice."""
        if self.single:
            return self.order[chosen]
        sizes = self.sizes[chosen]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
        found: Places = self.order[np.repeat(self.starts[chosen], sizes) + within]
        return found


def group(clusters: Sequence[str], n: int) -> Groups:
    """Groups of n rows. No clusters, or an empty name, stands for a case that is a cluster of its own.

    >>> group(["a", "", "a", ""], 4).sizes.tolist()
    [2, 1, 1]
    """
    if len(clusters) not in (0, n):
        raise ValueError(f"{len(clusters)} clusters for {n} rows")
    seen: dict[str | int, int] = {}
    codes = np.array([seen.setdefault(name or i, len(seen)) for i, name in enumerate(clusters or [""] * n)], np.intp)
    sizes = np.bincount(codes, minlength=len(seen)).astype(np.intp)
    return Groups(np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes, sizes)
