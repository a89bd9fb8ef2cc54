"""`gatewheel traces list|show|purge`"""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from typing import Any

import click

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import SpanRecord

UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceShow:
    """`gatewheel traces show`: a question as spans; `start` and `seconds` of a span count from the question.

    `cost` is in US dollars, null when no price is known; `key` is the API key that asked, empty for the owner; `error`
    says why there is no answer; `app` is the application that gave it.
    """

    id: str
    created: float
    kind: str
    question: str
    answer: str
    abstained: bool
    variant: str
    seconds: float
    input_tokens: int
    output_tokens: int
    spans: list[SpanRecord]
    model: str
    cost: float | None
    key: str
    error: str
    app: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceList:
    """`gatewheel traces list`: each as `traces show` has it."""

    traces: list[TraceShow]


@dataclass(frozen=True, kw_only=True, slots=True)
class TracePurge:
    """`gatewheel traces purge`: how many are gone; `responses` are conversations of /v1/responses."""

    traces: int
    feedback: int
    responses: int


@click.group()
def command() -> None:
    """Look at recorded questions."""


class _Ago(click.ParamType[Any]):
    """How long ago, such as 30d, as a POSIX time stamp."""

    name = "AGO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        del param, ctx
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d{1,6})([mhdw])", value, re.ASCII)
        if not match:
            raise UserError(f"'{value}' is no length of time", cure="write e.g. 90m, 12h, 30d or 4w")
        return time.time() - int(match[1]) * UNITS[match[2]]


AGO = _Ago()


@command.command("list")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--text", default="", help="What stands in the question or the answer.")
@click.option("--kind", default="", type=click.Choice(["", "ask", "chat", "completion"]), help="Only these.")
@click.option("--abstained/--answered", default=None, help="Only those with, or without, an abstention.")
@click.option(
    "--thumb", default="", type=click.Choice(["", "up", "down"]), help="down: some author's newest is; up: all are."
)
@click.option("--since", default=None, type=AGO, metavar="AGO", help="Not older than this, e.g. 12h or 7d.")
@click.option("--variant", default="", metavar="ID", help="The beginning of a variant's id.")
@render.json_option
@click.pass_context
def list_(context: click.Context, /, limit: int, since: float | None, as_json: bool, **wanted: Any) -> None:
    """The newest questions first."""
    from gatewheel.kernel.trace import search

    with render.project(context) as project:
        found = search(project.parts.engine, limit=limit, since=since or 0.0, **wanted)[:limit]
    if as_json:
        render.emit(TraceList(traces=[TraceShow(**asdict(trace)) for trace in found]))
        return
    for trace in found:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(trace.created))
        state = "failed" if trace.error else "abstained" if trace.abstained else "answered"
        question = render.shorten(" ".join(trace.question.split()), 70)
        render.tell(f"{trace.id[:12]}  {when}  {state:9} {trace.seconds:6.2f} s  {question}")


@command.command()
@click.argument("trace")
@click.option("--prompt", is_flag=True, help="Show what the model read, too.")
@render.json_option
@click.pass_context
def show(context: click.Context, /, trace: str, prompt: bool, as_json: bool) -> None:
    """One question as spans: where its time and tokens went."""
    from gatewheel.kernel.trace import INPUT_MESSAGES, find

    with render.project(context) as project:
        found = find(project.parts.engine, trace)
        if len(found) != 1:
            what = f"no trace '{trace}'" if not found else f"'{trace}' begins {len(found)} traces"
            raise UserError(what, cure=did_you_mean(trace, [one.id[:12] for one in project.traces(limit=10)]))
    one = found[0]
    if as_json:
        render.emit(TraceShow(**asdict(one)))
        return
    render.tell(f"{one.question}\n\n{one.answer or one.error}\n")
    cost = "" if one.cost is None else f", {one.cost:.6f} dollars"
    render.tell(f"variant {one.variant[:12]}, {one.model or 'no model'}, {one.input_tokens} tokens in, ", nl=False)
    click.echo(f"{one.output_tokens} out{cost}, {one.seconds:.2f} s\n")
    for span in one.spans:
        bar = "█" * max(1, round(40 * span.seconds / max(one.seconds, 1e-9)))
        indent = " " * round(40 * span.start / max(one.seconds, 1e-9))
        render.tell(f"{span.name:16} {span.seconds:7.3f} s  {indent}{bar}")
    for span in one.spans if prompt else ():
        for message in span.attributes.get(INPUT_MESSAGES, ()):
            texts = [str(part.get("content", part)) for part in message["parts"]]
            render.tell(f"\n{message['role']}:", bold=True)
            render.tell("\n".join(texts))


@command.command()
@click.option("--older-than", required=True, type=AGO, metavar="AGO", help="E.g. 12h, 30d or 4w.")
@render.json_option
@click.pass_context
def purge(context: click.Context, /, older_than: float, as_json: bool) -> None:
    """Delete old questions with the feedback on them, and old conversations of /v1/responses."""
    from gatewheel.ops import retention

    with render.project(context) as project:
        gone = retention.purge(project.parts.engine, older_than=older_than)
    if as_json:
        render.emit(TracePurge(**asdict(gone)))
        return
    click.echo(f"{gone.traces} traces, {gone.feedback} words of feedback and {gone.responses} responses deleted.")
