"""`gatewheel evals models|report`: which model to take, and reports as files to hand on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render
from gatewheel.loop.candidates import Candidate, Choice

if TYPE_CHECKING:
    from gatewheel.evals.plots.scale import Unit

NAME = 20  # characters of a candidate's name
VERDICTS = {"inconclusive": "open", "equivalent": "equal"}
MARKS = {True: "★", False: " ", None: "·"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFile:
    """`gatewheel evals report`: the file and its size in bytes; of `of` cases that could be told, `cases` are."""

    path: str
    size: int
    reports: list[str]
    cases: int
    of: int


@click.command()
@click.argument("suite")
@click.option(
    "--metric", default="", metavar="NAME", help="The quality to choose by; the first of the suite that is no judge."
)
@click.option(
    "--cost",
    type=click.Choice(["price", "seconds", "memory", "size"]),
    default="price",
    show_default=True,
    help="What to hold against it.",
)
@click.option(
    "--margin", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="What does not matter: a share."
)
@click.option("--measure", is_flag=True, help="Load local models whose memory is not known (seconds each).")
@click.option("--html", "file", default="", metavar="FILE", help="Write the page with its plot as well.")
@render.json_option
@click.pass_context
def models(context: click.Context, /, suite: str, file: str, as_json: bool, **wanted: object) -> None:
    """Every candidate of SUITE: quality, speed, memory, size, price, licence, and which ones nothing surely beats.

    Asks nobody anything: quality is of the reports that `gatewheel evals run` made.
    """
    from gatewheel.loop.choosing import choice

    with render.project(context) as project:
        found = choice(project.parts, suite, **wanted)  # type: ignore[arg-type]
    if file:
        from gatewheel.studio import paper

        _write(file, paper.models(found), quiet=as_json)
    if as_json:
        render.emit(found)
    else:
        _show(found)


@click.command()
@click.argument("reports", nargs=-1, required=True, metavar="REPORT...")
@click.option("--html", "file", default="", metavar="FILE", help="Where to write it; SUITE.html when left out.")
@click.option("--metric", default="", metavar="NAME", help="By which slices and cases are told; the first one.")
@click.option(
    "--margin", default=0.02, show_default=True, type=click.FloatRange(0, 1), help="What does not matter: a share."
)
@click.option("--cases", default=100, show_default=True, type=click.IntRange(0, 100_000), help="So many with answers.")
@click.option(
    "--against",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file that a model was trained on, to look for leaks in too.",
)
@render.json_option
@click.pass_context
def report(
    context: click.Context,
    /,
    reports: tuple[str, ...],
    file: str,
    metric: str,
    margin: float,
    cases: int,
    against: tuple[Path, ...],
    as_json: bool,
) -> None:
    """REPORT as one page to hand on, with plots; several are compared with the first. Named as for `show`.

    The page holds questions, answers and the prompt. It loads nothing and runs nothing.
    """
    from gatewheel.loop import papers
    from gatewheel.loop import reports as kept_reports
    from gatewheel.studio import paper

    with render.project(context) as project:
        kept = [kept_reports.find(project.parts.engine, text) for text in reports]
        files = [Path.cwd() / path for path in against]
        found = papers.paper(project.parts, kept, metric=metric, margin=margin, cases=cases, against=files)
    text = paper.report(found)
    path = file or f"{kept[0].report.suite}.html"
    _write(path, text, quiet=as_json)
    if as_json:
        ids = [one.report.id for one in kept]
        render.emit(ReportFile(path=path, size=len(text.encode()), reports=ids, cases=len(found.cases), of=found.total))


def _write(path: str, text: str, *, quiet: bool) -> None:
    render.write(path, text)
    if not quiet:
        render.say(f"{path}: {len(text.encode()) / 1000:,.0f} kB")


def _show(found: Choice) -> None:
    render.tell(f"{found.suite}, {found.cases} cases: {found.metric} ({found.better} is better) against {found.cost}")
    if found.candidates:
        head = ("candidate", f"{found.metric[:13]}, 95%", "to the best", "first s, p95", "tok/s", "memory", "size")
        render.table((*head, "$/1,000"), [_row(found, one) for one in found.candidates])
        click.echo(f"\n{_legend(found)}")
        _licences(found)
    for one in found.waiting:
        render.tell(f"no report: {one.name}{f' ({one.why})' if one.why else ''}: {one.command}")
    for note in found.notes:
        render.tell(note, dim=True)


def _row(found: Choice, one: Candidate) -> list[str]:
    from gatewheel.evals.plots.labels import shortened
    from gatewheel.evals.plots.scale import between, told
    from gatewheel.loop.drawing import unit_of

    unit = unit_of(found.metric, found.bounds)
    speed = one.speed
    first = "–"
    if speed and speed.first_median is not None and speed.first_p95 is not None:
        first = f"{speed.first_median:.2g}, {speed.first_p95:.2g}"
    pace = speed.tokens_per_second if speed else None
    plain: Unit = "share" if unit == "share" else "number"  # the head of the column says which metric it is
    return [
        render.printable(shortened(f"{MARKS[one.front]} {one.number} {one.name}", NAME)),
        between(one.quality.value, one.quality.low, one.quality.high, plain),
        _gap(one, unit),
        first,
        "–" if pace is None else f"{pace:.0f}",
        told(one.memory, "bytes"),
        told(one.size, "bytes"),
        told(one.price, "number", digits=2),
    ]


def _gap(one: Candidate, unit: Unit) -> str:
    from gatewheel.evals.plots.scale import told

    if one.gap is None:
        return "best" if one.number == 1 and one.quality.value is not None else "–"
    sign = "−" if one.gap.difference < 0 else "+" if one.gap.difference > 0 else ""
    far = told(abs(one.gap.difference), "points" if unit == "share" else "number")
    return f"{sign}{far} {VERDICTS.get(one.gap.verdict, one.gap.verdict)}"


def _legend(found: Choice) -> str:
    placed = [one for one in found.candidates if one.front is not None]
    if any(one.quality.judged for one in found.candidates):
        return f"None is marked: {found.metric} is what a judge says, raw."
    if not placed:
        return f"No candidate has a {found.cost} that is known, so none is marked."
    front = sum(bool(one.front) for one in placed)
    said = f"★ nothing surely beats it on {found.metric} and {found.cost}: {front} of {len(placed)}."
    return f"{said} open: too few cases to say which is better." if any(map(_is_open, placed)) else said


def _is_open(one: Candidate) -> bool:
    return one.gap is not None and one.gap.verdict == "inconclusive"


def _licences(found: Choice) -> None:
    terms = {one.terms.licence: one.terms for one in found.candidates if one.terms}
    for one in terms.values():
        who = ", ".join(
            f"{each.number}" for each in found.candidates if each.terms and each.terms.licence == one.licence
        )
        told = f" ({one.told})" if one.told else ""
        allowed = f"commercial use {one.commercial}, passing on {one.redistribution}, derived models {one.derived}"
        source = f" {one.source}" if one.source else ""
        render.tell(f"licence of {who}: {one.title}, says {one.stated}: {allowed}{told}{source}")


COMMANDS = (models, report)
