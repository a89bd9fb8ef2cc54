"""`gatewheel gate`"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.loop.gating import Judged

CODES = {"promote": 0, "reject": 3, "inconclusive": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class GateReason:
    """One rule. `metric` and `slice` are empty where it is about none; `outcome` is promote, reject or inconclusive."""

    rule: str
    metric: str
    slice: str
    outcome: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GateDecision:
    """`gatewheel gate`: `outcome` is promote, reject or inconclusive, after `cases` of `of` cases.

    `candidate` and `incumbent` are ids of variants, the latter empty when nothing is released yet; `reports` are the
    ids of theirs. `row` is where the history of releases has the decision; null for a comparison with something else
    than what answers now.
    """

    gate: str
    app: str
    suite: str
    outcome: str
    candidate: str
    incumbent: str
    cases: int
    of: int
    reports: list[str]
    row: int | None
    reasons: list[GateReason]


@click.command()
@click.argument("candidate")
@click.option("--against", default="", metavar="INCUMBENT", help="Default: the release, or what the file says.")
@click.option("--gate", "name", default="", metavar="NAME", help="Which [gate.*]; default: main, or the only one.")
@click.option("--markdown", default="", metavar="FILE", help="Write a report for a pull request.")
@click.option("--junit", default="", metavar="FILE", help="Write JUnit XML.")
@render.json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    candidate: str,
    against: str,
    name: str,
    markdown: str,
    junit: str,
    as_json: bool,
) -> int:
    """Decide whether CANDIDATE may replace what answers now: an [app.*] or the beginning of a variant's id.

    Exit codes: 0 promote, 3 reject, 4 inconclusive. The decision is written into the history of releases. Ctrl-C keeps
    what was answered; the same command, or `gatewheel runs resume`, goes on from there.
    """
    from gatewheel.cli import gate_files, progress, release
    from gatewheel.loop import gating, running

    asked = gating.Asked(candidate=candidate, gate=name, against=against, author=release.author())
    with render.project(context) as project:
        gating.refuse_unknown(project.parts, asked)
        with progress.bar(quiet=as_json) as show:
            judged = gating.judged_of(running.gate(project, asked, on_progress=show))
    files = {markdown: gate_files.markdown(judged)} if markdown else {}
    gate_files.write({**files, **({junit: gate_files.junit(judged)} if junit else {})})
    if as_json:
        render.emit(_shape(judged))
    else:
        _tell(judged)
    return CODES[judged.decision.outcome]


def _tell(judged: Judged) -> None:
    from gatewheel.cli.gate_files import MARKS, by_weight, verdict

    render.tell(f"{judged.decision.outcome}: {verdict(judged)}", bold=True)
    for reason in by_weight(judged.decision.reasons):
        render.tell(f"{MARKS[reason.outcome]} {reason.text}")
    if judged.row is None:
        render.tell("Not written into the history: the incumbent is not what answers now.", err=True)
    elif judged.decision.outcome == "promote":
        render.tell(f"Release it: gatewheel release promote {judged.candidate[:12]} --app {judged.app}", err=True)


def _shape(judged: Judged) -> GateDecision:
    reasons = [
        GateReason(rule=one.rule, metric=one.metric, slice=one.slice, outcome=one.outcome, text=one.text)
        for one in judged.decision.reasons
    ]
    return GateDecision(
        gate=judged.gate,
        app=judged.app,
        suite=judged.suite,
        outcome=judged.decision.outcome,
        candidate=judged.candidate,
        incumbent=judged.incumbent,
        cases=judged.cases,
        of=judged.of,
        reports=list(judged.reports),
        row=judged.row,
        reasons=reasons,
    )
