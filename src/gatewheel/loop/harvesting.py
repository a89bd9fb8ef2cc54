"""Harvests cases to learn from: what people said was right, of the questions that were really asked.

A correction becomes the reference; where it is asked for, an answer that was found good is one itself. Doing it again
adds what is new and nothing else, also when the first time was killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select

from gatewheel.data import cases as case_files
from gatewheel.data import collecting, harvested, sides, suites
from gatewheel.data.blackening import black_out
from gatewheel.data.cases import identity, split_key
from gatewheel.data.collecting import Incoming, Taken
from gatewheel.data.harvested import MARK, Condition, Spoken
from gatewheel.data.origins import DOCUMENTS, Origin
from gatewheel.guard.redact import redact
from gatewheel.kernel import trace as traces
from gatewheel.kernel.errors import FilterError, UserError, did_you_mean
from gatewheel.kernel.nouns import Case, Thumb, Trace
from gatewheel.kernel.settings import REDACTED
from gatewheel.kernel.store import schema
from gatewheel.loop.compose import Parts
from gatewheel.loop.freezing import apart
from gatewheel.ops import feedback

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder

WHERE = "corrected=yes"
BATCH = 500  # values per IN list


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to harvest into the suite `to`: traces of which something was said since then, and of which `where` holds.

    With `app` those that another application answered are left alone. `redact` are the kinds of guard/redact.py that
    are blacked out before anything is written.
    """

    to: str
    since: float = 0.0
    where: str = WHERE
    app: str = ""
    redact: tuple[str, ...] = REDACTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Passed:
    """A trace of which no case was made, and why."""

    trace: str
    question: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Harvested:
    """`traces` were looked at, `renewed` cases of the suite got another reference, `known` ones stay as they are."""

    traces: int
    cases: int
    added: int
    renewed: int
    known: int
    passed: tuple[Passed, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sheaf:
    """A case as it was asked and as it is kept, with the trace that it comes from and the documents read for that."""

    asked: Case
    kept: Case
    spoken: Spoken
    documents: tuple[str, ...] = ()


@dataclass
class _Merging:
    """Puts harvested cases into a suite: a new reference stands first, what somebody wrote by hand stays."""

    renewed: int = 0
    known: int = 0

    def __call__(self, before: Sequence[Case], cases: Sequence[Case]) -> list[Case]:
        after = list(before)
        places = {split_key(case): place for place, case in reversed(list(enumerate(after)))}
        for case in cases:
            place = places.get(split_key(case))
            if place is None:
                after.append(case)
            elif (made := renewed(after[place], case)) is after[place]:
                self.known += 1
            else:
                after[place] = made
                self.renewed += 1
        return after


def harvest(parts: Parts, wanted: Wanted, *, encoder: Encoder | None) -> Harvested:
    """Make cases of traces, and put them into a suite for training, which is made when there is none.

    Left out, with the reason, is what teaches nothing, what stands on the other side of the split or is nearly the same
    as a case there, and what the suite asks already in somebody's own words. Raises FilterError for the filter,
    UserError for a suite that is held out.
    """
    conditions = harvested.parse(wanted.where)
    _refuse_unknown(parts, {wanted.app, *(str(one.value) for one in conditions if one.field == "app")})
    there = _there(parts, wanted.to)
    looked, sheaves, passed = _made(parts.engine, wanted, conditions)
    sheaves, refused = _apart(parts, sheaves, encoder)
    by_hand = {split_key(case) for case in there if MARK not in case.meta}
    own = [one for one in sheaves if split_key(one.kept) in by_hand]
    passed += refused + [_passed(one.spoken.trace, f"suite {wanted.to} asks it in words of its own") for one in own]
    sheaves = [one for one in sheaves if split_key(one.kept) not in by_hand]
    merging, taken = _Merging(), Taken(split="train", cases=len(there), added=0, known=0)
    if sheaves:
        found = list(_origins(sheaves))
        incoming = Incoming(name=wanted.to, cases=joined(sheaves), split="train", origins=found, merge=merging)
        taken = collecting.bring(parts.config.root, parts.engine, incoming, encoder=encoder)
    return Harvested(
        traces=looked,
        cases=taken.cases,
        added=taken.added,
        renewed=merging.renewed,
        known=merging.known,
        passed=tuple(passed),
    )


def joined(sheaves: Sequence[_Sheaf]) -> list[Case]:
    """One case of all that ask the same: what people wrote first, the newest of it at the front."""
    groups: dict[str, list[_Sheaf]] = {}
    for one in sorted(sheaves, key=_rank, reverse=True):
        groups.setdefault(split_key(one.kept), []).append(one)
    made = []
    for group in groups.values():
        first = group[0].kept
        alike = [one.kept.references for one in group if one.kept.answerable is first.answerable]
        case = replace(first, references=tuple(dict.fromkeys(text for texts in alike for text in texts)))
        made.append(replace(case, id=identity(case)))
    return made


def renewed(known: Case, case: Case) -> Case:
    """A case of a suite with what was harvested since; the very same one where that is nothing new."""
    corrected = case.meta[MARK] == "correction"
    new = tuple(text for text in case.references if text not in known.references)
    if MARK not in known.meta or (known.answerable is case.answerable and not new):
        return known
    if known.answerable is not case.answerable and not corrected:
        return known
    references = (*new, *known.references) if corrected else (*known.references, *new)
    mark = {MARK: "correction"} if corrected else {}
    made = replace(known, references=references, answerable=case.answerable, meta={**known.meta, **mark})
    return replace(made, id=identity(made)) if known.id == identity(known) else made


def _rank(one: _Sheaf) -> tuple[bool, float, str]:
    said = harvested.corrections(one.spoken.said)
    newest = said[0].created if said else one.spoken.trace.created
    return bool(said), newest, one.spoken.trace.id


def _refuse_unknown(parts: Parts, apps: set[str]) -> None:
    """Raises FilterError for an application that neither is there nor ever was told anything."""
    if not (unknown := apps - {"", *parts.config.names("app")}):
        return
    told = select(schema.traces.c.app).join(schema.feedback, schema.feedback.c.trace == schema.traces.c.id).distinct()
    with parts.engine.connect() as connection:
        unknown -= {*connection.scalars(told)}
    for name in sorted(unknown):
        raise FilterError(f"there is no [app.{name[:40]}]", cure=did_you_mean(name, parts.config.names("app")))


def _there(parts: Parts, name: str) -> list[Case]:
    """The cases of the suite, if there is one. Raises UserError when it is held out."""
    root, path = parts.config.root, suites.path_of(parts.config.root, name)
    if not path.exists():
        return []
    settings = suites.settings_of(root, name)
    if settings.split != "train":
        what = f"the cases of suite {name} are held out, not for training"
        raise UserError(what, cure="harvest into another suite")
    file = suites.cases_path(root, path, settings)
    return case_files.read(file) if file.exists() else []


def _made(engine: Engine, wanted: Wanted, conditions: Sequence[Condition]) -> tuple[int, list[_Sheaf], list[Passed]]:
    """How many traces hold, the cases of those that teach something, and why the others do not."""
    looked, sheaves, passed = 0, [], []
    answers = harvested.takes_answers(conditions)
    for spoken in _spoken(engine, wanted.since):
        elsewhere = wanted.app and spoken.trace.app not in ("", wanted.app)  # empty where no application answered
        if elsewhere or not harvested.holds(conditions, spoken):
            continue
        looked += 1
        try:
            asked = harvested.case_of(spoken, answers=answers)
            kept = black_out(asked, partial(redact, kinds=wanted.redact))
            light = replace(spoken, trace=replace(spoken.trace, spans=()))  # a prompt may be long, and is read by now
            sheaves.append(_Sheaf(asked=asked, kept=kept, spoken=light, documents=_read_for(engine, spoken.trace)))
        except UserError as error:
            passed.append(_passed(spoken.trace, str(error)))
    return looked, sheaves, passed


def _read_for(engine: Engine, trace: Trace) -> tuple[str, ...]:
    """The documents that were read for an answer; those of former versions as far as their passages are still there."""
    named = [one for span in trace.spans for one in span.attributes.get(traces.DOCUMENTS, ())]
    found = {str(one["source"]) for one in named if "source" in one}
    if old := [one["id"] for one in named if "source" not in one]:
        of = select(schema.documents.c.source).join(schema.passages)
        with engine.connect() as connection:
            found |= {*connection.scalars(of.where(schema.passages.c.public_id.in_(old[:BATCH])))}
    return tuple(sorted(found))


def _spoken(engine: Engine, since: float) -> Iterator[Spoken]:
    """Every trace of which something was said since then, with all that was ever said of it."""
    table = schema.feedback
    with engine.connect() as connection:
        ids = list(connection.scalars(select(table.c.trace).where(table.c.created >= since).distinct()))
    for at in range(0, len(ids), BATCH):
        some = ids[at : at + BATCH]
        said = feedback.on(engine, some)
        with engine.connect() as connection:
            verdicts = connection.execute(traces.verdicts().where(table.c.trace.in_(some)))
            thumbs: dict[str, Thumb] = {trace: thumb for trace, thumb in verdicts}
        for trace in traces.of_ids(engine, some):
            yield Spoken(trace=trace, thumb=thumbs.get(trace.id), said=tuple(said.get(trace.id, ())))


def _apart(parts: Parts, sheaves: Sequence[_Sheaf], encoder: Encoder | None) -> tuple[list[_Sheaf], list[Passed]]:
    """Those that are far from all that is held out, both as they were asked and as they are kept."""
    held = sides.across(parts.config.root, "train")
    reasons: dict[int, str] = {}
    for which in ("asked", "kept"):
        some = [getattr(one, which) for one in sheaves]
        places = {id(case): place for place, case in enumerate(some)}
        for left in apart(parts, some, held, encoder)[1]:
            reasons.setdefault(places[id(left.case)], left.reason)
    kept = [one for place, one in enumerate(sheaves) if place not in reasons]
    return kept, [_passed(sheaves[place].spoken.trace, reason) for place, reason in sorted(reasons.items())]


def _origins(sheaves: Sequence[_Sheaf]) -> Iterator[Origin]:
    for one in sheaves:
        trace, case = one.spoken.trace, split_key(one.kept)
        detail: dict[str, Any] = {"kind": trace.kind, "variant": trace.variant, "key": trace.key}
        # a trace goes for its age, and then nothing else leads from a document to what was learned of it
        detail |= {DOCUMENTS: list(one.documents)} if one.documents else {}
        yield Origin(case=case, kind="trace", ref=trace.id, detail=detail)
        for said in one.spoken.said:
            about = {"trace": trace.id, "author": said.author, "corrected": bool(said.correction)}
            yield Origin(case=case, kind="feedback", ref=said.id, detail=about)


def _passed(trace: Trace, reason: str) -> Passed:
    return Passed(trace=trace.id, question=trace.question, reason=reason)
