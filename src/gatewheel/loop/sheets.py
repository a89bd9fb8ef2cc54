"""A report, or several, as plots: figures, differences, slices, and how the scores of cases are spread."""

from __future__ import annotations

from gatewheel.evals.plots.element import Element
from gatewheel.evals.plots.histogram import Scores, histogram
from gatewheel.evals.plots.scale import Unit, between
from gatewheel.evals.plots.whisker import Line, whiskers
from gatewheel.loop.beside import MetricBeside
from gatewheel.loop.candidates import Gap
from gatewheel.loop.drawing import unit_of
from gatewheel.loop.evaluated import Difference, Measured, WithoutLeaks
from gatewheel.loop.papers import Paper

LETTERS = "ABCDEF"
MOST = 40  # slices: more of them are no picture


def name_of(paper: Paper, at: int) -> str:
    """The letter of a report with whom it asked; the target alone where there is one report."""
    target = paper.sides[at].head.target
    return f"{LETTERS[at]} {target}" if len(paper.sides) > 1 else target


def figures(paper: Paper, *, wide: bool) -> list[Element]:
    """Every metric of every report: the shares on one scale, each other metric on its own."""
    suffix = "wide" if wide else "narrow"
    shares = [one for one in paper.beside.metrics if unit_of(one.metric, one.bounds) == "share"]
    rest = [one for one in paper.beside.metrics if unit_of(one.metric, one.bounds) != "share"]
    made = []
    if shares:
        lines = [line for one in shares for line in _figures(paper, one)]
        made.append(whiskers(f"shares-{suffix}", lines, title="Figures", unit="share", scale="whole", wide=wide))
    for at, one in enumerate(rest):
        unit = unit_of(one.metric, one.bounds)
        made.append(whiskers(f"figure-{at}-{suffix}", _figures(paper, one), title=one.metric, unit=unit, wide=wide))
    return made


def differences(paper: Paper, *, wide: bool) -> list[Element]:
    """How each report but the first differs from it: the shares on one scale about zero, each other on its own."""
    suffix = "wide" if wide else "narrow"
    every = [(one, unit_of(one.metric, one.bounds)) for one in paper.beside.metrics]
    shares = [line for one, unit in every if unit == "share" for line in _differences(one, "points")]
    made = []
    if shares:
        made.append(whiskers(f"apart-{suffix}", shares, title="Differences", unit="points", scale="zero", wide=wide))
    for at, (one, unit) in enumerate(every):
        lines = _differences(one, unit) if unit != "share" else []
        if lines:
            name = f"apart-{at}-{suffix}"
            made.append(whiskers(name, lines, title=f"Difference in {one.metric}", unit=unit, scale="zero", wide=wide))
    return made


def slices(paper: Paper, *, wide: bool) -> Element | None:
    """The slices by the metric of the paper, the first ones where there are many."""
    rows = paper.slices.slices[:MOST]
    if not rows:
        return None
    unit = unit_of(rows[0].metric, rows[0].bounds)
    lines = [
        _line(paper, at, figure, unit, group=f"{row.slice} ({_cases(figure.cases)})")
        for row in rows
        for at, figure in enumerate(row.figures)
    ]
    scale = "whole" if unit == "share" else "free"
    name = f"slices-{'wide' if wide else 'narrow'}"
    return whiskers(name, lines, title=f"{paper.metric} by slice", unit=unit, scale=scale, wide=wide)  # type: ignore[arg-type]


def spreads(paper: Paper) -> list[tuple[str, Element]]:
    """Each metric with a score a case, and how many cases have which."""
    made = []
    for at, one in enumerate(paper.beside.metrics):
        if (scores := paper.scores.get(one.metric)) is None:
            continue
        unit = unit_of(one.metric, one.bounds)
        every = [
            Scores(name=f"{name_of(paper, side)}, {_cases(len(values))}", values=values, side=LETTERS[side].lower())
            for side, values in enumerate(scores)
        ]
        name = f"spread-{at}"
        made.append((one.metric, histogram(name, every, title=one.metric, unit=unit, share=unit == "share")))
    return made


def apart(one: Difference | Gap | WithoutLeaks, unit: Unit) -> str:
    """A difference with its interval in words: "+6 points [−1, +13]"."""
    return between(one.difference, one.low, one.high, "points" if unit == "share" else unit, signed=True)


def _figures(paper: Paper, metric: MetricBeside) -> list[Line]:
    group = f"{metric.metric}, {metric.better} is better"
    if len(paper.sides) == 1:
        group = metric.metric
    return [
        _line(paper, at, figure, unit_of(metric.metric, metric.bounds), group=group)
        for at, figure in enumerate(metric.figures)
    ]


def _line(paper: Paper, at: int, figure: Measured, unit: Unit, *, group: str) -> Line:
    text = between(figure.value, figure.low, figure.high, unit)
    side = LETTERS[at].lower()
    alone = len(paper.sides) == 1  # then its name need not be said at each line
    name, group = (group, "") if alone else (name_of(paper, at), group)
    return Line(name=name, value=figure.value, low=figure.low, high=figure.high, text=text, side=side, group=group)


def _differences(metric: MetricBeside, unit: Unit) -> list[Line]:
    return [
        Line(
            name=f"{LETTERS[at]} − A  {one.verdict}",
            value=one.difference,
            low=one.low,
            high=one.high,
            text=apart(one, unit),
            side=LETTERS[at].lower(),
            group=f"{metric.metric}, {metric.better} is better",
            mark=one.verdict,
        )
        for at, one in enumerate(metric.differences)
        if one is not None
    ]


def _cases(number: int) -> str:
    return f"{number} case{'' if number == 1 else 's'}"
