"""POST /v1/rerank, in the shape of Jina and Cohere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gatewheel.kernel.nouns import Caller, Document
from gatewheel.serve import fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.fault import Fault
from gatewheel.serve.line import Gone
from gatewheel.serve.service import Service, service
from gatewheel.serve.speaking import Say
from gatewheel.serve.v1 import names, replies
from gatewheel.serve.v1.content import INTEGRAL, OPEN, Words
from gatewheel.serve.v1.embeddings import encoded, refuse_much
from gatewheel.serve.v1.shapes import RankedShape, RerankShape

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts

router = APIRouter()
MOST = 1000  # documents


class TextDocument(BaseModel):
    """A document in an object."""

    model_config = OPEN
    text: str


class RerankRequest(BaseModel):
    """The body."""

    model_config = OPEN
    model: str = Field(description="`encoder`: see GET /v1/models.")
    query: Words
    documents: list[str | TextDocument] = Field(min_length=1, max_length=MOST)
    top_n: Annotated[int, Field(ge=1), INTEGRAL] | None = None
    return_documents: bool | None = None


@router.post(
    "/rerank",
    operation_id="createRerank",
    summary="Documents in the order of their relevance to a query",
    responses={200: {"model": RerankShape, "description": "Best first"}, **fault.ERRORS},
)
async def create(
    body: RerankRequest,
    request: Request,
    at: Annotated[Service, Depends(service)],
    caller: Annotated[Caller, Depends(may("ask"))],
) -> Response:
    """Cosine of query and document by the project's encoder; of a long document its best chunk counts."""
    named = names.encoder(at.project.config, body.model)
    if not body.query.strip():
        raise Fault(400, "query: is empty", code="invalid_value", param="query")
    texts = [one if isinstance(one, str) else one.text for one in body.documents]
    refuse_much([body.query], "query")
    refuse_much(texts, "documents")

    def rank(say: Say) -> RerankShape:
        chunks, owners = _chunks(at.project.parts, texts, say)
        encoder = at.project.parts.encoder
        vectors, tokens = encoded(at, caller, named.name, [body.query, *chunks], encoder=encoder, say=say)
        scores = [0.0] * len(texts)
        for owner, cosine in zip(owners, (vectors[1:] @ vectors[0]).tolist(), strict=True):
            scores[owner] = max(scores[owner], min(1.0, cosine))
        return {
            "id": replies.new_id("rerank-"),
            "model": body.model,
            "results": _results(scores, texts, body),
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    return flow.reply(await flow.outcome(at, request, rank))


def _chunks(parts: Parts, texts: list[str], say: Say) -> tuple[list[str], list[int]]:
    """The chunks of all texts, and for each the number of its text. Raises Gone when `say` tells to stop."""
    chunks: list[str] = []
    owners: list[int] = []
    for number, text in enumerate(texts):
        if say(None):
            raise Gone
        document = Document(source=str(number), text=text, format="text")
        for chunk in parts.chunker.split(document, tokens=parts.encoder):
            chunks.append(text[chunk.start : chunk.end])
            owners.append(number)
    return chunks, owners


def _results(scores: list[float], texts: list[str], body: RerankRequest) -> list[RankedShape]:
    best = sorted(range(len(texts)), key=lambda index: -scores[index])[: body.top_n]
    out: list[RankedShape] = []
    for index in best:
        ranked: RankedShape = {"index": index, "relevance_score": round(scores[index], 6)}
        if body.return_documents:
            ranked["document"] = {"text": texts[index]}
        out.append(ranked)
    return out
