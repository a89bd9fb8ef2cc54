"""What a tuning is validated on, held against what it learns: the same cases in both would flatter it."""

from __future__ import annotations

from collections.abc import Sequence

from gatewheel.data import overlap
from gatewheel.data.cases import split_key
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.loop.compose import Parts
from gatewheel.loop.nearness import encoder_of


def apart(parts: Parts, learned: Sequence[Case], looked: Sequence[Case]) -> str:
    """In words how many of the cases `looked` at are nearly the same as some that are learned; empty for none.

    Raises UserError where a case is in both.
    """
    keys = set(map(split_key, learned))
    if same := [case for case in looked if split_key(case) in keys]:
        what = f"{len(same)} of the {len(looked)} validation cases are learned too, such as '{_asked(same[0])}'"
        raise UserError(what, cure="take them out of one of the two")
    near = [hit for hit in overlap.closest(looked, learned, encoder=encoder_of(parts)) if overlap.is_near(hit)]
    if not near:
        return ""
    count, first = len({hit.a for hit in near}), near[0]
    said = f"'{_asked(looked[first.a])}' and '{_asked(learned[first.b])}'"
    told = (
        f"{count} of the {len(looked)} validation cases are nearly the same as cases that are learned, such as {said}"
    )
    return f"{told}: the validation loss says too little of what is new"


def _asked(case: Case) -> str:
    return " ".join(overlap.asked(case).split())[:80]
