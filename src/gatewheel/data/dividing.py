"""Divides cases into two sides so that what hangs together stays together.

Cases hang together that ask the same or nearly so, that have a cluster in common, or that are asked about one context.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatewheel.data.cases import folded, identity, split_key
from gatewheel.data.suites import Split
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case


@dataclass(frozen=True, kw_only=True, slots=True)
class Divided:
    """Both sides, each in the order in which the cases came; `groups` is how many groups could be moved."""

    train: tuple[Case, ...]
    holdout: tuple[Case, ...]
    groups: int


def divide(
    cases: Sequence[Case],
    *,
    train: float,
    known: Mapping[str, Split],
    near: Iterable[tuple[int, int]] = (),
    seed: int = 0,
) -> Divided:
    """About a share `train` of the cases for training. `near` are pairs of places that hang together.

    What `known` says of a `split_key` stands, and its whole group follows. Otherwise the side of a group depends on the
    seed and on its cases alone. Raises UserError when a group would have to stand on both sides.
    """
    groups = _groups(cases, near)
    sides: dict[int, Split] = {}
    for number, group in enumerate(groups):
        if said := {known[key] for place in group if (key := split_key(cases[place])) in known}:
            if len(said) > 1:
                question = " ".join(cases[group[0]].question.split())[:80]
                what = f"{len(group)} cases that hang together stand on both sides already, such as '{question}'"
                raise UserError(what, cure="see which by `gatewheel data check`, and remove those of one side")
            sides[number] = said.pop()
    free = [number for number in range(len(groups)) if number not in sides]
    wanted = round(train * len(cases)) - sum(len(groups[number]) for number, side in sides.items() if side == "train")
    for number in sorted(free, key=lambda number: _lot(cases, groups[number], seed)):
        # a group goes to the training side while at least half of it is wanted there
        sides[number] = "train" if wanted > 0 and 2 * wanted >= len(groups[number]) else "holdout"
        wanted -= len(groups[number]) if sides[number] == "train" else 0
    trained = {place for number, group in enumerate(groups) if sides[number] == "train" for place in group}
    return Divided(
        train=tuple(case for place, case in enumerate(cases) if place in trained),
        holdout=tuple(case for place, case in enumerate(cases) if place not in trained),
        groups=len(free),
    )


def _groups(cases: Sequence[Case], near: Iterable[tuple[int, int]]) -> list[list[int]]:
    parent = list(range(len(cases)))

    def top(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    firsts: dict[tuple[str, str], int] = {}
    same = [
        (place, firsts.setdefault((kind, value), place))
        for place, case in enumerate(cases)
        for kind, value in (("cluster", case.cluster), ("context", folded(case.context)), ("asked", split_key(case)))
        if value
    ]
    for a, b in (*same, *near):
        parent[top(a)] = top(b)
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(len(cases)):
        found[top(place)].append(place)
    return list(found.values())


def _lot(cases: Sequence[Case], group: Sequence[int], seed: int) -> str:
    names = sorted(identity(cases[place]) for place in group)
    return hashlib.sha256(f"{seed} {' '.join(names)}".encode()).hexdigest()
