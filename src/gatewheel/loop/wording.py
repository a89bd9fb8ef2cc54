"""What a tuning starts from: a frozen dataset, and each case of it worded as it will be asked, with what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewheel.data import datasets, overlap, suites
from gatewheel.data.cases import split_key
from gatewheel.data.datasets import Dataset
from gatewheel.kernel.example import Example
from gatewheel.kernel.nouns import Case
from gatewheel.loop import client_files, freezing, putting
from gatewheel.loop.compose import Parts
from gatewheel.loop.nearness import encoder_of
from gatewheel.rag import answer

SILENT = "nothing says what is right"
UNSEEN = "the model would not be shown what they name as their evidence"
REFUSED = "the application would answer without asking its model"
_RUN = 5  # words that stand together in a piece of evidence and in what is shown
_HELD = 0.5  # of these runs: where a chunk ends in the middle of it, the answer may stand in either part


@dataclass(frozen=True, kw_only=True, slots=True)
class Worded:
    """The examples of cases, how many are left out by why, and the documents of which a passage stands in a prompt."""

    examples: tuple[Example, ...]
    reasons: Mapping[str, int]
    shown: tuple[str, ...] = ()


def dataset_of(parts: Parts, named: str) -> Dataset:
    """A suite for training or a file of the tuning API, frozen, or a version that there is.

    A suite is frozen as the table [freeze] of its toml says. Raises UserError, also for a suite or a file with just the
    cases of a version that is tainted.
    """
    if client_files.ID.fullmatch(named):
        return client_files.frozen(parts, named)
    if named in suites.names(parts.config.root):
        wanted = freezing.standing(parts.config.root, named)
        if said := freezing.told(wanted):
            parts.say(f"{named} is frozen as suites/{named}.toml says: {said}")
        return freezing.freeze(parts, wanted, encoder=encoder_of(parts, tell=parts.say)).dataset
    return datasets.find(parts.engine, named)


def read(parts: Parts, named: str, say: Callable[[str], None]) -> tuple[Dataset, tuple[Case, ...]]:
    """The frozen version of data, and its cases. Raises UserError for one that is tainted."""
    dataset = dataset_of(parts, named)
    freezing.refuse_forgotten(parts.config.root, dataset)
    cases = datasets.load(parts.objects, dataset.id)
    say(f"{len(cases)} cases of {dataset.name} ({dataset.id[:12]})")
    return dataset, cases


def group_of(case: Case) -> str:
    """What it is not independent of: its cluster, or itself alone."""
    return case.cluster or split_key(case)


def examples_of(served: Parts, name: str, cases: Sequence[Case]) -> list[Example]:
    """As `worded` gives them."""
    return list(worded(served, name, cases).examples)


def worded(served: Parts, name: str, cases: Sequence[Case]) -> Worded:
    """What `[app.<name>]` would tell its model for each case, and what is right to say; cases without that are left.

    Where documents are asked that do not say it, that is the application's abstention. A case that names its evidence
    is left too where the model would not be shown that, or not be asked at all: it would learn to say what it cannot
    know. Without a name each case is told as a suite tells it to a model alone.
    """
    app = served.app(name) if name else None
    found: list[Example] = []
    reasons: Counter[str] = Counter()
    shown: set[str] = set()
    for case in cases:
        right = _right(app, case)
        if not right:
            reasons[SILENT] += 1
        elif isinstance(app, answer.App):
            asked: Any = putting.for_case(served, app, case)
            told = asked.told(putting.question_of(asked, case))
            if why := _unsupported(asked, case, told):
                reasons[why] += 1
                continue
            if not case.context:
                shown |= {one.source for one in told.numbered}
            found.append(Example(prompt=tuple(told.messages), reply=right, group=group_of(case)))
        else:
            said = putting.messages(served, app, case) if app else putting.to_model(case)
            found.append(Example(prompt=tuple(said), reply=right, group=group_of(case)))
    return Worded(examples=tuple(found), reasons=dict(reasons), shown=tuple(sorted(shown)))


def _right(app: putting.App | None, case: Case) -> str:
    if isinstance(app, answer.App) and not case.answerable:
        return app.settings.abstention
    return putting.right(case)


def _unsupported(app: answer.App, case: Case, told: answer.Told) -> str:
    """Why an answer would be learned that what is shown does not support; empty where nothing says so."""
    if not case.answerable or not (case.evidence or case.sources):
        return ""
    if case.evidence:
        seen = " ".join(one.text for one in told.numbered)
        held = any(_holds(seen, piece) for piece in case.evidence)
    else:
        held = bool(case.context) or not {one.source for one in told.numbered}.isdisjoint(case.sources)
    if not held:
        return UNSEEN
    return REFUSED if app.refuses(told) else ""


def _holds(seen: str, piece: str) -> bool:
    """Whether most of a piece of evidence stands in what is seen."""
    runs = _runs(piece)
    return len(runs & _runs(seen, min(_RUN, len(overlap.words(piece))))) >= _HELD * len(runs)


def _runs(text: str, length: int = _RUN) -> set[tuple[str, ...]]:
    words = overlap.words(text)
    size = max(1, min(length, len(words)))
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
