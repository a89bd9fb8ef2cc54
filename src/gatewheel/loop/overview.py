"""The state of a project at a glance: its files, its questions, its feedback, and the one thing to do next."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine, String, cast, func, select

from gatewheel.kernel.nouns import Caller, Refusal
from gatewheel.kernel.store import schema
from gatewheel.loop import due, listen, soundness
from gatewheel.loop.project import Project
from gatewheel.ops import feedback

DAY = 86_400.0
DOUBTFUL = 0.3  # share of a week's questions without an answer from which on documents are likely to be missing
GO_ON = "Ask what your colleagues would ask."
FEW = 5  # questions, below which a share says little


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """The ledger of files. `errors` are empty for who may not see every document."""

    count: int
    outdated: bool
    errors: tuple[Refusal, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asks:
    """Questions since midnight UTC, of the last seven days, and how many of these got no answer."""

    today: int
    week: int
    abstained_week: int
    ever: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Next:
    """What to do now, at which station of the wheel."""

    station: str
    text: str
    href: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """Every station with its figures."""

    documents: int
    passages: int
    files: Files
    asks: Asks
    feedback: feedback.Counts
    suites: int
    reports: int
    candidates: int
    next: Next


def files(project: Project, *, most: int) -> Files:
    """The ledger, with the first `most` sources that could not be read."""
    parts = project.parts
    outdated = soundness.outdated(parts) is not None
    if project.caller.groups is not None:  # a file may be known by its name alone
        return Files(count=parts.passages(project.caller.groups).totals()[0], outdated=outdated, errors=())
    table = schema.files
    # JSON has no equality on PostgreSQL
    refused = select(table.c.refusals).where(cast(table.c.refusals, String) != "[]").order_by(table.c.source)
    with parts.engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
        rows = connection.execute(refused.limit(most)).scalars().all()
    told = [Refusal(source=source, reason=reason) for row in rows for source, reason in row]
    return Files(count=int(count), outdated=outdated, errors=tuple(told[:most]))


def wheel(project: Project) -> Wheel:
    """All that the caller may know of it. A handful of counts; nothing is loaded for it but the encoder."""
    parts = project.parts
    documents, passages = parts.passages(project.caller.groups).totals()
    keys = listen.askers(parts, project.caller)
    ledger, asked = files(project, most=1000), _asks(parts.engine, keys)
    said = feedback.counts(parts.engine, keys=keys)
    suites, scored = len(list((project.config.root / "suites").glob("*.toml"))), _reports(parts.engine)
    if "operate" in project.caller.scopes:
        bad = feedback.uncorrected(parts.engine, keys=keys) if said.down else 0
        next_ = _next(project.caller, documents, ledger, asked, said, bad=bad)
        next_ = next_ or _then(project, unscored=bool(suites) and not scored)
    else:
        next_ = _next_to_ask(project.caller, documents, asked, said)
    return Wheel(
        documents=documents,
        passages=passages,
        files=ledger,
        asks=asked,
        feedback=said,
        suites=suites,
        reports=scored,
        candidates=_candidates(project, keys),
        next=next_,
    )


def _reports(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(schema.reports)).scalar_one())


def _asks(engine: Engine, keys: Collection[str] | None) -> Asks:
    table = schema.traces
    now = time.time()
    questions = select(func.count()).select_from(table).where(table.c.kind.in_(("ask", "chat")))
    if keys is not None:
        questions = questions.where(table.c.key.in_(keys))
    week = questions.where(table.c.created > now - 7 * DAY)
    with engine.connect() as connection:
        counted = [
            int(connection.execute(query).scalar_one())
            for query in (
                questions.where(table.c.created >= now - now % DAY),
                week,
                week.where(table.c.abstained),
                questions,
            )
        ]
    return Asks(today=counted[0], week=counted[1], abstained_week=counted[2], ever=counted[3])


def _candidates(project: Project, keys: Collection[str] | None) -> int:
    """Variants that have answered these keys besides the one that answers now."""
    others = select(func.count()).where(schema.variants.c.id != project.variant().id)
    if keys is not None:
        others = others.where(
            schema.variants.c.id.in_(select(schema.traces.c.variant).where(schema.traces.c.key.in_(keys)))
        )
    with project.parts.engine.connect() as connection:
        return int(connection.execute(others).scalar_one())


def _next_to_ask(caller: Caller, documents: int, asked: Asks, said: feedback.Counts) -> Next:
    """For who can change nothing: no document, no setting."""
    if not documents:
        return Next(station="documents", text="No document is open to you: ask who keeps them.", href="/documents")
    if not asked.ever:
        return Next(station="ask", text="Ask the first question.", href="/ask")
    if "feedback" in caller.scopes and not said.up + said.down + said.corrections:
        return Next(station="feedback", text="Ask, and say of the answer whether it is right.", href="/ask")
    return Next(station="ask", text=GO_ON, href="/ask")


def _next(
    caller: Caller, documents: int, ledger: Files, asked: Asks, said: feedback.Counts, *, bad: int
) -> Next | None:
    """What the first three stations lack; `bad` are answers that were found wrong and not corrected."""
    heard = "feedback" in caller.scopes
    if not documents:
        return Next(station="documents", text="Add documents: nothing can be asked yet.", href="/documents")
    if ledger.outdated:
        text = "Ingest again: the documents were read by other settings than the present ones."
        return Next(station="documents", text=text, href="/documents")
    if not asked.ever:
        return Next(station="ask", text="Ask the first question.", href="/ask")
    if heard and not said.up + said.down + said.corrections:
        return Next(station="feedback", text="Say of an answer whether it is right.", href="/traces")
    if asked.week >= FEW and asked.abstained_week / asked.week >= DOUBTFUL:
        text = f"{asked.abstained_week} questions of this week got no answer: see which documents are missing."
        return Next(station="documents", text=text, href="/traces?abstained=true")
    if ledger.errors:
        text = f"{len(ledger.errors)} sources could not be read: see why."
        return Next(station="documents", text=text, href="/documents")
    if heard and bad:
        text = "One answer was found wrong" if bad == 1 else f"{bad} answers were found wrong"
        return Next(station="feedback", text=f"{text}: write what would have been right.", href="/traces?thumb=down")
    return None


def _then(project: Project, *, unscored: bool) -> Next:
    """What the other three lack."""
    if unscored:
        text = "No suite was scored yet: find out how good the answers are."
        return Next(station="evaluate", text=text, href="/evaluate")
    # who does not see every document cannot tune
    if project.caller.groups is None and (text := due.told(project.parts.engine)):
        return Next(station="improve", text=text, href="/improve")
    return Next(station="ask", text=GO_ON, href="/ask")
