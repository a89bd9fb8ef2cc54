"""Gatewheel's own API: one module for each noun."""

from __future__ import annotations

from fastapi import APIRouter

from gatewheel.serve.api.ask import router as ask
from gatewheel.serve.api.choosing import router as choosing
from gatewheel.serve.api.documents import router as documents
from gatewheel.serve.api.drafts import router as drafts
from gatewheel.serve.api.evals import router as evals
from gatewheel.serve.api.evaluating import router as evaluating
from gatewheel.serve.api.feedback import router as feedback
from gatewheel.serve.api.improve import router as improve
from gatewheel.serve.api.labelled import router as labelled
from gatewheel.serve.api.labels import router as labels
from gatewheel.serve.api.leaks import router as leaks
from gatewheel.serve.api.lineage import router as lineage
from gatewheel.serve.api.releases import router as releases
from gatewheel.serve.api.runs import router as runs
from gatewheel.serve.api.traces import router as traces
from gatewheel.serve.api.uploads import router as uploads
from gatewheel.serve.api.wheel import router as wheel

router = APIRouter()
evaluations = (evals, choosing, evaluating, labels, labelled, leaks)
for part in (wheel, ask, documents, uploads, runs, traces, feedback, *evaluations, releases, lineage, improve, drafts):
    router.include_router(part)
