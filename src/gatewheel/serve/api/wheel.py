"""`/api/wheel`: the six stations with their figures, and the one thing to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from gatewheel.kernel.nouns import Caller
from gatewheel.loop import overview
from gatewheel.loop.project import Project
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import refusals
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["ask"])


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentsStation:
    """What answers are made from."""

    count: int
    passages: int
    outdated: bool
    errors: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStation:
    """Questions since midnight UTC, of the last seven days, and how many of these got no answer."""

    today: int
    week: int
    abstained_week: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackStation:
    """Traces on which the thumbs come to up or down, and corrections."""

    up: int
    down: int
    corrections: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateStation:
    """Suites of test cases in the project, and reports of how they were answered."""

    suites: int
    reports: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImproveStation:
    """Variants that have answered besides the one that answers now."""

    candidates: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseStation:
    """The variant that was released, if any was."""

    current: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Next:
    """What to do now; `href` is a page of the studio."""

    station: Literal["documents", "ask", "feedback", "evaluate", "improve", "release"]
    text: str
    href: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """The project at a glance, as far as the caller may know it. `variant` is the recipe of `[app.main]`."""

    project: str
    variant: str
    documents: DocumentsStation
    asks: AskStation
    feedback: FeedbackStation
    evaluate: EvaluateStation
    improve: ImproveStation
    release: ReleaseStation
    next: Next


@router.get("/wheel", operation_id="get_wheel", responses=refusals())
async def wheel(caller: Annotated[Caller, Depends(may("ask"))], at: Annotated[Service, Depends(service)]) -> Wheel:
    """The six stations and the next action."""
    project = at.project.seen_by(caller)
    return await at.quickly(lambda: _wheel(project))


def _wheel(project: Project) -> Wheel:
    seen = overview.wheel(project)
    next_: dict[str, str] = {"station": seen.next.station, "text": seen.next.text, "href": seen.next.href}
    return Wheel(
        project=project.config.project.name or project.config.root.name,
        variant=project.variant().id,
        documents=DocumentsStation(
            count=seen.documents,
            passages=seen.passages,
            outdated=seen.files.outdated,
            errors=len(seen.files.errors),
        ),
        asks=AskStation(today=seen.asks.today, week=seen.asks.week, abstained_week=seen.asks.abstained_week),
        feedback=FeedbackStation(up=seen.feedback.up, down=seen.feedback.down, corrections=seen.feedback.corrections),
        evaluate=EvaluateStation(suites=seen.suites, reports=seen.reports),
        improve=ImproveStation(candidates=seen.candidates),
        release=ReleaseStation(current=(project.followed and project.followed.released("main")) or None),
        next=Next(**next_),  # type: ignore[arg-type]
    )
