"""Do intervals cover the truth as often as they say, and how rarely does evidence that is looked at all the time err?

    python benchmarks/simulate.py
    python benchmarks/simulate.py --suites 500

Simulates suites whose truth is known. Needs no data and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewheel.evals.statistics.intervals import Interval, interval, interval_of_difference, wilson
from gatewheel.evals.statistics.pairs import tango
from gatewheel.evals.statistics.sequential import Evidence
from report import Table, parser, show

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Rng = np.random.Generator
SEED = 11
LOOKS = 1000
COVER = ("cover", "too high", "too low", "width")


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--suites", type=int, default=2000, help="simulated suites, or streams, a row")
    options = made.parse_args()
    made_of = (figures, differences, peeking, stopping)
    show([table(options.suites) for table in made_of], as_json=options.json)


def figures(suites: int) -> Table:
    """Intervals of one variant."""
    table = Table(title="95 % intervals of a figure", columns=("scores", *COVER))
    for n in (20, 50, 100, 300):
        rng = np.random.default_rng(SEED)
        found = [interval(graded(rng, n), _mean, bounds=(0, 1)) for _ in range(suites)]
        table.rows.append([f"graded in 0..1, {n} cases", *covered(found, 0.55)])
    for n in (30, 100, 300):
        rng = np.random.default_rng(SEED)
        found = [interval(rng.exponential(1.0, n), _mean) for _ in range(suites)]
        table.rows.append([f"seconds (exponential), {n} cases", *covered(found, 1.0)])
    for rate in (0.5, 0.8, 0.95):
        rng = np.random.default_rng(SEED)
        found = [wilson(int(rng.binomial(100, rate)), 100) for _ in range(suites)]
        table.rows.append([f"right or wrong ({rate:.0%} right), 100 cases", *covered(found, rate)])
    for clusters in (5, 10, 19, 30, 60, 120):
        rng, found = np.random.default_rng(SEED), []
        for _ in range(suites):
            codes = np.repeat(np.arange(clusters), rng.integers(1, 9, clusters))
            scores = 0.5 + 0.08 * (rng.normal(size=clusters)[codes] + rng.normal(size=len(codes)))
            found.append(interval(scores, _mean, clusters=[str(code) for code in codes], bounds=(0, 1)))
        table.rows.append([f"graded, {clusters} clusters of 1 to 8 cases", *covered(found, 0.5)])
    return table


def differences(suites: int) -> Table:
    """Intervals of a difference between two variants."""
    table = Table(title="95 % intervals of a difference on the same cases", columns=("difference", *COVER))
    for n, share in ((50, 0.3), (100, 0.05), (100, 0.15), (100, 0.5), (300, 0.05), (300, 0.15), (1000, 0.02)):
        rng, found = np.random.default_rng(SEED), []
        for _ in range(suites):
            apart = (graded(rng, n) - graded(rng, n)) * (rng.random(n) < share)
            found.append(interval_of_difference(apart, _mean, bounds=(-1, 1)))
        table.rows.append([f"graded, {n} cases, {share:.0%} changed", *covered(found, 0.0)])
    for n, won, lost in ((100, 0.1, 0.1), (100, 0.05, 0.15), (300, 0.0, 0.05), (300, 0.1, 0.1)):
        rng = np.random.default_rng(SEED)
        counts = rng.multinomial(n, [won, lost, 1 - won - lost], suites)
        found = [tango(int(wins), int(losses), n) for wins, losses, _ in counts]
        table.rows.append([f"right or wrong, {n} cases, {won:.0%} won, {lost:.0%} lost", *covered(found, won - lost)])
    return table


def peeking(suites: int) -> Table:
    """Streams exactly at the margin, where every rejection is false."""
    columns = ("differences", "margin", "false", "z-test at 20 looks")
    table = Table(title=f"Evidence at alpha .05, looked at after each of {LOOKS} cases", columns=columns)
    for margin in (0.02, 0.05, 0.1):
        for name, draw in {"graded": shifted, "right or wrong, 20 % flip": flips, "losses only": losses}.items():
            rng, false, peeked = np.random.default_rng(SEED), 0, 0
            for _ in range(suites):
                values = draw(rng, LOOKS, -margin)
                evidence = Evidence((-1, 1), margin)
                evidence.add(values)
                false += evidence.rejects
                looks = [values[:n] for n in range(50, LOOKS + 1, 50)]
                z = [(seen.mean() + margin) / max(1e-9, seen.std() / len(seen) ** 0.5) for seen in looks]
                peeked += max(z) > 1.645
            table.rows.append([name, margin, false / suites, peeked / suites])
    return table


def stopping(suites: int) -> Table:
    """How soon variants that are alike are told to be not worse by the margin."""
    columns = ("differences", "margin", "median cases", "80 % by")
    table = Table(title="Cases after which evidence at alpha .05 is in, both variants alike", columns=columns)
    for share, margin in ((0.05, 0.05), (0.1, 0.05), (0.2, 0.05), (0.3, 0.05), (0.2, 0.1), (0.1, 0.02)):
        found = [_until(np.random.default_rng([SEED, i]), margin, share) for i in range(suites // 5)]
        table.rows.append([f"right or wrong, {share:.0%} flip", margin, *_soon(found)])
    for margin in (0.05, 0.02):
        found = [_until(np.random.default_rng([SEED, i]), margin, None) for i in range(suites // 5)]
        table.rows.append(["graded, standard deviation .25", margin, *_soon(found)])
    return table


def _until(rng: Rng, margin: float, share: float | None) -> int:
    evidence = Evidence((-1, 1), margin)
    while not evidence.rejects and evidence.n < 4000:
        evidence.add(shifted(rng, 5, 0.0) if share is None else flips(rng, 5, 0.0, share))
    return evidence.n


def _soon(found: Sequence[int]) -> list[Any]:
    return [int(np.median(found)), int(np.quantile(found, 0.8))]


def graded(rng: Rng, n: int) -> Floats:
    """Like token F1: a quarter 0, a third 1, the others between; .55 on average."""
    share = rng.random(n)
    return np.where(share < 0.25, 0.0, np.where(share < 0.6, 1.0, rng.beta(2, 2, n)))


def shifted(rng: Rng, n: int, mean: float) -> Floats:
    return np.clip(rng.normal(0, 0.25, n), -0.9, 0.9) + mean


def flips(rng: Rng, n: int, mean: float, share: float = 0.2) -> Floats:
    draw = rng.random(n)
    return np.where(draw < (share + mean) / 2, 1.0, np.where(draw < share, -1.0, 0.0))


def losses(rng: Rng, n: int, mean: float) -> Floats:
    return np.where(rng.random(n) < -mean, -1.0, 0.0)


def covered(found: Sequence[Interval], truth: float) -> list[float]:
    """Shares of intervals that hold the truth, are wholly above it, wholly below it; and the median width."""
    high = float(np.mean([one.low > truth for one in found]))
    low = float(np.mean([one.high < truth for one in found]))
    return [1 - high - low, high, low, float(np.median([one.high - one.low for one in found]))]


def _mean(rows: Floats) -> float:
    return float(rows.mean())


if __name__ == "__main__":
    main()
