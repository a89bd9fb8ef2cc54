"""What a set of cases is made of: lengths, what there is to learn, duplicates, balance of labels, languages, clusters.

Lengths are counted as whoever asks counts: in tokens of an encoder, or in characters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewheel.data import quality
from gatewheel.data.cases import split_key
from gatewheel.data.quality import Detect
from gatewheel.kernel.nouns import Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder

MOST = 30  # labels, tags and languages that are told one by one, the most frequent first
SAMPLE = 2_000  # cases, evenly spread, whose language is told: 0.4 ms each
Count = Callable[[str], int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Of the texts that are not empty. `p95` is the least length that 95 % do not exceed."""

    texts: int
    total: int
    mean: float
    median: int
    p95: int
    longest: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """Counts of cases. `unit` is what lengths are counted in: tokens or characters.

    `replies` are those that teach by a reference, `labelled` by a label, `abstentions` that there is no answer;
    `silent` teach nothing. `same` ask, word for word in case and order, what an earlier one asks; `near` nearly so,
    with the same reply; `contradictions` the same with another reply. `evenness` is the entropy of the labels as a
    share of its greatest possible value: 1 where all are equally frequent. `languages` are of at most 2,000 cases.
    """

    cases: int
    unit: str
    question: Lengths
    context: Lengths
    history: Lengths
    reply: Lengths
    replies: int
    labelled: int
    abstentions: int
    silent: int
    same: int
    near: int
    contradictions: int
    repeated: int
    labels: dict[str, int]
    evenness: float | None
    languages: dict[str, int]
    clusters: int
    largest_cluster: int
    tags: dict[str, int]


def of_cases(
    cases: Sequence[Case],
    *,
    count: Count = len,
    unit: str = "characters",
    detect: Detect = lambda _: "",
    encoder: Encoder | None = None,
) -> Stats:
    """The statistics of cases. With an `encoder` near ones are told by vectors as well as by words."""
    labels = Counter(case.label for case in cases if case.label)
    clusters = Counter(case.cluster for case in cases if case.cluster)
    some = cases[:: max(1, math.ceil(len(cases) / SAMPLE))]
    languages = Counter(detect(f"{case.question}\n{quality.reply(case)}") or "unknown" for case in some)
    asked = Counter(map(split_key, cases))
    return Stats(
        cases=len(cases),
        unit=unit,
        question=lengths([case.question for case in cases], count),
        context=lengths([case.context for case in cases], count),
        history=lengths(["\n".join(turn.content for turn in case.history) for case in cases], count),
        reply=lengths([quality.reply(case) for case in cases], count),
        replies=sum(case.answerable and bool(case.references) for case in cases),
        labelled=sum(case.answerable and bool(case.label) and not case.references for case in cases),
        abstentions=sum(not case.answerable for case in cases),
        silent=sum(not quality.teaches(case) for case in cases),
        same=len(cases) - len(asked),
        near=len(quality.near_twins(cases, encoder=encoder)),
        contradictions=len(quality.contradictions(cases)),
        repeated=sum(quality.repetition(quality.reply(case)) > 0.5 for case in cases),
        labels=dict(labels.most_common(MOST)),
        evenness=evenness(list(labels.values())),
        languages=dict(languages.most_common(MOST)) if set(languages) != {"unknown"} else {},
        clusters=len(clusters),
        largest_cluster=max(clusters.values(), default=0),
        tags=dict(Counter(tag for case in cases for tag in case.tags).most_common(MOST)),
    )


def lengths(texts: Sequence[str], count: Count) -> Lengths:
    """The lengths of the texts that are not empty; nought where there are none."""
    found = sorted(count(text) for text in texts if text)
    if not found:
        return Lengths(texts=0, total=0, mean=0.0, median=0, p95=0, longest=0)
    total = sum(found)
    return Lengths(
        texts=len(found),
        total=total,
        mean=round(total / len(found), 1),
        median=found[(len(found) - 1) // 2],
        p95=found[math.ceil(0.95 * len(found)) - 1],
        longest=found[-1],
    )


def evenness(counts: Sequence[int]) -> float | None:
    """Shannon's entropy of counts as a share of its greatest possible value (Pielou 1966); None of fewer than two."""
    total = sum(counts)
    if len(counts) < 2 or not total:
        return None
    entropy = -sum(count / total * math.log(count / total) for count in counts if count)
    return round(entropy / math.log(len(counts)), 4)
