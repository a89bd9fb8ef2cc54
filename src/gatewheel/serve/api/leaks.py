"""`/api/evals/leaks`: what of reports' cases stands in the training data too, and their figures without that."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from gatewheel.kernel.errors import Cancelled
from gatewheel.loop import leaks_beside
from gatewheel.loop.leaks_beside import LeaksBeside
from gatewheel.serve.api.evals import At, Ids, Margin, Operator, with_reports
from gatewheel.serve.api.wire import refusals

router = APIRouter(prefix="/api/evals", tags=["evals"])


@router.get("/leaks", operation_id="show_report_leaks", responses=refusals(404))
async def leaks(ids: Ids, caller: Operator, at: At, margin: Margin = 0.02) -> LeaksBeside:
    """Hits of cases in what models learned from. Which cases they are is told to who sees every document."""
    parts = at.project.parts

    def tick() -> None:
        if at.closing.is_set():
            raise Cancelled("the service closes")

    def look() -> LeaksBeside:
        return with_reports(at, ids, lambda kept: leaks_beside.of_reports(parts, kept, margin=margin, tick=tick))

    found = await at.lookup.get(("leaks", margin, *ids), look)  # much training data takes a while, and no quick thread
    if found is None:
        raise Cancelled("the service closes")
    if caller.groups is None:
        return found
    unread = ["a source cannot be read"] * len(found.leaks.unread)  # a fault may repeat a case
    return replace(found, leaks=replace(found.leaks, hits=[], unread=unread))
