"""Which cases of a suite stand in what was trained on too, and what its figures are without them.

Every case is compared, whenever it was entered: by runs of 13 words, shares of 5-word runs, and vectors. What was found
is kept by the digest of all that was compared, so that to look again costs nothing until something changes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from gatewheel.data import cases as case_files
from gatewheel.data import leak_sources, overlap, sides, suites, vectors
from gatewheel.data.cases import split_key
from gatewheel.data.leak_sources import Source, Unread
from gatewheel.data.vectors import Once
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case, Report, Variant
from gatewheel.kernel.store.schema import variants
from gatewheel.loop import tainting
from gatewheel.loop.evaluate import still
from gatewheel.loop.recipes import digest

if TYPE_CHECKING:
    from gatewheel.data.sides import Found
    from gatewheel.loop.compose import Parts
    from gatewheel.loop.reports import Kept

VERSION = 3  # grows when the same cases would give other hits
KEPT = 256  # states of which the hits are kept; each version that a variant learned has one of its own
AT_ONCE = 256  # questions that who cannot wait lets the encoder read: about a second
FOLDER = "leaks"
Tick = Callable[[], None]
"""Called about once a second while texts are encoded, and while vectors are compared; what it raises ends the look."""
_guard = threading.Lock()
_at_work: dict[str, tuple[threading.Lock, int]] = {}


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


def of_report(
    parts: Parts, kept: Kept, *, against: Iterable[Path] = (), patient: bool = True, tick: Tick = lambda: None
) -> Leaks:
    """The leaks into the cases of a report, as the training data stands now, and from what its variant learned.

    Who is not `patient` gets them by words alone where the encoder would have to read much.
    """
    return of_reports(parts, [kept], against=against, patient=patient, tick=tick)


def of_reports(
    parts: Parts, kept: Sequence[Kept], *, against: Iterable[Path] = (), patient: bool = True, tick: Tick = lambda: None
) -> Leaks:
    """As `of_report`, into the cases of any of these reports of one suite, from what any of their variants learned."""
    suite = kept[0].report.suite
    every = {id_: asked for one in reversed(kept) for id_, asked in one.cases.items()}  # one may be of fewer cases
    known = {case.id: case for case in _of_suite(parts, suite)}
    changed = {
        id_: Case(id=id_, question=asked.question) for id_, asked in every.items() if not still(known.get(id_), asked)
    }
    cases = list({**known, **changed}.values())  # all of the suite, so that its reports share what was found
    more = [*map(leak_sources.file, against), *learned(parts, _variants(parts, kept))]
    return of_cases(parts, suite, cases, more=more, patient=patient, tick=tick).among(every.keys())


def learned(parts: Parts, judged: Sequence[Variant], *, beside: Variant | None = None) -> list[Source]:
    """The dataset versions that variants learned from, as sources of leaks.

    Of those that only one `beside` them learned what is gone is passed over: an incumbent that knows answers by heart
    is harder to beat, so it lets nobody pass.
    """
    ids = {id_ for variant in judged for id_ in tainting.learned(parts.engine, variant.recipe)}
    if beside:
        ids |= {id_ for id_ in tainting.learned(parts.engine, beside.recipe) if parts.objects.has(id_)}
    return leak_sources.of_versions(parts.engine, parts.objects, sorted(ids)) if ids else []


def of_cases(
    parts: Parts,
    suite: str,
    cases: Sequence[Case],
    *,
    more: Iterable[Source] = (),
    patient: bool = True,
    tick: Tick = lambda: None,
) -> Leaks:
    """The leaks into the cases of a suite, also from sources that it does not name itself."""
    sources, unread = leak_sources.sources(parts.config.root, suite, more=more)
    versions = [one for one in sources if one.version]
    groups = [[one for one in sources if not one.version], *([one] for one in versions)]
    # each version by itself: it never changes, so it is not compared again because a file does
    found = [_of_sources(parts, cases, group, patient=patient, tick=tick) for group in groups if group]
    best: dict[tuple[str, str], Leak] = {}
    for hit in (hit for one in found for hit in one.hits):
        known = best.get((hit.case, hit.kind))
        if known is None or hit.score > known.score:
            best[hit.case, hit.kind] = hit
    return Leaks(
        hits=tuple(best[key] for key in sorted(best)),
        sources=tuple(name for one in found for name in one.sources),
        unread=(*unread, *(lost for one in found for lost in one.unread)),
        vectors=all(one.vectors for one in found),
    )


def _of_sources(parts: Parts, cases: Sequence[Case], sources: Sequence[Source], *, patient: bool, tick: Tick) -> Leaks:
    """What was found, or else is now, in sources that are compared together."""
    states, sources, unread = _states(sources)
    if not sources:
        return Leaks(unread=tuple(unread))
    said = [VERSION, sorted(states), [[case.id, split_key(case)] for case in cases]]
    encoder = None
    if parts.config.table("encoder", "main").use != "none":
        encoder = Once(parts.encoder, _teller(parts, tick), folder=parts.config.state / vectors.FOLDER)
    keys = [digest([*said, encoder.id])] if encoder else []
    for key in keys if patient and keys else [*keys, digest(said)]:
        if (found := _known(parts, key, sources)) is not None:
            return replace(found, unread=(*unread, *found.unread))
    others, unreadable = leak_sources.read(sources)
    if encoder and not patient and encoder.missing(_asked(cases, others)) > AT_ONCE:
        encoder = None
    key = digest([*said, encoder.id] if encoder else said)
    with _alone(key):
        found = _known(parts, key, sources)  # while this one waited for its turn
        if found is None:
            found = _compared(cases, others, encoder, unreadable, tick)
            _keep(parts, key, found)
    return replace(found, unread=(*unread, *found.unread))


def clean(report: Report, hits: Collection[str]) -> Report:
    """The rows of a report to whose cases nothing leaked."""
    return replace(report, rows=tuple(row for row in report.rows if row.case not in hits)) if hits else report


def _variants(parts: Parts, kept: Sequence[Kept]) -> list[Variant]:
    """The variants of reports, but for those that a project kept which shares this database no more."""
    with parts.engine.connect() as connection:
        ids = {one.report.variant for one in kept}
        rows = connection.execute(select(variants.c.id, variants.c.recipe).where(variants.c.id.in_(ids)))
        return [Variant(id=row.id, recipe=row.recipe) for row in rows]


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
    unread: Sequence[Unread],
    tick: Tick,
) -> Leaks:
    found = sides.common(cases, others, encoder=encoder, tick=tick)
    return Leaks(
        hits=tuple(sorted(map(_leak, found), key=lambda leak: (leak.case, leak.kind))),
        sources=tuple(others),
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


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """One comparison of a key at a time: who comes second finds what the first has kept."""
    with _guard:
        lock, users = _at_work.get(key, (threading.Lock(), 0))
        _at_work[key] = lock, users + 1
    try:
        with lock:
            yield
    finally:
        with _guard:
            lock, users = _at_work.pop(key)
            if users > 1:
                _at_work[key] = lock, users - 1


def _teller(parts: Parts, tick: Tick) -> Any:
    def tell(done: int, every: int) -> None:
        tick()
        if done == every or done % 2_048 < 256:
            parts.say(f"looking for leaks: {done:,} of {every:,} questions encoded")

    return tell


def _known(parts: Parts, key: str, sources: Sequence[Source]) -> Leaks | None:
    """What was found and kept, while all that could not be read then cannot be read now: a library may have come."""
    found = _read(parts, key)
    if found is None or not found.unread:
        return found
    lost = {one.name for one in found.unread}
    _, unread = leak_sources.read([source for source in sources if source.name in lost])
    return replace(found, unread=tuple(unread)) if {one.name for one in unread} == lost else None


def _read(parts: Parts, key: str) -> Leaks | None:
    try:
        plain = json.loads((parts.config.state / FOLDER / f"{key}.json").read_text(encoding="utf-8"))
        return Leaks(
            hits=tuple(Leak(**hit) for hit in plain["hits"]),
            sources=tuple(plain["sources"]),
            unread=tuple(Unread(**one) for one in plain["unread"]),
            vectors=bool(plain["vectors"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _keep(parts: Parts, key: str, found: Leaks) -> None:
    """Keep what was found, and forget what was longest not made."""
    folder, plain = parts.config.state / FOLDER, asdict(found)
    try:
        case_files.replace(folder / f"{key}.json", json.dumps(plain, ensure_ascii=False).encode("utf-8"))
        for old in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, UserError):  # it is only for the next time
        return
