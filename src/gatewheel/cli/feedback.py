"""`gatewheel feedback give|list`"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import click

from gatewheel.cli import render


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackShow:
    """`gatewheel feedback give`: `id` is the same whenever the same is said; `author` is empty for the owner."""

    id: str
    trace: str
    created: float
    author: str
    thumb: str | None
    score: float | None
    comment: str
    correction: str
    wrong_citations: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackList:
    """`gatewheel feedback list`: each as `feedback give` has it."""

    feedback: list[FeedbackShow]


@click.group()
def command() -> None:
    """Say what you think of an answer, and see what others said."""


@command.command()
@click.argument("trace")
@click.option("--thumb", type=click.Choice(["up", "down"]), help="Whether the answer is good.")
@click.option("--score", type=click.FloatRange(0, 1), help="How good it is, from 0 to 1.")
@click.option("--comment", default="", help="What you think of it.")
@click.option("--correction", default="", help="What the answer should have been.")
@click.option(
    "--wrong-citation", "wrong_citations", multiple=True, type=int, metavar="N", help="Marker [N] supports nothing."
)
@render.json_option
@click.pass_context
def give(context: click.Context, /, trace: str, as_json: bool, **said: Any) -> None:
    """Say something of the answer of TRACE, an id or its beginning. Saying the same twice is saying it once."""
    with render.project(context) as project:
        kept = project.give_feedback(trace, **said)
    if as_json:
        render.emit(FeedbackShow(**{**asdict(kept), "wrong_citations": list(kept.wrong_citations)}))
        return
    render.tell(f"Kept: {_line(asdict(kept))}, of trace {kept.trace[:12]}.")


@command.command("list")
@click.option("--trace", default="", help="Only of this trace.")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@render.json_option
@click.pass_context
def list_(context: click.Context, /, trace: str, limit: int, as_json: bool) -> None:
    """The newest feedback first."""
    from gatewheel.loop.listen import find

    with render.project(context) as project:
        found = project.feedback(trace=find(project.parts, trace).id if trace else "", limit=limit)
    if as_json:
        shown = [FeedbackShow(**{**asdict(one), "wrong_citations": list(one.wrong_citations)}) for one in found]
        render.emit(FeedbackList(feedback=shown))
        return
    for one in found:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.created))
        render.tell(f"{one.trace[:12]}  {when}  {_line(asdict(one))}")


def _line(said: dict[str, Any]) -> str:
    pieces = [f"thumb {said['thumb']}" if said["thumb"] else ""]
    pieces.append(f"score {said['score']:g}" if said["score"] is not None else "")
    pieces.append("wrong " + " ".join(f"[{n}]" for n in said["wrong_citations"]) if said["wrong_citations"] else "")
    for name in ("comment", "correction"):
        text = " ".join(said[name].split())
        pieces.append(f'{name} "{render.shorten(text, 60)}"' if text else "")
    return ", ".join(piece for piece in pieces if piece)
