"""`gatewheel evals calibrate`: signals of faithfulness weighed by what people said of this application's answers."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render
from gatewheel.cli.figures import interval
from gatewheel.evals.signals import SIGNALS

if TYPE_CHECKING:
    from gatewheel.evals.calibration import Told
    from gatewheel.loop.calibrating import Calibrated


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldRow:
    """How well a score tells faithful answers from others: 0.5 is chance. `weight` is null where it has none."""

    score: str
    auroc: float
    low: float | None
    high: float | None
    weight: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationShow:
    """`gatewheel evals calibrate`: together, cross-validated over clusters; then each signal alone, and shortness.

    `ece` and `brier` are errors of the probabilities; `skipped` answers are left out, as a signal does not apply there.
    """

    path: str
    answers: int
    faithful: int
    skipped: int
    together: ToldRow
    ece: float
    brier: float
    alone: list[ToldRow]
    shortness: ToldRow


@click.command()
@click.argument("suite", default="")
@click.option("--criterion", default="faithful", show_default=True, help="Of the rubric that people graded by.")
@click.option("--at-least", default=3.0, show_default=True, help="The mean grade from which an answer is faithful.")
@click.option("--file", default=None, type=click.Path(path_type=Path), help="JSON Lines of judged answers instead.")
@click.option("--signal", "signals", multiple=True, type=click.Choice(SIGNALS), help="Can be given several times.")
@click.option("--model", default="chat", show_default=True, help="The [model.*] of evidence-gain.")
@click.option("--to", default="grounded.json", show_default=True, help="The file, in the project, that is replaced.")
@render.json_option
@click.pass_context
def calibrate(
    context: click.Context, /, suite: str, signals: tuple[str, ...], to: str, as_json: bool, **said: object
) -> None:
    """Fit the metric `grounded` on what people said of answers to SUITE, and say what it is worth.

    Refused with fewer than 50 judged answers, or when it tells nothing that is not chance. Ctrl-C keeps what was read;
    `gatewheel runs resume` goes on from there.
    """
    from gatewheel.cli import progress
    from gatewheel.kernel.errors import UserError
    from gatewheel.loop import running
    from gatewheel.loop.calibrating import Wanted, of_result

    if bool(suite) == bool(said["file"]):
        raise UserError("labels are of a suite or in a file, one of them", cure="name SUITE, or --file")
    chosen = {"signals": signals} if signals else {}
    wanted = Wanted(suite=suite, **said, **chosen)  # type: ignore[arg-type]
    with render.project(context) as project, progress.bar(quiet=as_json) as show:
        result = running.calibrate(project, wanted, to, on_progress=show)
    shape = _shape(of_result(result), to)
    if as_json:
        render.emit(shape)
    else:
        _show(shape)


COMMANDS = (calibrate,)


def _shape(found: Calibrated, path: str) -> CalibrationShow:
    made = found.made
    weights = dict(zip(made.signals, made.weights, strict=True))
    return CalibrationShow(
        path=path,
        answers=made.answers,
        faithful=made.faithful,
        skipped=found.skipped,
        together=_row("together", found.together),
        ece=round(found.together.ece, 4),
        brier=round(found.together.brier, 4),
        alone=[_row(name, one, weights[name]) for name, one in found.alone.items()],
        shortness=_row("shortness", found.shortness),
    )


def _row(score: str, told: Told, weight: float | None = None) -> ToldRow:
    low, high = (round(end, 4) if isfinite(end) else None for end in (told.interval.low, told.interval.high))
    return ToldRow(score=score, auroc=round(told.auroc, 4), low=low, high=high, weight=weight)


def _show(shape: CalibrationShow) -> None:
    left_out = f"; {shape.skipped} left out, since a signal does not apply to them" if shape.skipped else ""
    render.tell(f"{shape.answers} judged answers, {shape.faithful} of them faithful{left_out}")
    rows = [shape.together, *shape.alone, shape.shortness]
    cells = [[row.score, f"{row.auroc:.3f}", interval(row.low, row.high), _weight(row)] for row in rows]
    render.table(["score", "AUROC", "interval", "weight"], cells)
    render.tell(f"Probabilities are off by {shape.ece:.3f} (ECE), Brier {shape.brier:.3f}, on answers not fitted on.")
    best = max(shape.alone, key=lambda row: row.auroc)
    if shape.together.auroc < best.auroc:
        render.tell(f"{best.score} alone ranks no worse: the weights only make a probability of it.", err=True)
    if shape.shortness.low is not None and shape.shortness.low > 0.6:
        render.tell("The length of an answer tells it too: these labels may be about length.", err=True)
    render.tell(f'{shape.path} is written: add "grounded" to the metrics of a suite.')


def _weight(row: ToldRow) -> str:
    return "" if row.weight is None else f"{row.weight:.2f}"
