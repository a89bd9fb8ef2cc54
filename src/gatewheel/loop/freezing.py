"""Freezes a suite for training as a dataset version: sifted, blacked out, kept apart from every holdout, with its card.

Whatever stops it, it is done again from the beginning, and what stands then is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.data import cards, cases, datasets, origins, overlap, quality, sides, splits, stats, suites
from gatewheel.data.blackening import black_out
from gatewheel.data.cases import split_key
from gatewheel.data.datasets import Dataset
from gatewheel.data.origins import Origin
from gatewheel.data.quality import Filters, LeftOut
from gatewheel.guard.redact import redact
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.loop.compose import Parts

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.kernel.ports import Encoder

CARD = ".card.md"  # suites/<name>.card.md is the card of the newest version
MANY = 2_000  # cases from which on it takes seconds, so that it is told what is done
MOST = 50  # files or documents that a card names, those with the most cases first


EVERYTHING = Filters()
Held = Mapping[str, tuple[Case, ...]]
"""The cases that are held out, by suite."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A suite for training, what to leave out of it, and the kinds of guard/redact.py to black out."""

    suite: str
    filters: Filters = EVERYTHING
    redact: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """A version, whether it is `new`, what of the suite it lacks, in how many cases something was blacked out.

    `card` is there for a suite.
    """

    dataset: Dataset
    new: bool
    left_out: tuple[LeftOut, ...]
    redacted: int
    card: Path | None = None


def freeze(parts: Parts, wanted: Wanted, *, encoder: Encoder | None) -> Frozen:
    """Freeze what of a suite is worth learning and near to nothing that is held out; it is entered for training.

    Without an `encoder` near cases are told by words alone. Raises UserError for a suite that is held out or of which
    nothing is left, and for one that is held out and cannot be read: nobody knows what would be near to it.
    """
    suite = suites.load(parts.config.root, wanted.suite)
    if suite.split != "train":
        what = f"the cases of suite {suite.name} are held out, not for training"
        raise UserError(what, cure=f"part it: gatewheel data split {suite.name} --train 0.8")
    made = of_cases(parts, suite.cases, wanted, encoder=encoder)
    path = card_of(parts.config.root, suite.name)
    cases.replace(path, cards.markdown(made.dataset).encode())
    return replace(made, card=path)


def of_cases(
    parts: Parts, some: Sequence[Case], wanted: Wanted, *, encoder: Encoder | None, origins: Sequence[Origin] = ()
) -> Frozen:
    """As `freeze` does it, of cases that stand in no suite; `wanted.suite` is only the name of the version."""
    engine = parts.engine
    pairs, left, held = _worth(parts, some, wanted, encoder)
    if not pairs:
        kind, count = Counter(one.kind for one in left).most_common(1)[0]
        what = f"of the {len(some)} cases of {wanted.suite} none is left: {count} of them, {cards.WHY[kind]}"
        raise UserError(what, cure="see which by --json, and add others or filter less")
    changed = [(old, new) for old, new in pairs if new is not old]
    kept = datasets.canonical(new for _, new in pairs)
    # what was blacked out is learned from all the same, so both stand for training
    entered = [*(old for old, _ in changed), *kept]
    taken = set(map(split_key, entered))
    given = [one for one in origins if one.case in taken]
    splits.assign(engine, entered, "train", origins=[*given, *_renamed(engine, changed)])
    card = {
        **_described(parts, kept, held, encoder),
        "left_out": dict(Counter(one.kind for one in left).most_common()),
        "filters": asdict(wanted.filters),
        "redacted": {"kinds": list(wanted.redact), "cases": len(changed)},
    }
    known = {one.id for one in datasets.versions(engine)}
    made = datasets.freeze(engine, parts.objects, wanted.suite, kept, card=card)
    return Frozen(dataset=made, new=made.id not in known, left_out=left, redacted=len(changed))


def card_of(root: Path, name: str) -> Path:
    """Where the card of the newest version of a name lies."""
    return suites.path_of(root, name).with_name(f"{name}{CARD}")


def again(parts: Parts, before: Dataset, some: Iterable[Case]) -> Dataset:
    """A version with these cases, which an earlier one had too; nothing is sifted anew."""
    kept = datasets.canonical(some)
    card = {**before.card, **_described(parts, kept, sides.across(parts.config.root, "train"), None)}
    return datasets.freeze(parts.engine, parts.objects, before.name, kept, card=card)


