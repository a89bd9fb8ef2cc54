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

from gatewheel.data import cards, cases, datasets, origins, overlap, preparing, quality, sides, splits, suites
from gatewheel.data.blackening import black_out
from gatewheel.data.cases import split_key
from gatewheel.data.collecting import one_writer
from gatewheel.data.datasets import Dataset
from gatewheel.data.origins import Origin
from gatewheel.data.preparing import Freeze
from gatewheel.data.quality import Filters, LeftOut
from gatewheel.guard.redact import redact
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.settings import REDACTED
from gatewheel.loop import describing, tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.describing import Held

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.kernel.ports import Encoder

CARD = ".card.md"  # suites/<name>.card.md is the card of the newest version
MANY = 2_000  # cases from which on it takes seconds, so that it is told what is done
ANY = "any"  # language


EVERYTHING = Filters()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A suite for training, what to leave out of it, and the kinds of guard/redact.py to black out."""

    suite: str
    filters: Filters = EVERYTHING
    redact: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """A version, whether it is `new`, what of the suite it lacks, in how many cases something was blacked out.

    `card` is there for a suite. `lifted` is why it was tainted until now.
    """

    dataset: Dataset
    new: bool
    left_out: tuple[LeftOut, ...]
    redacted: int
    card: Path | None = None
    lifted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sifted:
    """What is frozen, the pairs of it that were blacked out, what is left out, and what the card says."""

    kept: Sequence[Case]
    changed: Sequence[tuple[Case, Case]]
    left_out: tuple[LeftOut, ...]
    card: Mapping[str, Any]


def standing(root: Path, name: str) -> Wanted:
    """What the table [freeze] of a suite says: what versions of it are made with where nothing else is asked for."""
    return _wanted(name, suites.settings_of(root, name).freeze)


def asked(root: Path, name: str, **said: Any) -> Wanted:
    """As `standing`, but for what is `said` of the keys of [freeze]; None and () say nothing. Raises UserError.

    Among the languages `any` says that all are kept.
    """
    kept = suites.settings_of(root, name).freeze.model_dump()
    given = {key: value for key, value in said.items() if value not in (None, ())}
    if ANY in given.get("languages", ()):
        given["languages"] = ()
    return _wanted(name, Freeze.model_validate({**kept, **given}))


def stand(root: Path, wanted: Wanted) -> bool:
    """Let a suite's versions be made so from now on, whoever freezes it. False where they are already.

    Raises what `refuse_unkept` raises.
    """
    with one_writer(root):
        if (text := _kept(root, wanted)) is None:
            return False
        cases.replace(suites.path_of(root, wanted.suite), text.encode())
    return True


def refuse_unkept(root: Path, wanted: Wanted) -> None:
    """Raises UserError where `stand` could not write it into the toml of the suite."""
    _kept(root, wanted)


def told(wanted: Wanted) -> str:
    """It as the toml has it, on one line; empty where nothing is left out or blacked out but what always is."""
    return ", ".join(preparing.lines(_table(wanted)))


def freeze(parts: Parts, wanted: Wanted, *, encoder: Encoder | None, lift: bool = False) -> Frozen:
    """Freeze what of a suite is worth learning and near to nothing that is held out; it is entered for training.

    Without an `encoder` near cases are told by words alone. Raises UserError for a suite that is held out or of which
    nothing is left, and for one that is held out and cannot be read: nobody knows what would be near to it. So does a
    version that was forgotten, unless a person asks for it by name: then `lift` takes its taint back.
    """
    root = parts.config.root
    made = of_cases(parts, lambda: _to_learn(root, wanted.suite), wanted, encoder=encoder, lift=lift)
    path = card_of(root, wanted.suite)
    with one_writer(root):
        # as it is now: it may have been forgotten since
        cases.replace(path, cards.markdown(datasets.find(parts.engine, made.dataset.id)).encode())
    return replace(made, card=path)


def of_cases(
    parts: Parts,
    read: Callable[[], Sequence[Case]],
    wanted: Wanted,
    *,
    encoder: Encoder | None,
    origins: Sequence[Origin] = (),
    lift: bool = False,
) -> Frozen:
    """As `freeze` does it, of cases that stand in no suite; `wanted.suite` is only the name of the version.

    They are read once more before they are entered: sifting may take minutes, in which others may write suites, and
    what was forgotten in that time must not come back.
    """
    while True:
        some = read()
        sifted = _sifted(parts, some, wanted, encoder)
        with one_writer(parts.config.root):
            if read() == some:
                return _entered(parts, wanted, sifted, origins, lift=lift)


def _to_learn(root: Path, name: str) -> Sequence[Case]:
    suite = suites.load(root, name)
    if suite.split != "train":
        what = f"the cases of suite {name} are held out, not for training"
        raise UserError(what, cure=f"part it: gatewheel data split {name} --train 0.8")
    return suite.cases


def _sifted(parts: Parts, some: Sequence[Case], wanted: Wanted, encoder: Encoder | None) -> _Sifted:
    pairs, left, held = _worth(parts, some, wanted, encoder)
    if not pairs:
        kind, count = Counter(one.kind for one in left).most_common(1)[0]
        what = f"of the {len(some)} cases of {wanted.suite} none is left: {count} of them, {cards.WHY[kind]}"
        raise UserError(what, cure="see which by --json, and add others or filter less")
    changed = tuple((old, new) for old, new in pairs if new is not old)
    kept = datasets.canonical(new for _, new in pairs)
    card = {
        **describing.described(parts, kept, held, encoder),
        "left_out": dict(Counter(one.kind for one in left).most_common()),
        "filters": asdict(wanted.filters),
        "redacted": {"kinds": list(wanted.redact), "cases": len(changed)},
    }
    return _Sifted(kept=kept, changed=changed, left_out=left, card=card)


def _entered(parts: Parts, wanted: Wanted, sifted: _Sifted, origins: Sequence[Origin], *, lift: bool) -> Frozen:
    """The version of it. The caller holds `one_writer`, so that nothing is forgotten meanwhile."""
    engine, kept, changed = parts.engine, sifted.kept, sifted.changed
    known = {one.id: one for one in datasets.versions(engine)}
    before = known.get(datasets.id_of(kept))
    if before and not lift:
        refuse_forgotten(parts.config.root, replace(before, name=wanted.suite))
    # what was blacked out is learned from all the same, so both stand for training
    entered = [*(old for old, _ in changed), *kept]
    taken = set(map(split_key, entered))
    given = [one for one in origins if one.case in taken]
    splits.assign(engine, entered, "train", origins=[*given, *_renamed(engine, changed)])
    card = {**sifted.card, "origins": describing.origins_of(engine, kept)}
    made = datasets.freeze(engine, parts.objects, wanted.suite, kept, card=card)
    lifted = made.tainted
    if lifted:  # somebody brought the words back, and says so
        made = replace(datasets.renew(engine, made.id, card), tainted=())
        tainting.lifted(engine, made.id)
    new = made.id not in known
    return Frozen(dataset=made, new=new, left_out=sifted.left_out, redacted=len(changed), lifted=lifted)


def refuse_forgotten(root: Path, dataset: Dataset) -> None:
    """Raises UserError for a tainted version: learned it is again only where a person says so."""
    if not dataset.tainted:
        return
    what = f"dataset {dataset.id[:12]} of {dataset.name} holds what was forgotten since: {dataset.tainted[0]}"
    again = f"take that out of the suite; or, if it may be learned again: gatewheel data freeze {dataset.name}"
    there = dataset.name in suites.names(root)
    raise UserError(what, cure=again if there else "learn from other data, without what was forgotten")


def card_of(root: Path, name: str) -> Path:
    """Where the card of the newest version of a name lies."""
    return suites.path_of(root, name).with_name(f"{name}{CARD}")


def again(parts: Parts, before: Dataset, some: Iterable[Case]) -> Dataset:
    """A version with these cases, which an earlier one had too; nothing is sifted anew."""
    kept = datasets.canonical(some)
    held = sides.across(parts.config.root, "train")
    said = describing.described(parts, kept, held, None)
    card = {**before.card, **said, "origins": describing.origins_of(parts.engine, kept)}
    return datasets.freeze(parts.engine, parts.objects, before.name, kept, card=card)


def _kept(root: Path, wanted: Wanted) -> str | None:
    """The toml of the suite with [freeze] as it is wanted; None where it says so already."""
    new = _table(wanted)
    if suites.settings_of(root, wanted.suite).freeze == new:
        return None
    return preparing.replaced(suites.path_of(root, wanted.suite), new)


def _wanted(name: str, said: Freeze) -> Wanted:
    filters = Filters(**said.model_dump(exclude={"redact"}))
    return Wanted(suite=name, filters=filters, redact=REDACTED if said.redact else ())


def _table(wanted: Wanted) -> Freeze:
    return Freeze(**asdict(wanted.filters), redact=bool(wanted.redact))


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
    sifted = quality.sift(blacked, wanted.filters, detect=detect, encoder=encoder, held=describing.clusters(held))
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


def _renamed(engine: Engine, changed: Iterable[tuple[Case, Case]]) -> list[Origin]:
    """The origins of cases that ask in other words now: what they were made of has not changed."""
    names = {split_key(old): split_key(new) for old, new in changed}
    return [replace(one, case=names[key]) for key, found in origins.of(engine, names).items() for one in found]
