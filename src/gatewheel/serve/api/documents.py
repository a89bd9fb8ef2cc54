"""`/api/documents`: what answers are made from, as the caller may see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from gatewheel.kernel.nouns import Caller, Span
from gatewheel.loop import overview
from gatewheel.loop.project import Project
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["documents"])
MOST_ERRORS = 200
Source = Annotated[Words, Path(description="As citations name it, such as `guide/wheel.md`.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A document in a list. `groups` are those that may see it; none: everybody."""

    source: str
    title: str
    format: str
    language: str
    passages: int
    characters: int
    groups: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A source that was left out, and why."""

    source: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """`outdated`: they were read by other settings than the present ones."""

    count: int
    outdated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Documents:
    """A page of documents by source. `errors` are told to those only who see every document."""

    total: int
    documents: list[Listed]
    errors: list[Unread]
    files: Files


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A passage as chunked: `text[span[0]:span[1]]` of its document."""

    id: str
    span: Span
    heading: str
    page: int | None
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A document with its text. `pages` holds the offset at which each page starts, where there are pages."""

    source: str
    title: str
    format: str
    language: str
    pages: list[int]
    text: str
    passages: list[Piece]


@router.get("/documents", operation_id="list_documents", responses=refusals())
async def documents(
    caller: Annotated[Caller, Depends(may("ask"))],
    at: Annotated[Service, Depends(service)],
    q: Annotated[Words, Query(description="Sought in source and title.")] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Documents:
    """The documents, by source."""
    project = at.project.seen_by(caller)
    return await at.quickly(lambda: _page(project, q, page, size))


@router.get("/documents/{source:path}", operation_id="get_document", responses=refusals(404))
async def document(
    source: Source, caller: Annotated[Caller, Depends(may("ask"))], at: Annotated[Service, Depends(service)]
) -> Whole:
    """A document with its text and passages."""
    project = at.project.seen_by(caller)
    return await at.quickly(lambda: _whole(project, source))


def _page(project: Project, text: str, page: int, size: int) -> Documents:
    seen = project.parts.passages(project.caller.groups)
    total, rows = seen.documents(text=text, offset=(page - 1) * size, limit=size)
    state = overview.files(project, most=MOST_ERRORS)
    return Documents(
        total=total,
        documents=[Listed(**{**asdict(row), "groups": list(row.groups)}) for row in rows],
        errors=[Unread(source=one.source, reason=one.reason) for one in state.errors],
        files=Files(count=state.count, outdated=state.outdated),
    )


def _whole(project: Project, source: str) -> Whole:
    found = project.document(source)
    if found is None:  # the same words for what is not there and for what the caller may not see
        raise Fault(404, f"no document '{source}'; see the list of documents", code="not_found", param="source")
    passages = project.parts.passages(project.caller.groups).passages_of(source)
    return Whole(
        source=found.source,
        title=found.title,
        format=found.format,
        language=found.language,
        pages=list(found.pages),
        text=found.text,
        passages=[Piece(id=p.id, span=p.span, heading=p.heading, page=p.page, tokens=p.tokens) for p in passages],
    )
