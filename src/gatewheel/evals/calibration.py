"""From signals of faithfulness to the probability that people call an answer faithful: fitted on people's own labels.

Weights do not transfer from one application to another, so there are none to begin with. A logistic regression with a
small ridge, in which no signal may count against an answer; what it is worth is measured on clusters it did not see.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.data import cases
from gatewheel.evals.signals import SIGNALS
from gatewheel.evals.statistics.agreement import cautious
from gatewheel.evals.statistics.intervals import Interval, bootstrap
from gatewheel.evals.statistics.reliability import calibration_error
from gatewheel.kernel.errors import ConfigError, UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
LEAST = 50  # labelled answers, below which an AUROC of .8 has an interval of more than a quarter
PER_SIGNAL = 10  # answers of the rarer kind for each signal: the usual rule (Peduzzi et al. 1996)
CLUSTERS = 10
FOLDS = 5
BINS = 10
RIDGE = 1.0  # on signals of standard deviation 1: as much as one more answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """What the signals say of an answer, and whether people call it faithful. An empty cluster is one of its own."""

    signals: tuple[float, ...]
    faithful: bool
    cluster: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Weights of signals in their own units, with what the signals were made by: another gives other numbers.

    `encoder` is an id, `model` a name in the project, `likelihoods` the digest of that model and `checker` that of the
    checker; each is empty where no signal takes it.
    """

    signals: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float
    answers: int
    faithful: int
    auroc: float
    ece: float
    encoder: str = ""
    model: str = ""
    likelihoods: str = ""
    checker: str = ""

    def probability(self, signals: Mapping[str, float]) -> float:
        """That people would call an answer faithful of which the signals say this."""
        total = self.intercept + sum(
            weight * signals[name] for name, weight in zip(self.signals, self.weights, strict=True)
        )
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a score is worth: `auroc` with its interval over clusters; the errors are those of probabilities."""

    auroc: float
    interval: Interval
    ece: float = math.nan
    brier: float = math.nan


def refuse_few(rows: Sequence[Labelled], signals: Sequence[str]) -> None:
    """Raises UserError when there are too few labels to fit so many signals, saying how many are missing."""
    faithful = sum(row.faithful for row in rows)
    rarer = min(faithful, len(rows) - faithful)
    clusters = len({row.cluster or f"\0{at}" for at, row in enumerate(rows)})
    lacking = [
        f"{wanted - there} more {what} (there are {there})"
        for what, there, wanted in (
            ("labelled answers", len(rows), LEAST),
            (f"that people call {'unfaithful' if faithful > rarer else 'faithful'}", rarer, PER_SIGNAL * len(signals)),
            ("clusters", clusters, CLUSTERS),
        )
        if there < wanted
    ]
    if lacking:
        what = f"too few labels to calibrate {len(signals)} signals: it takes {', and '.join(lacking)}"
        raise UserError(what, cure="label more answers, or name fewer signals")


def fit(rows: Sequence[Labelled]) -> tuple[tuple[float, ...], float]:
    """Weights and intercept of all rows. Needs both labels."""
    x, y = _table(rows)
    slopes, intercept = _fitted(x, y)
    return tuple(slopes.tolist()), intercept


def cross_validated(rows: Sequence[Labelled]) -> Floats:
    """The probability of each row by weights that were fitted without its cluster, shape (rows,).

    Clusters are dealt to FOLDS folds by their size, so that the folds are alike.
    """
    x, y = _table(rows)
    folds = _folds(rows)
    made = np.full(len(rows), np.nan)
    for fold in range(FOLDS):
        held = folds == fold
        if not held.any():
            continue
        if len(np.unique(y[~held])) < 2:
            made[held] = y[~held].mean()
            continue
        slopes, intercept = _fitted(x[~held], y[~held])
        made[held] = _logistic(x[held] @ slopes + intercept)
    return made


def told(scores: Sequence[float] | Floats, rows: Sequence[Labelled], *, probabilities: bool = False) -> Told:
    """How well scores tell faithful answers from others."""
    values = np.column_stack([np.asarray(scores, np.float64), [float(row.faithful) for row in rows]])
    area, clusters = auroc(values), [row.cluster for row in rows]
    sure = bootstrap(values, auroc, clusters=clusters)
    if math.isfinite(area):
        rarer, misplaced = _misplaced(values)
        sure = cautious(sure, misplaced, list(compress(clusters, rarer)))
    return Told(
        auroc=area,
        interval=Interval(max(0.0, sure.low), min(1.0, sure.high), sure.level, sure.method),
        ece=calibration_error(values, BINS) if probabilities else math.nan,
        brier=float(np.square(values[:, 0] - values[:, 1]).mean()) if probabilities else math.nan,
    )


def auroc(rows: Floats) -> float:
    """The chance that a faithful answer scores above another, ties counting half, of rows (score, 1 if faithful).

    >>> auroc(np.array([[0.9, 1.0], [0.5, 1.0], [0.5, 0.0], [0.1, 0.0]]))
    0.875
    """
    right = rows[:, 1] > 0.5
    n, m = int(right.sum()), int((~right).sum())
    if not n or not m:
        return math.nan
    places = np.unique(rows[:, 0], return_inverse=True)[1]
    counts = np.bincount(places)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[right].sum() - n * (n + 1) / 2) / (n * m))


def write(path: Path, made: Calibration) -> None:
    """Write a calibration as JSON, whole or not at all. Raises UserError when the file cannot be written."""
    cases.replace(path, (json.dumps(asdict(made), indent=1) + "\n").encode())


def read(path: Path) -> Calibration:
    """A calibration. Raises ConfigError when it is not there, or is none."""
    from pydantic import TypeAdapter, ValidationError

    cure = "make it by `gatewheel evals calibrate SUITE`"
    try:
        made = TypeAdapter(Calibration).validate_json(path.read_bytes())
    except OSError:
        raise ConfigError(f"there is no calibration {path.name}", cure=cure) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"{path.name} is no calibration: {first['msg']}", cure=cure) from None
    sound = all(map(math.isfinite, (*made.weights, made.intercept))) and len(made.signals) == len(made.weights)
    if not sound or not set(made.signals) <= set(SIGNALS):
        raise ConfigError(f"{path.name} is no calibration: its signals and weights do not fit", cure=cure)
    return made


def _misplaced(rows: Floats) -> tuple[Flags, Floats]:
    """Which rows are of the rarer kind, and for each of them the share of the others on its wrong side, ties half.

    AUROC is 1 less their mean.
    """
    faithful = rows[:, 1] > 0.5
    rarer = faithful if faithful.sum() <= len(rows) / 2 else ~faithful
    mine, others = rows[rarer, 0], np.sort(rows[~rarer, 0])
    below = (np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")) / (2 * len(others))
    return rarer, 1 - below if rarer is faithful else below


def _table(rows: Sequence[Labelled]) -> tuple[Floats, Floats]:
    return np.array([row.signals for row in rows], np.float64), np.array([row.faithful for row in rows], np.float64)


def _folds(rows: Sequence[Labelled]) -> NDArray[np.intp]:
    names = [row.cluster or f"\0{at}" for at, row in enumerate(rows)]
    sizes: dict[str, int] = {}
    for name in names:
        sizes[name] = sizes.get(name, 0) + 1
    load, fold = [0] * FOLDS, {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        fold[name] = load.index(min(load))
        load[fold[name]] += sizes[name]
    return np.array([fold[name] for name in names], np.intp)


def _fitted(x: Floats, y: Floats) -> tuple[Floats, float]:
    """By L-BFGS-B on standardised signals, each weight at least 0; returned in the signals' own units."""
    from scipy.optimize import minimize

    mean, scale = x.mean(0), x.std(0) + 1e-9
    z = np.column_stack([np.ones(len(x)), (x - mean) / scale])

    def loss(beta: Floats) -> tuple[float, Floats]:
        along = z @ beta
        off = _logistic(along) - y
        value = float(np.logaddexp(0, along).sum() - y @ along + RIDGE / 2 * beta[1:] @ beta[1:])
        return value, z.T @ off + RIDGE * np.append(0.0, beta[1:])

    bounds = [(None, None), *[(0.0, None)] * x.shape[1]]
    beta = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x
    slopes = beta[1:] / scale
    return slopes, float(beta[0] - slopes @ mean)


def _logistic(values: Floats) -> Floats:
    made: Floats = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return made
