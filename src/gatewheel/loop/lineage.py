"""Lineage: what a thing was made of, and what came of it, as two trees from one root. Loads no model.

From an answer one walks up to its variant, its weights, the run, the cases, and to the feedback and the spans of
documents that they are of; from any of those down again to every answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from gatewheel.loop import kin, naming
from gatewheel.loop.came_of import DOWN
from gatewheel.loop.compose import Parts
from gatewheel.loop.kin import At, Fan, Kind, Node
from gatewheel.loop.made_of import UP

FAN = 5  # of one kind next to a thing: more are counted
LARGEST = 400  # things in one direction, so that a page stays one: the others are counted too
Links = Mapping[Kind, Callable[[At, str], list[Fan]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A thing with what is next to it. `more` counts by kind what is not listed; `where` is in which part of it.

    What was met before is told once: where it is met again it is `again` and has no branches.
    """

    node: Node
    where: str = ""
    branches: tuple[Branch, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A thing, with what it was made of and what came of it; a direction that was not asked for is None."""

    node: Node
    up: Branch | None
    down: Branch | None


@dataclass
class _Met:
    """A thing on the walk; its branches are known once the walk is over."""

    node: Node
    where: str = ""
    again: bool = False
    next: list[_Met] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)

    def branch(self) -> Branch:
        return Branch(
            node=self.node,
            where=self.where,
            branches=tuple(one.branch() for one in self.next),
            more=dict(self.more),
            again=self.again,
        )


def lineage(
    parts: Parts, named: str, *, up: bool = True, down: bool = True, most: int = FAN, hidden: Collection[Kind] = ()
) -> Tree:
    """The lineage of what is named: an id or its beginning, the source of a document, the name of a key.

    `most` of one kind are listed next to a thing and the others counted; 0 lists all. Nothing of the `hidden` kinds is
    found by its name.
    Raises UserError when nothing, or more than one thing, is called so.
    """
    here = kin.at(parts, most=most)
    node = naming.find(here, named, hidden=hidden)
    largest = LARGEST if most else 0
    return Tree(
        node=node,
        up=walk(here, node, UP, largest=largest) if up else None,
        down=walk(here, node, DOWN, largest=largest) if down else None,
    )


def walk(here: At, node: Node, links: Links, *, largest: int = 0) -> Branch:
    """All that is reached from a thing, the nearest first, so that each is told where it is nearest."""
    root = _Met(node)
    seen = {(node.kind, node.id)}
    waiting = deque([root])
    while waiting:
        at = waiting.popleft()
        for fan in links[at.node.kind](here, at.node.id) if at.node.kind in links else ():
            room = max(0, largest - len(seen)) if largest else len(fan.steps)
            listed = fan.steps[:room]
            if fan.count > len(listed):
                at.more[fan.kind] = at.more.get(fan.kind, 0) + fan.count - len(listed)
            for step in listed:
                name = (step.to.kind, step.to.id)
                met = _Met(step.to, where=step.where, again=name in seen)
                at.next.append(met)
                if not met.again:
                    seen.add(name)
                    waiting.append(met)
    return root.branch()
