"""Which cases are worth learning from: filters that say of each case that they leave out why. Knows nothing of stores.

What is learned from a case is its reply: the first reference, else the label; of a case that cannot be answered, that
it is not answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewheel.data import overlap
from gatewheel.data.cases import folded
from gatewheel.data.overlap import words
from gatewheel.kernel.nouns import Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder

RUN = 5  # words of a run that, said again, is repetition
FEWEST = 20  # words below which a text is too short to repeat itself
Detect = Callable[[str], str]
"""From a text to the ISO 639-1 code of its language, empty where it cannot be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What to leave out. Words are those of the reply; 0 sets no bound.

    `repeated` is the greatest share of a reply that may stand in runs of five words that were said before. `no_near`
    leaves out all but the first of those that ask nearly the same and reply the same; `apart` those of a cluster, such
    as a document, of which a case is held out.
    """

    min_words: int = 0
    max_words: int = 0
    languages: tuple[str, ...] = ()
    repeated: float = 1.0
    no_near: bool = False
    apart: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A case that is not taken. `kind` is the one word that it is counted under, `reason` tells of this case."""

    case: Case
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sifted:
    """The cases in their order, and those that were left out."""

    kept: tuple[Case, ...]
    left_out: tuple[LeftOut, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many were left out, by kind."""
        return dict(Counter(one.kind for one in self.left_out).most_common())


def reply(case: Case) -> str:
    """The text that is to be learned; empty where there is none."""
    return (case.references[0] if case.references else case.label).strip() if case.answerable else ""


def teaches(case: Case) -> bool:
    """Whether there is something to learn: a reply, or that there is none to be given."""
    return not case.answerable or bool(reply(case))


def repetition(text: str) -> float:
    """The share of a text's words that stand in a run of five that was said before, 0..1; 0 for a short one.

    After the duplicate n-grams of Rae et al. (2021), Scaling Language Models, appendix A.1.1.
    """
    said = words(text)
    if len(said) < FEWEST:
        return 0.0
    seen: set[tuple[str, ...]] = set()
    again: set[int] = set()
    for at in range(len(said) - RUN + 1):
        run = tuple(said[at : at + RUN])
        if run in seen:
            again.update(range(at, at + RUN))
        seen.add(run)
    return len(again) / len(said)


def sift(
    cases: Sequence[Case],
    filters: Filters,
    *,
    detect: Detect = lambda _: "",
    encoder: Encoder | None = None,
    held: Collection[str] = (),
) -> Sifted:
    """Leave out what teaches nothing, and what the filters say. `held` are the clusters of cases that are held out."""
    kept: list[Case] = []
    left: list[LeftOut] = []
    for case in cases:
        kind, reason = _fault(case, filters, detect, held)
        if kind:
            left.append(LeftOut(case=case, kind=kind, reason=reason))
        else:
            kept.append(case)
    if filters.no_near:
        firsts = near_twins(kept, encoder=encoder)
        left += [
            LeftOut(case=kept[place], kind="near", reason=f"nearly the same as '{_short(kept[first])}'")
            for place, first in firsts.items()
        ]
        kept = [case for place, case in enumerate(kept) if place not in firsts]
    return Sifted(kept=tuple(kept), left_out=tuple(left))


def near_twins(cases: Sequence[Case], *, encoder: Encoder | None = None) -> dict[int, int]:
    """The place of each case that asks nearly what an earlier one asks, with the same reply → the place of that one."""
    hits = [hit for hit in overlap.within(cases, encoder=encoder) if overlap.is_near(hit)]
    return _firsts((hit.a, hit.b) for hit in hits if _says(cases[hit.a]) == _says(cases[hit.b]))


def contradictions(cases: Sequence[Case]) -> list[tuple[int, int]]:
    """Places of cases that ask the same, word for word, and reply otherwise: the first one, and each other."""
    first: dict[tuple[str, str], int] = {}
    found = []
    for place, case in enumerate(cases):
        known = first.setdefault((" ".join(words(overlap.asked(case))), folded(case.context)), place)
        if _says(cases[known]) != _says(case):
            found.append((known, place))
    return found


def _firsts(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Of each case the first that it hangs together with, in pairs of which the first comes first."""
    found: dict[int, int] = {}
    for a, b in sorted(pairs):
        found.setdefault(b, found.get(a, a))
    return found


def _fault(case: Case, filters: Filters, detect: Detect, held: Collection[str]) -> tuple[str, str]:
    if not teaches(case):
        return "silent", "nothing is to be learned: it has no reference and no label"
    if filters.apart and case.cluster and case.cluster in held:
        return "apart", f"a case of '{case.cluster[:80]}' is held out"
    said = reply(case)
    if case.answerable and (filters.min_words or filters.max_words):
        count = len(words(said))
        if count < filters.min_words:
            return "short", f"the reply has {count} words, fewer than {filters.min_words}"
        if filters.max_words and count > filters.max_words:
            return "long", f"the reply has {count} words, more than {filters.max_words}"
    if filters.repeated < 1.0 and (share := repetition(said)) > filters.repeated:
        return "repeated", f"{share:.0%} of the reply was said before, more than {filters.repeated:.0%}"
    if filters.languages:
        code = detect(f"{case.question}\n{said}")
        if code and code not in filters.languages:
            return "language", f"it is in '{code}', not in {', '.join(filters.languages)}"
    return "", ""


def _says(case: Case) -> str:
    return folded(reply(case)).casefold()


def _short(case: Case) -> str:
    return " ".join(case.question.split())[:80]
