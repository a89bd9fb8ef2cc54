"""What leaked into reports side by side: their figures without it, and how the others differ from the first then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatewheel.loop import comparing, leaks, showing
from gatewheel.loop.beside import refuse_others
from gatewheel.loop.columns import metrics_in
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import metrics_of
from gatewheel.loop.evaluated import Difference, Leaked, WithoutLeaks
from gatewheel.loop.leaks import Tick
from gatewheel.loop.reports import Kept


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaksBeside:
    """What leaked into the cases of reports. `without` has the figures of each report, in their order, `differences`
    those of the others to the first over the cases to which nothing leaked; both are empty where nothing did.
    """

    reports: list[str]
    leaks: Leaked
    without: list[list[WithoutLeaks]]
    differences: list[list[Difference]]


def of_reports(parts: Parts, kept: Sequence[Kept], *, margin: float = 0.02, tick: Tick = lambda: None) -> LeaksBeside:
    """By what is known, and by words alone where the encoder would have to read much first: somebody waits.

    Raises UserError for reports that cannot be compared.
    """
    refuse_others(kept)
    found = leaks.of_reports(parts, kept, patient=False, tick=tick)
    hits = found.cases
    metrics = metrics_of(parts, metrics_in(kept[0].report)) if hits else {}
    rest = [_rest(one, hits) for one in kept] if hits else []
    pairs = [comparing.compared(rest[0], other, metrics, margin=margin) for other in rest[1:]]
    told = [
        showing.comparison(rest[0], other, pair, (), margin=margin) for other, pair in zip(rest[1:], pairs, strict=True)
    ]
    return LeaksBeside(
        reports=[one.report.id for one in kept],
        leaks=showing.leaked(found),
        without=[showing.without_leaks(one.report, metrics, hits) for one in kept] if hits else [],
        differences=[shape.metrics for shape in told],
    )


def _rest(kept: Kept, hits: frozenset[str]) -> Kept:
    rows = tuple(replace(row, tags=()) for row in leaks.clean(kept.report, hits).rows)
    return replace(kept, report=replace(kept.report, rows=rows))
