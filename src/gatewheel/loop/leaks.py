"""Which cases of a suite stand in the training data too, and what its figures are without them.

Every case is compared, whenever it was entered: by runs of 13 words, shares of 5-word runs, and vectors. What was found
is kept by the digest of all that was compared, so that to look again costs nothing until something changes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.data import cases as case_files
from gatewheel.data import leaks, overlap, sides, suites, vectors
from gatewheel.data.cases import split_key
from gatewheel.data.leaks import Source, Unread
from gatewheel.data.vectors import Once
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case, Report
from gatewheel.loop.recipes import digest

if TYPE_CHECKING:
    from gatewheel.data.sides import Found
    from gatewheel.loop.compose import Parts
    from gatewheel.loop.reports import Kept

VERSION = 2  # grows when the same cases would give other hits
KEPT = 64  # states of which the hits are kept
AT_ONCE = 256  # questions that who cannot wait lets the encoder read: about a second
FOLDER = "leaks"


@dataclass(frozen=True, kw_only=True, slots=True)
class Leak:
    """A case, and the one of `source` that it has most in common with by this `kind`: run, words or vector."""

    case: str
    question: str
    other: str
    other_question: str
    source: str
    kind: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """What was found in these sources. `vectors` says whether vectors were compared as well as words."""

    hits: tuple[Leak, ...] = ()
    sources: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    vectors: bool = True

    @cached_property
    def cases(self) -> frozenset[str]:
        """The ids of the cases that were hit."""
        return frozenset(hit.case for hit in self.hits)

    @property
    def where(self) -> tuple[str, ...]:
        """The sources in which something was found."""
        return tuple(dict.fromkeys(hit.source for hit in self.hits))

    def among(self, cases: Collection[str]) -> Leaks:
        """The same, of these cases alone."""
        return replace(self, hits=tuple(hit for hit in self.hits if hit.case in cases))


NONE = Leaks()


def of_report(parts: Parts, kept: Kept, *, against: Iterable[Path] = (), patient: bool = True) -> Leaks:
    """The leaks into the cases of a report, as the training data stands now.

    Who is not `patient` gets them by words alone where the encoder would have to read much.
    """
    known = {case.id: case for case in _of_suite(parts, kept.report.suite)}
    changed = {
        id_: Case(id=id_, question=asked.question)
        for id_, asked in kept.cases.items()
        if id_ not in known or known[id_].question != asked.question
    }
    every = list({**known, **changed}.values())  # all of the suite, so that its reports share what was found
    return of_cases(parts, kept.report.suite, every, against=against, patient=patient).among(kept.cases.keys())


def of_cases(
    parts: Parts, suite: str, cases: Sequence[Case], *, against: Iterable[Path] = (), patient: bool = True
) -> Leaks:
    """The leaks into the cases of a suite. `against` are files that it does not name itself."""
    sources, unread = leaks.sources(parts.config.root, suite, against=against)
    states, sources, gone = _states(sources)
    unread = [*unread, *gone]
    if not sources:
        return Leaks(unread=tuple(unread))
    said = [VERSION, sorted(states), [[case.id, split_key(case)] for case in cases]]
    encoder = None
    if parts.config.table("encoder", "main").use != "none":
        encoder = Once(parts.encoder, _teller(parts), folder=parts.config.state / vectors.FOLDER)
    keys = [digest([*said, encoder.id])] if encoder else []
    for key in keys if patient and keys else [*keys, digest(said)]:
        if (found := _read(parts, key)) is not None:
            return replace(found, unread=(*unread, *found.unread))
    others, unreadable = leaks.read(sources)
    if encoder and not patient and encoder.missing(_asked(cases, others)) > AT_ONCE:
        encoder = None
    found = _compared(cases, others, encoder, sources, unreadable)
    _keep(parts, digest([*said, encoder.id] if encoder else said), found)
    return replace(found, unread=(*unread, *found.unread))


def clean(report: Report, hits: Collection[str]) -> Report:
    """The rows of a report to whose cases nothing leaked."""
    return replace(report, rows=tuple(row for row in report.rows if row.case not in hits)) if hits else report


def _of_suite(parts: Parts, name: str) -> tuple[Case, ...]:
    root = parts.config.root
    try:
        path = suites.path_of(root, name)
        return tuple(case_files.read(suites.cases_path(root, path, suites.settings_of(root, name))))
    except UserError:  # a report outlives its suite
        return ()


def _states(sources: Sequence[Source]) -> tuple[list[str], list[Source], list[Unread]]:
    states, there, gone = [], [], []
    for source in sources:
        try:
            states.append(source.state())
            there.append(source)
        except OSError as error:
            gone.append(Unread(name=source.name, reason=f"{source.path.name} cannot be read: {error.strerror}"))
    return states, there, gone


def _compared(
    cases: Sequence[Case],
    others: Mapping[str, tuple[Case, ...]],
    encoder: Once | None,
    sources: Sequence[Source],
    unread: Sequence[Unread],
) -> Leaks:
    found = sides.common(cases, others, encoder=encoder)
    return Leaks(
        hits=tuple(sorted(map(_leak, found), key=lambda leak: (leak.case, leak.kind))),
        sources=tuple(dict.fromkeys(source.name for source in sources if source.name in others)),
        unread=tuple(unread),
        vectors=encoder is not None,
    )


def _leak(found: Found) -> Leak:
    return Leak(
        case=found.case.id,
        question=found.case.question,
        other=found.other.id,
        other_question=found.other.question,
        source=found.suite,
        kind=found.hit.kind,
        score=round(found.hit.score, 4),
    )


def _asked(cases: Sequence[Case], others: Mapping[str, tuple[Case, ...]]) -> list[str]:
    return [overlap.asked(case) for every in (cases, *others.values()) for case in every]


def _teller(parts: Parts) -> Any:
    def tell(done: int, every: int) -> None:
        if done == every or done % 2_048 < 256:
            parts.say(f"looking for leaks: {done:,} of {every:,} questions encoded")

    return tell


def _read(parts: Parts, key: str) -> Leaks | None:
    try:
        plain = json.loads((parts.config.state / FOLDER / f"{key}.json").read_text(encoding="utf-8"))
        return Leaks(
            hits=tuple(Leak(**hit) for hit in plain["hits"]),
            sources=tuple(plain["sources"]),
            vectors=bool(plain["vectors"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _keep(parts: Parts, key: str, found: Leaks) -> None:
    """Keep what was found, unless something could not be read, and forget what was longest not made."""
    if found.unread:
        return
    folder = parts.config.state / FOLDER
    plain = {"hits": [asdict(hit) for hit in found.hits], "sources": found.sources, "vectors": found.vectors}
    try:
        case_files.replace(folder / f"{key}.json", json.dumps(plain, ensure_ascii=False).encode("utf-8"))
        for old in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, UserError):  # it is only for the next time
        return
