"""`gatewheel lineage`"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.loop.lineage import Branch

WORDS = {"feedback": ("words of feedback", "word of feedback"), "case": ("cases", "case")}
DIGITS = 12  # of an id


@dataclass(frozen=True, kw_only=True, slots=True)
class LineageNode:
    """A thing: trace, variant, release, artifact, run, dataset, case, feedback, document, file or user.

    `created` is a POSIX time stamp, null where nobody knows; `tainted` says what it learned of that was forgotten.
    """

    kind: str
    id: str
    label: str
    created: float | None
    tainted: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class LineageBranch:
    """A thing with what is next to it. `more` counts by kind what is not listed; `where` is in which part of it.

    What was met before is told once: `again` says that its branches stand elsewhere in the tree.
    """

    node: LineageNode
    where: str
    branches: list[LineageBranch]
    more: dict[str, int]
    again: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LineageShow:
    """`gatewheel lineage`: `up` is what it was made of, `down` what came of it; null where it was not asked for."""

    node: LineageNode
    up: LineageBranch | None
    down: LineageBranch | None


@click.command()
@click.argument("name")
@click.option("--up", "only", flag_value="up", help="Only what it was made of.")
@click.option("--down", "only", flag_value="down", help="Only what came of it.")
@click.option("--all", "every", is_flag=True, help="List what would be counted.")
@render.json_option
@click.pass_context
def command(context: click.Context, /, name: str, only: str | None, every: bool, as_json: bool) -> None:
    """What NAME was made of, and what came of it.

    NAME is a trace, variant, case, artifact, dataset, run or feedback by the beginning of its id, the source of a
    document, or the name of a key.
    """
    from gatewheel.loop.lineage import FAN, lineage

    with render.project(context) as project:
        found = lineage(project.parts, name, up=only != "down", down=only != "up", most=0 if every else FAN)
    if as_json:
        up, down = (shape(one) if one else None for one in (found.up, found.down))
        render.emit(LineageShow(node=_node(found.node), up=up, down=down))
        return
    render.tell(_line(found.node), bold=True)
    for title, tree in (("made of", found.up), ("what came of it", found.down)):
        if tree is not None:
            render.tell(f"\n{title}{'' if tree.branches or tree.more else ': nothing'}")
            for line in drawn(tree):
                render.tell(line)


def drawn(branch: Branch, before: str = "") -> Iterator[str]:
    """A line for everything below a branch, as a tree."""
    more = [f"and {counted(branch.more)} more"] if branch.more else []
    last = len(branch.branches) + len(more) - 1
    for place, one in enumerate(branch.branches):
        bough, trunk = ("└─ ", "   ") if place == last else ("├─ ", "│  ")
        again = "  (told elsewhere)" if one.again and (one.node.kind not in ("release", "document")) else ""
        yield f"{before}{bough}{_line(one.node)}{f', {one.where}' if one.where else ''}{again}"
        yield from drawn(one, before + trunk)
    for text in more:
        yield f"{before}└─ {text}"


def counted(more: Mapping[str, int]) -> str:
    """Numbers by kind in words.

    >>> counted({"case": 312, "trace": 1})
    '312 cases and 1 trace'
    """
    return " and ".join(f"{number:,} {_kind(kind, number)}" for kind, number in more.items())


def shape(branch: Branch) -> LineageBranch:
    """A branch as JSON has it."""
    return LineageBranch(
        node=_node(branch.node),
        where=branch.where,
        branches=[shape(one) for one in branch.branches],
        more=dict(branch.more),
        again=branch.again,
    )


def _node(node: object) -> LineageNode:
    said = {name: getattr(node, name) for name in LineageNode.__dataclass_fields__}
    return LineageNode(**{**said, "tainted": list(said["tainted"])})


def _line(node: object) -> str:
    one = _node(node)
    id_ = one.id if one.kind in ("document", "file", "run", "release", "user") else one.id[:DIGITS]
    label = f"  {one.label}" if one.label != one.id else ""
    day = time.strftime("  %Y-%m-%d %H:%M", time.localtime(one.created)) if one.created else ""
    tainted = f"  TAINTED: {'; '.join(one.tainted)}" if one.tainted else ""
    return f"{one.kind} {id_}{label}{day}{tainted}"


def _kind(kind: str, number: int) -> str:
    many, one = WORDS.get(kind, (f"{kind}s", kind))
    return one if number == 1 else many
