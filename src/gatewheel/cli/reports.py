"""Reports and comparisons as tables on a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render
from gatewheel.cli.figures import interval, number
from gatewheel.loop.evaluated import (
    CaseRow,
    Difference,
    Flipped,
    Head,
    Leaked,
    Measured,
    ReportCompare,
    ReportShow,
    WithoutLeaks,
)

if TYPE_CHECKING:
    from gatewheel.loop.detecting import Detectable

WIDTH = 300  # characters of an answer


def foresee(found: Sequence[Detectable]) -> None:
    """What the suite can tell, on stderr, before anything is asked."""
    render.say("the smallest difference that this suite finds four times in five:")
    for one in found:
        can = one.basis or "not known before the first report"
        if one.difference is not None:
            can = f"{number(one.difference)} ({one.basis})"
        render.say(f"  {one.metric}, {one.cases} cases: {can}")


def show(shape: ReportShow, *, failed: int = 3) -> None:
    """A report: its figures, those of its slices, and what went wrong."""
    _head(shape.report)
    render.table(["metric", "cases", "figure", "interval"], [[_name(one), *_figure(one)] for one in shape.metrics])
    if shape.slices:
        click.echo()
        rows = [[render.printable(one.slice), _name(one), *_figure(one)] for one in shape.slices]
        render.table(["slice", "metric", "cases", "figure", "interval"], rows)
    _leaks(shape.leaks, shape.report.cases)
    if shape.without:
        head = ["metric", "cases", "all", "without", "difference"]
        render.table(head, [[one.metric, *_without(one)] for one in shape.without])
    _errors([row for row in shape.rows if row.error], failed)


def compare(shape: ReportCompare, *, flips: int) -> None:
    """A comparison: all cases, slices, and the cases that flipped."""
    _head(shape.a, "a")
    _head(shape.b, "b")
    if shape.a.corpus != shape.b.corpus:
        render.tell("The documents have changed between the two.", err=True)
    head = ["metric", "cases", "a", "b", "b - a", "p", "verdict"]
    render.table(head, [[_name(one), *_cells(one)] for one in shape.metrics])
    if shape.slices:
        click.echo()
        rows = [[render.printable(one.slice), _name(one), *_cells(one)] for one in shape.slices]
        render.table(["slice", *head], rows)
    _leaks(shape.leaks, shape.a.cases)
    if shape.without:
        render.table(head, [[_name(one), *_cells(one)] for one in shape.without])
    for flip in shape.flips[:flips]:
        _flip(flip)
    if len(shape.flips) > flips:
        click.echo(f"\n{len(shape.flips) - flips} more cases flipped: --flips {len(shape.flips)} shows all.")
    elif not shape.flips:
        click.echo("\nNo case flipped.")


def line(head: Head) -> str:
    """A report in one line."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(head.created))
    failed = f", {head.errors} failed" if head.errors else ""
    return f"{head.id[:12]}  {when}  {head.suite}  {head.target} ({head.variant[:12]})  {head.cases} cases{failed}"


def _head(head: Head, name: str = "") -> None:
    render.tell(f"{name}  {line(head)}" if name else line(head), bold=not name)


def _name(one: Measured | Difference) -> str:
    """The metric; of a judge, whether it is what the judge said or what people would say."""
    return f"{one.metric}, {one.judged}" if one.judged else one.metric


def _figure(one: Measured) -> list[str]:
    return [str(one.cases), number(one.value), "" if one.value is None else interval(one.low, one.high)]


def _cells(one: Difference) -> list[str]:
    from gatewheel.evals.statistics.conclusion import Conclusion, say

    difference = f"{'+' if one.difference > 0 else ''}{number(one.difference)} {interval(one.low, one.high)}"
    told = say(Conclusion(word=one.verdict, cases_needed=one.cases_needed))  # type: ignore[arg-type]
    told = "no finding: a judge's, raw" if one.judged == "raw" else told
    return [str(one.cases), _short(one.a), _short(one.b), difference, f"{one.p:.3f}", told]


def _short(one: Measured) -> str:
    return "–" if one.value is None else f"{number(one.value)} {interval(one.low, one.high)}"


def _without(one: WithoutLeaks) -> list[str]:
    difference = "–" if one.difference is None else f"{one.difference:+.3f} {interval(one.low, one.high)}"
    return [f"{one.rest.cases} of {one.every.cases}", _short(one.every), _short(one.rest), difference]


def _leaks(found: Leaked, cases: int) -> None:
    """A line where something leaked, or where that could not be looked for."""
    for reason in found.unread:
        render.tell(f"Not looked through for leaks: {reason}", err=True)
    if found.cases:
        where = ", ".join(dict.fromkeys(hit.source for hit in found.hits))
        ways = "words and vectors" if found.vectors else "words alone"
        which = f"{found.cases} of {cases} cases {'is' if found.cases == 1 else 'are'}"
        render.tell(f"\n{which} in the training data too ({where}; by {ways}). Without them:", bold=True)


def _flip(flip: Flipped) -> None:
    render.tell(f"\n{flip.question}", bold=True)
    if flip.expected:
        render.tell(f"  expected  {' | '.join(flip.expected)}", dim=True)
    for name, score, answer in (("a", flip.a, flip.a_answer), ("b", flip.b, flip.b_answer)):
        said = "no answer" if answer is None else render.shorten(" ".join(answer.split()), WIDTH)
        render.tell(f"  {name} {flip.metric} {number(score)}  {said}")


def _errors(failed: Sequence[CaseRow], most: int) -> None:
    for row in failed[:most]:
        render.tell(f"{row.case}: {row.error}", err=True)
    if len(failed) > most:
        click.echo(f"… and {len(failed) - most} more with errors", err=True)
