"""`gatewheel gate`"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.loop.gating import Decided

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
            decided = gating.decided_of(running.gate(project, asked, on_progress=show))
    if markdown:
        render.write(markdown, gate_files.markdown(decided))
    if junit:
        render.write(junit, gate_files.junit(decided))
    if as_json:
        render.emit(_shape(decided))
    else:
        _tell(decided)
    return CODES[decided.decision.outcome]


def _tell(decided: Decided) -> None:
    from gatewheel.cli.gate_files import MARKS, by_weight, sentence

    render.tell(f"{decided.decision.outcome}: {sentence(decided)}", bold=True)
    for reason in by_weight(decided.decision.reasons):
        render.tell(f"{MARKS[reason.outcome]} {reason.text}")
    if decided.row is None:
        render.tell("Not written into the history: the incumbent is not what answers now.", err=True)
    elif decided.decision.outcome == "promote":
        render.tell(f"Release it: gatewheel release promote {decided.candidate[:12]} --app {decided.app}", err=True)


def _shape(decided: Decided) -> GateDecision:
    reasons = [
        GateReason(rule=one.rule, metric=one.metric, slice=one.slice, outcome=one.outcome, text=one.text)
        for one in decided.decision.reasons
    ]
    return GateDecision(
        gate=decided.gate,
        app=decided.app,
        suite=decided.suite,
        outcome=decided.decision.outcome,
        candidate=decided.candidate,
        incumbent=decided.incumbent,
        cases=decided.cases,
        of=decided.of,
        reports=list(decided.reports),
        row=decided.row,
        reasons=reasons,
    )
