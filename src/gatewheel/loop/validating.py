"""What a tuning is validated on, held against what it learns: the same cases in both would flatter it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatewheel.data import overlap
from gatewheel.data.cases import split_key
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.loop.compose import Parts
from gatewheel.loop.nearness import encoder_of
from gatewheel.loop.wording import group_of

_LITTLE = "the validation loss says too little of what is new"


def drawn(cases: Sequence[Case], settings: Any) -> set[str]:
    """The groups of a version's cases that a tuning by these settings keeps to validate on.

    By the version alone, so that it is known later too: whatever is left out of it, nothing of these is learned.
    """
    from gatewheel.finetune import division

    return division.kept(map(group_of, cases), settings)


def apart(parts: Parts, learned: Sequence[Case], looked: Sequence[Case]) -> str:
    """In words how many of the cases `looked` at are near to some that are learned, or of one cluster with them.

    Raises UserError where a case is in both.
    """
    keys = set(map(split_key, learned))
    if same := [case for case in looked if split_key(case) in keys]:
        what = f"{len(same)} of the {len(looked)} validation cases are learned too, such as '{_asked(same[0])}'"
        raise UserError(what, cure="take them out of one of the two")
    return "; ".join(filter(None, [_near(parts, learned, looked), _kin(learned, looked)]))


def _near(parts: Parts, learned: Sequence[Case], looked: Sequence[Case]) -> str:
    near = [hit for hit in overlap.closest(looked, learned, encoder=encoder_of(parts)) if overlap.is_near(hit)]
    if not near:
        return ""
    count, first = len({hit.a for hit in near}), near[0]
    said = f"'{_asked(looked[first.a])}' and '{_asked(learned[first.b])}'"
    told = (
        f"{count} of the {len(looked)} validation cases are nearly the same as cases that are learned, such as {said}"
    )
    return f"{told}: {_LITTLE}"


def _kin(learned: Sequence[Case], looked: Sequence[Case]) -> str:
    known = {case.cluster for case in learned if case.cluster}
    if not (count := sum(case.cluster in known for case in looked)):
        return ""
    return (
        f"{count} of the {len(looked)} validation cases are of documents or conversations that are learned: {_LITTLE}"
    )


def _asked(case: Case) -> str:
    return " ".join(overlap.asked(case).split())[:80]
