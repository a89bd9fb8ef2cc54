"""`gatewheel data harvest`"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import click

from gatewheel.cli import render
from gatewheel.cli.data_import import encoder_of, words_option
from gatewheel.cli.traces import AGO

MOST = 20  # traces of which no case was made that are told one by one


@dataclass(frozen=True, kw_only=True, slots=True)
class PassedRow:
    """A trace of which no case was made, and why."""

    trace: str
    question: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DataHarvest:
    """`gatewheel data harvest`: `cases` are all of the suite. Of the `traces` for which the filter holds, those in
    `passed` gave none; `renewed` cases got another reference, `known` ones had it already.
    """

    suite: str
    traces: int
    cases: int
    added: int
    renewed: int
    known: int
    passed: list[PassedRow]


@click.command()
@click.option("--to", "suite", required=True, help="The suite for training that takes the cases; made when needed.")
@click.option("--since", default=None, type=AGO, metavar="AGO", help="Only what was said since then, e.g. 12h or 7d.")
@click.option(
    "--where",
    default="corrected=yes",
    show_default=True,
    help='Conditions joined by "and" on thumb, score, corrected, app, variant, kind.',
)
@click.option("--app", default="", metavar="NAME", help="Leave alone what another [app.*] answered, as `improve` does.")
@click.option("--redact/--no-redact", default=True, show_default=True, help="Black out what belongs to people.")
@words_option
@render.json_option
@click.pass_context
def harvest(
    context: click.Context,
    /,
    suite: str,
    since: float | None,
    where: str,
    app: str,
    redact: bool,
    words_only: bool,
    as_json: bool,
) -> None:
    """Cases from what people said of answers: a correction becomes the reference.

    With thumb=up or a least score in --where, an answer that was found good is a reference itself. Doing it again adds
    only what is new. What is near to a held-out case is left out, and told.
    """
    from gatewheel.kernel.settings import REDACTED
    from gatewheel.loop import harvesting
    from gatewheel.loop.harvesting import Wanted

    wanted = Wanted(to=suite, since=since or 0.0, where=where, app=app, redact=REDACTED if redact else ())
    with render.project(context) as project:
        done = harvesting.harvest(project.parts, wanted, encoder=encoder_of(project, words_only))
    told = DataHarvest(suite=suite, **{**asdict(done), "passed": [PassedRow(**asdict(one)) for one in done.passed]})
    if as_json:
        render.emit(told)
    else:
        _tell(told)


COMMANDS = (harvest,)


def _tell(told: DataHarvest) -> None:
    for one in told.passed[:MOST]:
        question = render.shorten(" ".join(one.question.split()), 50)
        render.tell(f"left out {one.trace[:12]} '{question}': {one.reason}", err=True)
    if len(told.passed) > MOST:
        render.tell(f"and {len(told.passed) - MOST} more, which --json tells", err=True)
    changed = f", {told.renewed} got another reference" if told.renewed else ""
    known = f", {told.known} known" if told.known else ""
    left = f"; {len(told.passed)} of {told.traces} traces left out" if told.passed else ""
    click.echo(f"suite {told.suite}: {told.added} cases added{changed}{known}; {told.cases} in all, train{left}")
