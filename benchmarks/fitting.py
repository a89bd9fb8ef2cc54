"""A small logistic regression with given signs, and the area under its curve with an interval. Knows no data set."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gatewheel.rag.logistic import probability

SEED = 7


@dataclass(frozen=True)
class Row:
    """One labelled example: where it comes from, which half it is in, and what the model sees."""

    kind: str
    label: bool
    reporting: bool
    features: dict[str, float]


Rows = list[Row]
Score = Callable[[Row], float]


def judge(table: dict[str, float]) -> Score:
    """The model as a function of a row."""
    return lambda row: probability(row.features, table)


SIGNS = {"numbers": -1, "names": -1, "negation": -1, "brevity": 0}  # all others can only help
KIND_WEIGHT = {"answers": 5.0, "scifact": 0.25, "halueval": 0.25}  # drafts quote closely: their strict end counts


def fit(rows: Rows, names: Sequence[str], *, ridge: float = 1.0) -> dict[str, float]:
    """Logistic regression with given signs, by projected gradient steps; each label of each kind weighs the same."""
    sizes = Counter((row.label, row.kind) for row in rows)
    y = np.array([row.label for row in rows], float)
    w = np.array([KIND_WEIGHT.get(row.kind, 1.0) / sizes[row.label, row.kind] for row in rows])
    for label in (0.0, 1.0):
        w[y == label] *= len(rows) / 2 / w[y == label].sum()
    x = np.array([[row.features[name] for name in names] for row in rows])
    mean, scale = x.mean(0), x.std(0) + 1e-9
    z = np.c_[np.ones(len(x)), (x - mean) / scale]
    low = np.array([-np.inf, *(0.0 if SIGNS.get(n, 1) > 0 else -np.inf for n in names)])
    high = np.array([np.inf, *(0.0 if SIGNS.get(n, 1) < 0 else np.inf for n in names)])
    step = 4 / (np.linalg.norm(z * np.sqrt(w)[:, None], 2) ** 2 + 4 * ridge)
    beta = np.zeros(z.shape[1])
    for _ in range(4000):
        p = 1 / (1 + np.exp(-z @ beta))
        beta += step * (z.T @ (w * (y - p)) - ridge * np.r_[0.0, beta[1:]])
        beta = np.clip(beta, low, high)
    slope = beta[1:] / scale
    return {"": float(beta[0] - slope @ mean)} | dict(zip(names, map(float, slope), strict=True))


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    order = np.unique(scores, return_inverse=True)[1]
    counts = np.bincount(order)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[order]
    n = labels.sum()
    return float((rank[labels].sum() - n * (n + 1) / 2) / max(1, n * (len(labels) - n)))


def interval(rows: Rows, score: Score, *, draws: int = 1000) -> str:
    """AUROC with the 95 % percentile interval of a bootstrap over rows."""
    scores, labels = np.array([score(row) for row in rows]), np.array([row.label for row in rows])
    dice = np.random.default_rng(0)
    picks = (dice.integers(0, len(rows), len(rows)) for _ in range(draws))
    low, high = np.percentile([auroc(scores[i], labels[i]) for i in picks], [2.5, 97.5])
    return f"{auroc(scores, labels):.3f} [{low:.3f}, {high:.3f}]"


def print_table(title: str, table: dict[str, float]) -> None:
    print(f"{title} =", json.dumps({name: round(value, 2) for name, value in table.items()}))


def over_groups(scores: np.ndarray, labels: np.ndarray, groups: Sequence[str], *, draws: int = 1_000) -> str:
    """AUROC with the 95 % percentile interval of a bootstrap over groups, for they are what is drawn."""
    places: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        places.setdefault(group, []).append(at)
    each = [np.array(found) for found in places.values()]
    dice = np.random.default_rng(SEED)
    drawn = []
    for _ in range(draws):
        rows = np.concatenate([each[at] for at in dice.integers(len(each), size=len(each))])
        if labels[rows].any() and not labels[rows].all():
            drawn.append(auroc(scores[rows], labels[rows]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{auroc(scores, labels):.3f} [{low:.3f}, {high:.3f}]"
