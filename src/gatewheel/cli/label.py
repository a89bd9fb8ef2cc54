"""`gatewheel evals label|agreement|ranking|export`: what people say of answers, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render
from gatewheel.cli.figures import interval, number
from gatewheel.loop import label_shapes
from gatewheel.loop.label_shapes import AgreedRow, RankedRow

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelShow:
    """`gatewheel evals label`: how many labels were `given` now, and how far the rater is; null after an import."""

    suite: str
    rater: str
    given: int
    labelled: int | None
    total: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementShow:
    """`gatewheel evals agreement`"""

    suite: str
    questions: list[AgreedRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingShow:
    """`gatewheel evals ranking`: the strongest first."""

    suite: str
    level: float
    variants: list[RankedRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportShow:
    """`gatewheel evals export`: how many preferences were written; `lost` are of cases the suite no longer has."""

    suite: str
    path: str
    split: str
    written: int
    lost: int


@click.command()
@click.argument("suite")
@click.option("--a", default="", metavar="VARIANT", help="Whose answers: a target, or the beginning of a variant's id.")
@click.option("--b", default="", metavar="VARIANT", help="The same; a rubric can do without.")
@click.option("--rater", default="", metavar="NAME", help="Who labels.")
@click.option("--rubric", default="", metavar="NAME=1-4,…", help="Grade single answers instead of comparing two.")
@click.option("--repeats", is_flag=True, help="Each time that a case was asked, not only the first.")
@click.option("--import", "file", default=None, type=click.Path(path_type=Path), help="JSON Lines of labels to keep.")
@render.json_option
@click.pass_context
def label(
    context: click.Context,
    /,
    suite: str,
    a: str,
    b: str,
    rater: str,
    rubric: str,
    repeats: bool,
    file: Path | None,
    as_json: bool,
) -> None:
    """Say which of two answers is better, or grade them, without knowing whose they are.

    One key each; every label is kept at once, and the same command goes on from there.
    """
    with render.project(context) as project:
        from gatewheel.loop import label_files

        engine = project.parts.engine
        if file is not None:
            usual = label_files.Usual(a=a, b=b, rater=rater)
            given = label_files.take(engine, suite, file, usual=usual)
            shape = LabelShow(suite=suite, rater=rater, given=given, labelled=None, total=None)
        else:
            shape = _labelled(engine, suite, [name for name in (a, b) if name], rater, rubric, repeats=repeats)
    if as_json:
        render.emit(shape)
    elif shape.total is None:
        render.tell(f"{shape.given} labels kept.")
    elif shape.labelled == shape.total:
        render.tell(
            f"All {shape.total} are labelled: gatewheel evals ranking {suite}, gatewheel evals agreement {suite}"
        )
    else:
        render.tell(f"{shape.labelled} of {shape.total} labelled; the same command goes on.")


@click.command()
@click.argument("suite")
@render.json_option
@click.pass_context
def agreement(context: click.Context, /, suite: str, as_json: bool) -> None:
    """How far the raters of SUITE agree: Cohen's kappa of two, Krippendorff's alpha of any number."""
    with render.project(context) as project:
        from gatewheel.loop import labelling

        rows = [label_shapes.agreed(one) for one in labelling.agreement(project.parts.engine, suite)]
    if as_json:
        render.emit(AgreementShow(suite=suite, questions=rows))
        return
    cells = [
        [
            row.question,
            ", ".join(row.raters),
            str(row.units),
            *map(number, (row.kappa, row.alpha)),
            interval(row.low, row.high),
        ]
        for row in rows
    ]
    if rows:
        render.table(["question", "raters", "rated twice", "kappa", "alpha", "interval"], cells)
    else:
        click.echo("No two raters labelled the same answers yet.", err=True)


@click.command()
@click.argument("suite")
@render.json_option
@click.pass_context
def ranking(context: click.Context, /, suite: str, as_json: bool) -> None:
    """All variants that people compared on SUITE, the strongest first (Bradley-Terry, in logits)."""
    with render.project(context) as project:
        from gatewheel.loop import labelling

        found = labelling.ranking(project.parts.engine, suite)
        names = labelling.known(project.parts.engine, suite).names
    rows = [label_shapes.ranked(one, names) for one in found]
    if as_json:
        render.emit(RankingShow(suite=suite, level=0.95, variants=rows))
        return
    cells = [
        [
            render.printable(row.target),
            row.variant[:12],
            str(row.matches),
            f"{row.strength:+.2f}",
            interval(row.low, row.high),
        ]
        for row in rows
    ]
    if rows:
        render.table(["target", "variant", "comparisons", "strength", "interval"], cells)
    else:
        click.echo(f"Nobody compared answers yet: gatewheel evals label {suite} --a … --b … --rater …", err=True)


@click.command()
@click.argument("suite")
@click.option("--to", "path", required=True, type=click.Path(path_type=Path), help="The file, which is replaced.")
@render.json_option
@click.pass_context
def export(context: click.Context, /, suite: str, path: Path, as_json: bool) -> None:
    """Write what people preferred on SUITE as JSON Lines: messages, chosen, rejected."""
    with render.project(context) as project:
        from gatewheel.data import suites
        from gatewheel.loop import label_files

        root = project.config.root
        split = suites.settings_of(root, suite).split
        done = label_files.export(project.parts.engine, root, suite, path)
    if split == "holdout":
        render.say(f"the cases of {suite} are held out: what trains on them cannot be measured by them")
    if as_json:
        render.emit(ExportShow(suite=suite, path=str(path), split=split, written=done.written, lost=done.lost))
        return
    lost = f"; {done.lost} are of cases that the suite no longer has" if done.lost else ""
    render.tell(f"{done.written} preferences written to {path}{lost}.")


COMMANDS = (label, agreement, ranking, export)


def _labelled(engine: Engine, suite: str, variants: list[str], rater: str, rubric: str, *, repeats: bool) -> LabelShow:
    from gatewheel.cli import rating
    from gatewheel.evals import people
    from gatewheel.loop import labelling

    criteria = people.rubric(rubric) if rubric else ()
    names = [one.name for one in criteria]
    sheet = labelling.sheet(engine, suite, rater, variants, criteria=names, repeats=repeats)
    if sheet.alike:
        render.say(f"left out, since both said the same: {sheet.alike} of {sheet.alike + len(sheet.items)}")
    session = rating.Session(
        engine=engine, sheet=sheet, asked=dict(labelling.known(engine, suite).cases), rubric=criteria
    )
    rating.label(session)
    total, left = len(sheet.items), len(labelling.waiting(engine, sheet))
    return LabelShow(suite=suite, rater=sheet.rater, given=session.given, labelled=total - left, total=total)


def _ends(row: AgreedRow | RankedRow) -> str:
    return interval(row.low, row.high)
