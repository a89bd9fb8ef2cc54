"""Reports and comparisons as tables on a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render
from gatewheel.loop.evaluated import CaseRow, Difference, Flipped, Head, Measured, ReportCompare, ReportShow

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
    render.table(["metric", "cases", "figure", "interval"], [[one.metric, *_figure(one)] for one in shape.metrics])
    if shape.slices:
        click.echo()
        rows = [[render.printable(one.slice), one.metric, *_figure(one)] for one in shape.slices]
        render.table(["slice", "metric", "cases", "figure", "interval"], rows)
    _errors([row for row in shape.rows if row.error], failed)


def compare(shape: ReportCompare, *, flips: int) -> None:
    """A comparison: all cases, slices, and the cases that flipped."""
    _head(shape.a, "a")
    _head(shape.b, "b")
    if shape.a.corpus != shape.b.corpus:
        render.tell("The documents have changed between the two.", err=True)
    head = ["metric", "cases", "a", "b", "b - a", "p", "verdict"]
    render.table(head, [[one.metric, *_cells(one)] for one in shape.metrics])
    if shape.slices:
        click.echo()
        rows = [[render.printable(one.slice), one.metric, *_cells(one)] for one in shape.slices]
        render.table(["slice", *head], rows)
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


def number(value: float) -> str:
    """Three digits behind the point, fewer of what is large."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1_000 else f"{value:,.0f}"


def _end(value: float | None) -> str:
    return "?" if value is None else number(value)


def _head(head: Head, name: str = "") -> None:
    render.tell(f"{name}  {line(head)}" if name else line(head), bold=not name)


def _figure(one: Measured) -> list[str]:
    value = "–" if one.value is None else number(one.value)
    return [str(one.cases), value, "" if one.value is None else f"[{_end(one.low)}, {_end(one.high)}]"]


def _cells(one: Difference) -> list[str]:
    from gatewheel.evals.statistics.verdict import Verdict, say

    ends = f"[{_end(one.low)}, {_end(one.high)}]"
    difference = f"{'+' if one.difference > 0 else ''}{number(one.difference)} {ends}"
    told = say(Verdict(word=one.verdict, cases_needed=one.cases_needed))  # type: ignore[arg-type]
    return [str(one.cases), _short(one.a), _short(one.b), difference, f"{one.p:.3f}", told]


def _short(one: Measured) -> str:
    return "–" if one.value is None else f"{number(one.value)} [{_end(one.low)}, {_end(one.high)}]"


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
