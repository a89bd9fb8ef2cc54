"""Takes drafts into their suite, or refuses them, as a person says of each, until they take it back.

See data/drafts.py for where drafts wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewheel.data import collecting, drafts, suites
from gatewheel.data.cases import identity
from gatewheel.data.collecting import SUFFIX, Incoming
from gatewheel.data.suites import Split
from gatewheel.kernel.nouns import Case
from gatewheel.loop.compose import Parts


@dataclass(frozen=True, kw_only=True, slots=True)
class Reworded:
    """Other words for a draft; "" leaves what is there."""

    question: str = ""
    reference: str = ""


AS_DRAFTED = Reworded()


def take(parts: Parts, suite: str, taken: Sequence[Case], *, words: Reworded = AS_DRAFTED) -> int | None:
    """Take drafts into a suite and return how many cases it has then, None where nothing was taken.

    A suite `<name>-train` that there is not is made for training, any other is held out. Into the suite first: what is
    stopped in between is a draft that still waits, and is known when taken again. Raises UserError for a case that is
    near to the other side of the split.
    """
    if not taken:
        return None
    root, engine = parts.config.root, parts.engine
    cases = [drafts.as_case(draft, question=words.question, reference=words.reference) for draft in taken]
    found = [one for draft, case in zip(taken, cases, strict=True) for one in drafts.origins_of(draft, case)]
    new = suite not in suites.names(root)
    before = set() if new else {identity(case) for case in suites.load(root, suite).cases}
    split: Split | None = "train" if new and suite.endswith(SUFFIX) else None
    incoming = Incoming(name=suite, cases=cases, split=split, origins=found)
    done = collecting.bring(root, engine, incoming, encoder=parts.encoder)
    told = {
        draft.id: {"added": case.id, "made": new}
        for draft, case in zip(taken, cases, strict=True)
        if case.id not in before
    }
    drafts.mark_as(root, suite, [draft.id for draft in taken], "accepted", told=told)
    return done.cases


def refuse(parts: Parts, suite: str, refused: Sequence[Case]) -> None:
    """Drafts that are not wanted: their passages are not drafted from again."""
    if refused:
        drafts.mark_as(parts.config.root, suite, [draft.id for draft in refused], "refused")


def take_back(parts: Parts, suite: str, draft: Case) -> int | None:
    """As if nothing had been said of a draft: it waits again, and the case that it added leaves the suite.

    Returns how many cases the suite has then, None where none left it: the draft was refused, or said nothing new. A
    case that somebody has changed since is theirs and stays.
    """
    root, added = parts.config.root, draft.meta.get("added", "")
    left = collecting.remove(root, suite, added, whole=bool(draft.meta.get("made"))) if added else None
    drafts.unmark(root, suite, draft.id)
    return left
