"""`gatewheel evals judge|judges|prefer`: language models that judge, and how far they agree with people."""

from __future__ import annotations

import time

import click

from gatewheel.cli import judge_shapes, render
from gatewheel.cli.figures import interval, number
from gatewheel.cli.judge_shapes import JudgeList, JudgeRow, JudgeShow, PreferShow


@click.command()
@click.argument("name")
@click.option("--again", is_flag=True, help="Ask all of it again: an endpoint may have changed behind its name.")
@render.json_option
@click.pass_context
def judge(context: click.Context, /, name: str, again: bool, as_json: bool) -> None:
    """Measure how far the judge NAME, a [metric.NAME] of `use = "judge"`, agrees with people on its golden set.

    It is admitted while the lower end of its agreement reaches its bar. What it said before is not asked again. Ctrl-C
    keeps what it said; the same command, or `gatewheel runs resume`, goes on from there.
    """
    from gatewheel.cli import progress
    from gatewheel.loop import probation, running

    with render.project(context) as project:
        with progress.bar(quiet=as_json) as show:
            result = running.judge(project, name, again=again, on_progress=show)
        measured = probation.of_result(project.parts.engine, result)
        row = judge_shapes.row(project.config, probation.standing(project.parts, name))
    shape = JudgeShow(judge=row, moved=judge_shapes.moved(measured), forgotten=measured.forgotten)
    if as_json:
        render.emit(shape)
        return
    _tell(shape)


@click.command()
@render.json_option
@click.pass_context
def judges(context: click.Context, /, as_json: bool) -> None:
    """All judges of the project, and which of them count in a gate."""
    with render.project(context) as project:
        from gatewheel.loop import probation

        found = [probation.standing(project.parts, name) for name in probation.names(project.config)]
        rows = [judge_shapes.row(project.config, one) for one in found]
    if as_json:
        render.emit(JudgeList(judges=rows))
    elif rows:
        head = ["judge", "standing", "agreement", "interval", "bar", "answers", "people", "measured"]
        render.table(head, [_cells(row) for row in rows])
        for row in rows:
            render.tell(row.text)
    else:
        click.echo('No judges: write [metric.NAME] with use = "judge"; see docs/judges.md', err=True)


@click.command()
@click.argument("judge")
@click.argument("a")
@click.argument("b")
@render.json_option
@click.pass_context
def prefer(context: click.Context, /, judge: str, a: str, b: str, as_json: bool) -> None:
    """Which answers of the reports A and B the judge JUDGE prefers, each pair asked in both orders.

    Reports are named as for `compare`. It is for looking: no gate counts it. Ctrl-C keeps what was said; the same
    command, or `gatewheel runs resume`, goes on from there.
    """
    from gatewheel.cli import progress
    from gatewheel.loop import preferring, running

    with render.project(context) as project:
        with progress.bar(quiet=as_json) as show:
            result = running.prefer(project, judge, a, b, on_progress=show)
        found = preferring.duel(project.parts, judge, result["a"], result["b"], ask=False)
        shape = judge_shapes.preferred(found, judge_shapes.row(project.config, found.standing))
    if as_json:
        render.emit(shape)
        return
    render.tell(
        f"{shape.wins} wins of b, {shape.losses} of a, {shape.ties} ties, {shape.undecided} undecided", bold=True
    )
    if shape.alike:
        render.say(f"left out, since both said the same: {shape.alike}")
    render.tell(f"raw: b is preferred in {shape.share:.1%} {interval(shape.low, shape.high)}")
    if shape.corrected is not None:
        ends = interval(shape.corrected_low, shape.corrected_high)
        render.tell(f"corrected by {shape.labelled} pairs that people compared: {shape.corrected:.1%} {ends}")
    render.tell(f"the same in both orders: {_share(shape.same)}; the first place was taken: {_share(shape.first)}")
    render.tell(shape.judge.text, err=True)


COMMANDS = (judge, judges, prefer)
__all__ = ["COMMANDS", "JudgeList", "JudgeShow", "PreferShow"]


def _tell(shape: JudgeShow) -> None:
    row = shape.judge
    render.tell(row.text, bold=True)
    render.tell(
        f"agreement with {row.raters} people on {row.answers} answers: {_with(row.agreement, row.low, row.high)}"
    )
    more = [f"ranks (Spearman) {number(row.spearman)}"]
    more += [f"right in {_share(row.accuracy)}"] if row.accuracy is not None else []
    more += [f"no verdict on {row.silent}"] if row.silent else []
    render.tell("  " + ", ".join(more))
    if row.people is not None:
        people = _with(row.people, row.people_low, row.people_high)
        render.tell(f"people with each other: alpha {people}; one of them with the others {number(row.person)}")
    render.tell(f"the same verdict when asked again: {_share(row.steady)}")
    if row.same is not None:
        render.tell(
            f"two answers, the same in both orders: {_share(row.same)}; the first was taken: {_share(row.first)}"
        )
    if shape.moved:
        moved = shape.moved
        apart = f"{moved.difference:+.3f} {interval(moved.low, moved.high)}"
        render.tell(f"since it was measured last: {apart} on {moved.answers} answers, p = {moved.p:.3f}")
    if shape.forgotten:
        render.tell(f"It says something else now, so {shape.forgotten} verdicts were dropped: run the suites again.")


def _cells(row: JudgeRow) -> list[str]:
    when = time.strftime("%Y-%m-%d", time.localtime(row.measured)) if row.measured else "never"
    ends = interval(row.low, row.high) if row.measured else ""
    count = "" if row.answers is None else str(row.answers)
    return [row.name, row.state, number(row.agreement), ends, f"{row.bar:g}", count, number(row.people), when]


def _with(value: float | None, low: float | None, high: float | None) -> str:
    return f"{number(value)} {interval(low, high)}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
