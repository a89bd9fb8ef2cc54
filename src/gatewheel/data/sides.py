"""The two sides of the split in a project's suites: what stands on the other one, and what has too much of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatewheel.data import overlap, splits, suites
from gatewheel.data.cases import split_key
from gatewheel.data.splits import SAID
from gatewheel.data.suites import Split
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.kernel.ports import Encoder


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A case and what it has in common with one of another suite; `hit` says in which way, and how much."""

    case: Case
    other: Case
    suite: str
    hit: overlap.Hit


def other(split: Split) -> Split:
    """The other side."""
    return "holdout" if split == "train" else "train"


def across(
    root: Path, split: Split, *, besides: str = "", tell: Callable[[str], None] | None = None
) -> dict[str, tuple[Case, ...]]:
    """The suites, `besides` not among them, whose cases stand on the other side of this one, by name.

    One that cannot be read may hold anything: it raises its UserError, or with `tell` is told of and left out.
    """
    found: dict[str, tuple[Case, ...]] = {}
    for name in suites.names(root):
        try:
            if name != besides and suites.settings_of(root, name).split != split:
                found[name] = suites.load(root, name).cases
        except UserError as error:
            if tell is None:
                raise
            tell(f"suite {name} cannot be read, so nothing was compared with it: {error}")
    return found


def common(
    cases: Sequence[Case],
    others: Mapping[str, tuple[Case, ...]],
    *,
    encoder: Encoder | None = None,
    tick: Callable[[], None] = lambda: None,
) -> list[Found]:
    """For each case and each way to tell, the one of the others that it has most in common with."""
    named = [(suite, one) for suite, every in others.items() for one in every]
    hits = overlap.closest(cases, [one for _, one in named], encoder=encoder, tick=tick)
    return [Found(case=cases[hit.a], other=named[hit.b][1], suite=named[hit.b][0], hit=hit) for hit in hits]


def refuse_near(
    cases: Sequence[Case], split: Split, others: Mapping[str, tuple[Case, ...]], *, encoder: Encoder | None = None
) -> None:
    """Raises UserError when a case that is to be in this split is nearly the same as one of the others."""
    near = [found for found in common(cases, others, encoder=encoder) if overlap.is_near(found.hit)]
    if not near:
        return
    first, count = near[0], len({found.hit.a for found in near})
    what = f"{count} of {len(cases)} cases are nearly the same as cases that are {SAID[other(split)]}, such as "
    what += f"'{_short(first.case)}' and '{_short(first.other)}' of suite {first.suite}"
    raise UserError(what, cure="leave them out, or put them on the same side")


def enter(
    root: Path,
    engine: Engine,
    cases: Sequence[Case],
    split: Split,
    *,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Enter cases into a split, of which those that are new to it have too few words in common with the other side.

    Raises UserError when one stands on the other side, or is nearly the same as one that a suite has there. With `tell`
    a suite that cannot be read stops nobody: that no case stands on both sides holds without it, and what is near is
    looked for again in every report (data/leak_sources.py).
    """
    splits.confirm(engine, cases, split)
    known = splits.of(engine, map(split_key, cases))
    if new := [case for case in cases if split_key(case) not in known]:
        refuse_near(new, split, across(root, split, tell=tell))
    splits.assign(engine, cases, split)


def _short(case: Case) -> str:
    return " ".join(case.question.split())[:80]