def _worth(
    parts: Parts, some: Sequence[Case], wanted: Wanted, encoder: Encoder | None
) -> tuple[list[tuple[Case, Case]], tuple[LeftOut, ...], Held]:
    """The cases as they stand with what is frozen of them, what is left out, and all that is held out."""
    from gatewheel.rag.language import detect

    held = sides.across(parts.config.root, "train")
    say = parts.say if len(some) >= MANY else lambda _: None
    say(f"sifting {len(some):,} cases")
    blacked = [black_out(case, partial(redact, kinds=wanted.redact)) for case in some]
    before = {id(new): old for old, new in zip(some, blacked, strict=True)}
    sifted = quality.sift(blacked, wanted.filters, detect=detect, encoder=encoder, held=_clusters(held))
    say("looking for cases that are near to held-out ones")
    # as they stand too: an address that is blacked out here may stand in a held-out case
    stand = [before[id(case)] for case in sifted.kept]
    lost = {id(one.case): one for one in apart(parts, stand, held, encoder)[1]}
    left = [replace(lost[id(old)], case=new) for old, new in zip(stand, sifted.kept, strict=True) if id(old) in lost]
    rest = [new for old, new in zip(stand, sifted.kept, strict=True) if id(old) not in lost]
    kept, more = apart(parts, rest, held, encoder)
    say("counting")
    return [(before[id(case)], case) for case in kept], (*sifted.left_out, *left, *more), held


def apart(parts: Parts, some: Sequence[Case], held: Held, encoder: Encoder | None) -> tuple[list[Case], list[LeftOut]]:
    """The cases that stand on no other side and are near to none of `held`, and the others."""
    stands = splits.of(parts.engine, map(split_key, some))
    near = {found.hit.a: found for found in sides.common(some, held, encoder=encoder) if overlap.is_near(found.hit)}
    kept, left = [], []
    for place, case in enumerate(some):
        if stands.get(split_key(case)) == "holdout":
            left.append(LeftOut(case=case, kind="held out", reason="it is held out already"))
        elif place in near:
            found = near[place]
            asked = " ".join(found.other.question.split())[:80]
            left.append(LeftOut(case=case, kind="leak", reason=f"nearly '{asked}' of the held-out suite {found.suite}"))
        else:
            kept.append(case)
    return kept, left


def counting(parts: Parts) -> dict[str, Any]:
    """How lengths are counted in this project: in tokens of its encoder, or in words where it has none."""
    none = parts.config.table("encoder", "main").use == "none"
    starts: Callable[[str], Any] = parts.encoder.starts
    return {"count": lambda text: len(starts(text)), "unit": "words" if none else "tokens"}


def _described(parts: Parts, kept: Sequence[Case], held: Held, encoder: Encoder | None) -> dict[str, Any]:
    """What a card says of the cases themselves."""
    from gatewheel.rag.language import detect

    # near ones by words alone: 50,000 questions in vectors, each with each, would take minutes for one line of a card
    found, clusters = stats.of_cases(kept, **counting(parts), detect=detect), _clusters(held)
    shared = sum(case.cluster in clusters for case in kept if case.cluster)
    return {
        "stats": asdict(found),
        "origins": _origins(parts.engine, kept),
        "leaks": {"suites": sorted(held), "vectors": encoder is not None, "clusters": shared},
    }


def _clusters(held: Held) -> set[str]:
    return {case.cluster for every in held.values() for case in every if case.cluster}


def _renamed(engine: Engine, changed: Iterable[tuple[Case, Case]]) -> list[Origin]:
    """The origins of cases that ask in other words now: what they were made of has not changed."""
    names = {split_key(old): split_key(new) for old, new in changed}
    return [replace(one, case=names[key]) for key, found in origins.of(engine, names).items() for one in found]


def _origins(engine: Engine, kept: Sequence[Case]) -> dict[str, Any]:
    """Of how many cases which files, documents, traces and feedback are the origin."""
    known = origins.of(engine, map(split_key, kept))
    named: dict[str, Counter[str]] = {"file": Counter(), "document": Counter()}
    licences: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for case in kept:
        found = known.get(split_key(case), [])
        counts.update({str(one.kind) for one in found} or {"unknown"})
        for one in found:
            if one.kind in named:
                named[one.kind][one.ref] += 1
                licences.setdefault(one.ref, str(one.detail.get("licence", "")))
    return {
        "files": [
            {"ref": ref, "cases": count, "licence": licences[ref]} for ref, count in named["file"].most_common(MOST)
        ],
        "documents": [{"ref": ref, "cases": count} for ref, count in named["document"].most_common(MOST)],
        "traces": counts["trace"],
        "feedback": counts["feedback"],
        "unknown": counts["unknown"],
    }
