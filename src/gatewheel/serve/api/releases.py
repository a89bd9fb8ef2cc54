"""`/api/releases`: what answers for each application, what could follow it, the history, and the way there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import Cancelled, ConfigError, UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import release_status, releasing, rolling_back
from gatewheel.loop.release_status import Candidate, ReleaseStatus
from gatewheel.ops import releases
from gatewheel.ops.releases import Release
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing, refusals, seen_reasons
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api/releases", tags=["releases"])
Operator = Annotated[Caller, Depends(may("operate"))]
At = Annotated[Service, Depends(service)]
App = Annotated[Words, Path(description="Which [app.*].")]
PATIENCE = (
    5.0  # seconds that a request waits for what may take minutes: no proxy cuts it off, and a stop is not held up
)
NOT_TOLD = "a key that sees every document is told why"  # a fault of a suite may repeat a case
Why = Annotated[Words, Field(max_length=2000)]


class Promote(BaseModel):
    """What to release."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    variant: Annotated[Words, Field(min_length=1, description="An [app.*], or the beginning of a variant's id.")]
    override: Why = Field("", description="Why to go past the gate; it stays in the history.")


class Rollback(BaseModel):
    """Going back."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    released: Words | None = Field(None, description="The variant to go back from; refused when another is released.")
    to: Words = Field("", max_length=64, description="Further back at once: an earlier release, or: file.")
    text: Why = Field("", description="Why; it stays in the history.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseView:
    """A row of the history. `action` is gate, propose, promote or rollback; `variant` is empty where the file answers.

    `reason` has what was said: the decision of a gate with its reasons, a text, the reason of an override.
    """

    number: int
    app: str
    created: float
    action: str
    variant: str
    reason: dict[str, Any]
    author: str
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateView:
    """A variant that could follow. `decisions` are the newest one of each gate; `passed`: all of them let it pass.

    Whether that still holds is another question (`Refusals`).
    `left` is the newest roll back from it: it answered already, and somebody went back.
    """

    variant: str
    app: str
    proposed: ReleaseView | None
    decisions: list[ReleaseView]
    passed: bool
    left: ReleaseView | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a candidate that passed would not be released all the same; empty where it would.

    To who does not see every document it says only that.
    """

    variant: str
    refused: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusals:
    """Of every candidate that passed, whether that still holds. While `checked` is false nothing is known yet."""

    checked: bool
    candidates: list[Refusal]


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """An application. `released` is empty while the `file` answers; `since` is the row that made it so.

    `back` is what to roll back to, "" the file's, null where there is nothing to go back from: the newest earlier
    release that did not learn of what was forgotten since, where there is one.
    `answering` is the release that this service follows at the moment: it trails by seconds.
    """

    app: str
    released: str
    answering: str
    since: ReleaseView | None
    back: str | None
    file: str
    gates: list[str]
    candidates: list[CandidateView]


@dataclass(frozen=True, kw_only=True, slots=True)
class Releases:
    """Applications, the newest rows of the history first, and what its chain does not agree with."""

    apps: list[Application]
    history: list[ReleaseView]
    rows: int
    head: str
    faults: list[str]


