"""`/api/lineage`: what a thing was made of and what came of it, as the caller may see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from gatewheel.kernel import trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import listen
from gatewheel.loop.compose import Parts
from gatewheel.loop.kin import Kind, Node
from gatewheel.loop.lineage import FAN, Branch, lineage
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing, refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["lineage"])
MOST = 200  # of one kind next to a thing
NAMELESS: tuple[Kind, ...] = ("document", "file", "user", "case", "feedback")
"""What a key that does not see every document cannot ask for: whether it is there would tell."""
UNNAMED = {"document": "a document", "file": "a file", "case": "a case", "trace": "an answer"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeView:
    """A thing: trace, variant, release, artifact, run, dataset, case, feedback, document, file or user.

    `id` is empty for what the caller may not see. `tainted` says what it learned of that was forgotten since.
    """

    kind: str
    id: str
    label: str
    created: float | None
    tainted: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchView:
    """A thing with what is next to it. `more` counts by kind what is not listed; `where` is in which part of it.

    What was met before is told once: `again` says that its branches stand elsewhere in the tree.
    """

    node: NodeView
    where: str
    branches: list[BranchView]
    more: dict[str, int]
    again: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LineageView:
    """A thing; `up` is what it was made of, `down` what came of it, null where it was not asked for."""

    node: NodeView
    up: BranchView | None
    down: BranchView | None


@router.get("/lineage/{name:path}", operation_id="get_lineage", responses=refusals(404))
async def show(
    name: Annotated[Words, Path(description="An id or its beginning, the source of a document, the name of a key.")],
    caller: Annotated[Caller, Depends(may("operate"))],
    at: Annotated[Service, Depends(service)],
    direction: Annotated[Literal["", "up", "down"], Query(description="Only this one.")] = "",
    most: Annotated[int, Query(ge=1, le=MOST, description="Of one kind next to a thing; others are counted.")] = FAN,
) -> LineageView:
    """What a thing was made of, and what came of it.

    Keys that do not see every document get no names of documents, no questions of cases and no answers to other keys.
    """
    return await at.quickly(lambda: _show(at.project.parts, name, caller, direction, most))


def _show(parts: Parts, name: str, caller: Caller, direction: str, most: int) -> LineageView:
    limited = caller.groups is not None
    try:
        found = lineage(
            parts,
            name,
            up=direction != "down",
            down=direction != "up",
            most=most,
            hidden=NAMELESS if limited else (),
        )
    except UserError as error:
        raise _nothing(name) if limited else missing(error) from None
    seen = _seen(parts, caller)
    if not seen(found.node).id:
        raise _nothing(name)
    up, down = (_branch(one, seen) if one else None for one in (found.up, found.down))
    return LineageView(node=_view(seen(found.node)), up=up, down=down)


def _seen(parts: Parts, caller: Caller) -> Callable[[Node], Node]:
    """How the caller may see a thing."""
    if caller.groups is None:
        return lambda node: node
    keys = listen.askers(parts, caller)

    def seen(node: Node) -> Node:
        tainted = ("something was forgotten",) if node.tainted else ()
        hides = node.kind in ("document", "file", "case")
        if node.kind == "trace":
            hides = not trace.find(parts.engine, node.id, keys=keys)
        id_, label = ("", UNNAMED[node.kind]) if hides else (node.id, node.label)
        return replace(node, id=id_, label=label, tainted=tainted)

    return seen


def _branch(one: Branch, seen: Callable[[Node], Node]) -> BranchView:
    node = seen(one.node)
    return BranchView(
        node=_view(node),
        where=one.where if node.id else "",
        branches=[_branch(each, seen) for each in one.branches],
        more=dict(one.more),
        again=one.again,
    )


def _view(node: Node) -> NodeView:
    return NodeView(kind=node.kind, id=node.id, label=node.label, created=node.created, tainted=list(node.tainted))


def _nothing(name: str) -> Fault:
    return Fault(404, f"nothing here is called '{name[:80]}', or this key may not see it", code="not_found")
