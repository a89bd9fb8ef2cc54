"""What of a project can be learned, and what to look at first: samples, lengths, twins, what is near to holdouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewheel.data import datasets, overlap, quality, sides, splits, stats, suites
from gatewheel.data.cases import split_key
from gatewheel.data.datasets import Dataset
from gatewheel.data.stats import Stats
from gatewheel.data.suites import Suite
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.example import Example
from gatewheel.kernel.nouns import Case
from gatewheel.loop.compose import Parts
from gatewheel.loop.nearness import encoder_of
from gatewheel.loop.serving import as_served
from gatewheel.loop.wording import examples_of

SHOWN = 3  # samples, evenly spread
FEW = 30  # replies that are told one by one
NONE = "(no answer)"
TOLD = 20  # near cases that are told one by one


@dataclass(frozen=True, kw_only=True, slots=True)
class LearnSet:
    """A suite for training, or a frozen version with its `version` and when it was `created`.

    `teaching` counts cases that say what is right. `fault` says why a suite cannot be read, `tainted` why nothing
    should learn of a version.
    """

    name: str
    version: str
    created: float | None
    cases: int
    teaching: int
    tainted: tuple[str, ...]
    fault: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What a set is made of. `samples` are cases as an application words them, with the reply that is learned.

    `replies` counts each reply, the most frequent first, where there are few: what is learned then is to sort.
    """

    name: str
    version: str
    app: str
    samples: tuple[Example, ...]
    replies: dict[str, int]
    stats: Stats


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """A case that is nearly one of a held-out suite; told by a run of words, a share of words, or a vector."""

    question: str
    other: str
    suite: str
    kind: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearness:
    """How many `cases` of a set are near to one of the held-out `suites`, or stand on that side themselves.

    They are left out when the set is frozen; a version that is frozen already has them. `found` are the first of them.
    """

    suites: tuple[str, ...]
    cases: int
    held: int
    vectors: bool
    found: tuple[Near, ...]


def sets(parts: Parts) -> list[LearnSet]:
    """Suites for training by name, then frozen versions, the newest first."""
    root = parts.config.root
    return [*filter(None, (_of_suite(parts, name) for name in suites.names(root))), *map(_of_version, _all(parts))]


def look(parts: Parts, named: str, app: str) -> Look:
    """Samples and statistics. Raises UserError for no such set or one held out, ConfigError for no such application."""
    from gatewheel.loop import describing

    if app:
        parts.config.table("app", app)
    version, cases = cases_of(parts, named)
    teaching = [case for case in cases if quality.teaches(case)]
    some = _spread(teaching)
    with as_served(parts) as served:
        samples = examples_of(served, app, some)
    found = stats.of_cases(cases, **describing.counting(parts))
    return Look(name=named, version=version, app=app, samples=tuple(samples), replies=_replies(teaching), stats=found)


def nearness(parts: Parts, named: str, *, tick: Callable[[], None] = lambda: None) -> Nearness:
    """What of a set is near to what is held out. Raises UserError where a held-out suite cannot be read."""
    _, cases = cases_of(parts, named)
    held = sides.across(parts.config.root, "train")
    encoder = encoder_of(parts, tell=lambda _: tick())
    hits = [one for one in sides.common(cases, held, encoder=encoder, tick=tick) if overlap.is_near(one.hit)]
    stand = splits.of(parts.engine, map(split_key, cases))
    told = {one.hit.a: one for one in reversed(hits)}
    return Nearness(
        suites=tuple(sorted(held)),
        cases=len(told),
        held=sum(stand.get(split_key(case)) == "holdout" for case in cases),
        vectors=encoder is not None,
        found=tuple(map(_near, [told[place] for place in sorted(told)[:TOLD]])),
    )


def cases_of(parts: Parts, named: str) -> tuple[str, Sequence[Case]]:
    """The version, "" for a suite as its file stands, and the cases. Raises UserError."""
    if named in suites.names(parts.config.root):
        suite = suites.load(parts.config.root, named)
        if suite.split != "train":
            what = f"the cases of suite {named} are held out, not for training"
            raise UserError(what, cure=f"part it: gatewheel data split {named} --train 0.8")
        return "", suite.cases
    found = datasets.find(parts.engine, named)
    return found.id, datasets.load(parts.objects, found.id)


def _spread(cases: Sequence[Case]) -> list[Case]:
    """Some cases, evenly spread; where replies repeat, each with another one as long as there are others."""
    firsts = list({quality.reply(case): case for case in reversed(cases)}.values())[::-1]
    some = firsts if len(firsts) >= SHOWN else [*firsts, *(case for case in cases if case not in firsts)]
    most = min(SHOWN, len(some))
    return some[:most] if some is not firsts else [some[place * len(some) // most] for place in range(most)]


def _replies(cases: Sequence[Case]) -> dict[str, int]:
    found = Counter(quality.reply(case) or NONE for case in cases)
    return dict(found.most_common()) if len(found) <= min(FEW, len(cases) // 3) else {}


def _all(parts: Parts) -> list[Dataset]:
    return datasets.versions(parts.engine)


def _of_suite(parts: Parts, name: str) -> LearnSet | None:
    """None for one that is held out."""
    root = parts.config.root
    said: dict[str, Any] = {"name": name, "version": "", "created": None, "tainted": ()}
    try:
        if suites.settings_of(root, name).split != "train":
            return None
        suite: Suite = suites.load(root, name)
    except UserError as error:
        return LearnSet(**said, cases=0, teaching=0, fault=str(error))
    return LearnSet(**said, cases=len(suite.cases), teaching=sum(map(quality.teaches, suite.cases)), fault="")


def _of_version(one: Dataset) -> LearnSet:
    known: Mapping[str, Any] = one.card.get("stats", {})
    return LearnSet(
        name=one.name,
        version=one.id,
        created=one.created,
        cases=one.cases,
        teaching=one.cases - int(known.get("silent", 0)),
        tainted=one.tainted,
        fault="",
    )


def _near(one: sides.Found) -> Near:
    return Near(
        question=one.case.question,
        other=one.other.question,
        suite=one.suite,
        kind=one.hit.kind,
        score=round(one.hit.score, 4),
    )