@router.get("", operation_id="list_releases", responses=refusals())
async def listed(
    caller: Operator,
    at: At,
    app: Annotated[Words, Query(description="Only the history of this application.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Releases:
    """What is released, what could be, and how it came to that."""

    def look() -> Releases:
        parts = at.project.parts
        found = releases.verify(parts.engine)
        return Releases(
            apps=[_application(at, one, caller) for one in release_status.statuses(parts)],
            history=[_view(row, caller) for row in releases.history(parts.engine, app)[::-1][:limit]],
            rows=found.rows,
            head=found.head,
            faults=list(found.faults),
        )

    return await at.quickly(look)


@router.get("/{app}/refused", operation_id="check_candidates", responses=refusals(404))
async def refused(app: App, caller: Operator, at: At) -> Refusals:
    """Whether the candidates that passed would be released now: documents, cases or judges may have changed since.

    Much that is new to the encoder takes it minutes. Ask again while `checked` is false.
    """

    def tick() -> None:
        if at.closing.is_set():
            raise Cancelled("the service closes")

    def look() -> dict[str, str] | None:
        try:
            return release_status.refusals(at.project.parts, app, tick=tick)
        except Cancelled:
            return None

    _refuse_unknown(at, app)
    found = await at.lookup.get(("refused", app), look, seconds=PATIENCE)
    told = [Refusal(variant=one, refused=_told(why, caller)) for one, why in (found or {}).items()]
    return Refusals(checked=found is not None, candidates=told)


@router.post("/{app}/promote", operation_id="promote_release", responses=refusals(404, 409))
async def promote(app: App, what: Promote, caller: Operator, at: At) -> ReleaseView:
    """Release a variant that every gate of the application let pass, or for the reason of an override."""
    parts = at.project.parts
    if what.override and not what.override.strip():
        raise Fault(400, "a reason of blanks is none; say why", code="invalid_value", param="override")

    def change() -> Release:
        try:
            return releasing.promote(parts, app, what.variant, override=what.override, author=caller.key)
        except UserError:
            if caller.groups is None:
                raise
            raise UserError("it is refused", cure=NOT_TOLD) from None

    return await _changed(at, app, caller, change)


@router.post("/{app}/rollback", operation_id="roll_back_release", responses=refusals(404, 409))
async def rollback(app: App, what: Rollback, caller: Operator, at: At) -> ReleaseView:
    """Release what was released before; from the first release back to what the file says.

    Refused where that learned of what was forgotten since.
    """
    parts = at.project.parts

    def back() -> Release:
        now = releases.current(parts.engine, app)
        if what.released is not None and now != what.released:
            raise UserError(f"[app.{app}] has another release by now, {now[:12] or 'none'}", cure="look again")
        try:
            return rolling_back.rollback(parts, app, to=what.to, text=what.text, author=caller.key)
        except UserError:
            if caller.groups is None:
                raise
            raise UserError("it is refused", cure=NOT_TOLD) from None

    return await _changed(at, app, caller, back)


async def _changed(at: Service, app: str, caller: Caller, change: Callable[[], Release]) -> ReleaseView:
    def work() -> Release:
        _refuse_unknown(at, app)
        try:
            row = change()
            if at.project.followed:
                at.project.followed.look_soon()
            return row
        except UserError as error:
            raise Fault(409, str(error), code="conflict") from None

    return _view(await at.quickly(work), caller)


def _refuse_unknown(at: Service, app: str) -> None:
    try:
        at.project.config.table("app", app)
    except ConfigError as error:
        raise missing(error) from None


def _told(why: str, caller: Caller) -> str:
    return NOT_TOLD if why and caller.groups is not None else why


def _application(at: Service, one: ReleaseStatus, caller: Caller) -> Application:
    followed = at.project.followed
    return Application(
        app=one.app,
        released=one.released,
        answering=followed.released(one.app) if followed else "",
        since=_view(one.since, caller) if one.since else None,
        back=one.back,
        file=one.file,
        gates=list(one.gates),
        candidates=[_candidate(each, caller) for each in one.candidates],
    )


def _candidate(one: Candidate, caller: Caller) -> CandidateView:
    return CandidateView(
        variant=one.variant,
        app=one.app,
        proposed=_view(one.proposed, caller) if one.proposed else None,
        decisions=[_view(row, caller) for row in one.decisions],
        passed=one.passed,
        left=_view(one.left, caller) if one.left else None,
    )


def _view(row: Release, caller: Caller) -> ReleaseView:
    return ReleaseView(
        number=row.number,
        app=row.app,
        created=row.created,
        action=row.action,
        variant=row.variant,
        reason=_seen(row.reason, caller),
        author=row.author,
        hash=row.hash,
    )


def _seen(reason: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    return dict(reason) if caller.groups is None or "reasons" not in reason else seen_reasons(reason)
