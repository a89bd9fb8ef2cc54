"""`gatewheel traces list|show`"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import click

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import SpanRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceShow:
    """`gatewheel traces show`: a question as spans; `start` and `seconds` of a span count from the question."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceList:
    """`gatewheel traces list`: each as `traces show` has it."""

    traces: list[TraceShow]


@click.group()
def command() -> None:
    """Look at recorded questions."""


@command.command("list")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@render.json_option
@click.pass_context
def list_(context: click.Context, /, limit: int, as_json: bool) -> None:
    """The newest questions first."""
    with render.project(context) as project:
        found = project.traces(limit=limit)
    if as_json:
        render.emit(TraceList(traces=[TraceShow(**asdict(trace)) for trace in found]))
        return
    for trace in found:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(trace.created))
        state = "abstained" if trace.abstained else "answered"
        question = render.shorten(" ".join(trace.question.split()), 70)
        render.tell(f"{trace.id[:12]}  {when}  {state:9} {trace.seconds:6.2f} s  {question}")


@command.command()
@click.argument("trace")
@render.json_option
@click.pass_context
def show(context: click.Context, /, trace: str, as_json: bool) -> None:
    """One question as spans: where its time and tokens went."""
    from gatewheel.kernel.trace import find

    with render.project(context) as project:
        found = find(project.parts.engine, trace)
        if len(found) != 1:
            what = f"no trace '{trace}'" if not found else f"'{trace}' begins {len(found)} traces"
            raise UserError(what, cure=did_you_mean(trace, [one.id[:12] for one in project.traces(limit=10)]))
    one = found[0]
    if as_json:
        render.emit(TraceShow(**asdict(one)))
        return
    render.tell(
        f"{one.question}\n\n{one.answer}\n\nvariant {one.variant[:12]}, {one.input_tokens} tokens in, ", nl=False
    )
    click.echo(f"{one.output_tokens} out, {one.seconds:.2f} s\n")
    for span in one.spans:
        bar = "█" * max(1, round(40 * span.seconds / max(one.seconds, 1e-9)))
        indent = " " * round(40 * span.start / max(one.seconds, 1e-9))
        click.echo(f"{span.name:16} {span.seconds:7.3f} s  {indent}{bar}")
