"""POST /v1/embeddings"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from gatewheel.kernel.nouns import Caller, Usage
from gatewheel.serve import fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.fault import Fault
from gatewheel.serve.line import Gone
from gatewheel.serve.service import Service, service
from gatewheel.serve.speaking import Say
from gatewheel.serve.v1 import names
from gatewheel.serve.v1.content import INTEGRAL, OPEN, Words
from gatewheel.serve.v1.shapes import EmbeddingShape, EmbeddingsShape, EmbeddingUsage

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder, Vectors

router = APIRouter()
MOST = 2048  # texts, as at OpenAI
CHARACTERS = 2_000_000  # of all texts
BATCH = 32  # texts between two looks at whether the client still waits


class EmbeddingsRequest(BaseModel):
    """The body. Token ids are refused, since every encoder has ids of its own."""

    model_config = OPEN
    model: str = Field(description="`encoder`: see GET /v1/models.")
    input: Words | Annotated[list[Words], Field(min_length=1, max_length=MOST)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1), INTEGRAL] | None = Field(
        None, description="So many of the first ones, made a unit vector again."
    )
    user: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, data: Any) -> Any:
        given = data.get("input") if isinstance(data, dict) else None
        if isinstance(given, list) and any(isinstance(one, int | list) for one in given):
            cure = "send text (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
            message = f"input: token ids mean something else to every encoder; {cure}"
            raise Fault(400, message, code="unsupported_parameter", param="input")
        return data


@router.post(
    "/embeddings",
    operation_id="createEmbedding",
    summary="Texts as unit vectors",
    responses={200: {"model": EmbeddingsShape, "description": "A vector for each text"}, **fault.ERRORS},
)
async def create(
    body: EmbeddingsRequest,
    request: Request,
    at: Annotated[Service, Depends(service)],
    caller: Annotated[Caller, Depends(may("ask"))],
) -> Response:
    """By the encoder of the project, the one that its documents are found by."""
    named = names.encoder(at.project.config, body.model)
    texts = [body.input] if isinstance(body.input, str) else body.input
    refuse_much(texts, "input")

    def encode(say: Say) -> EmbeddingsShape:
        encoder = at.project.parts.encoder
        vectors, tokens = encoded(at, caller, named.name, texts, encoder=encoder, say=say)
        data = _data(_cut(vectors, body.dimensions), as_text=body.encoding_format == "base64")
        spent: EmbeddingUsage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": body.model, "data": data, "usage": spent}

    return flow.reply(await flow.outcome(at, request, encode))


def refuse_much(texts: list[str], param: str) -> None:
    """Raises Fault 400 when all texts together are too long."""
    if (has := sum(map(len, texts))) > CHARACTERS:
        message = f"{param}: {has:,} characters together, at most {CHARACTERS:,}; send them in several requests"
        raise Fault(400, message, code="too_large", param=param)


def encoded(
    at: Service, caller: Caller, name: str, texts: list[str], *, encoder: Encoder, say: Say
) -> tuple[Vectors, int]:
    """Unit rows, shape (texts, dimensions), and how many tokens went in; the latter is accounted for.

    Raises Gone when `say` tells to stop.
    """
    import numpy as np

    began, rows, tokens = time.perf_counter(), [], 0
    try:
        for start in range(0, len(texts), BATCH):
            if say(None):
                raise Gone
            batch = texts[start : start + BATCH]
            rows.append(encoder.encode(batch))
            # what is longer than the encoder takes is cut there
            tokens += sum(min(len(encoder.starts(text)), encoder.max_tokens) for text in batch)
    finally:
        usage = Usage(input_tokens=tokens, seconds=time.perf_counter() - began)
        flow.account(at, lambda: at.account(caller, name, usage))
    return np.concatenate(rows), tokens


def _cut(vectors: Vectors, dimensions: int | None) -> Vectors:
    import numpy as np

    has = vectors.shape[1]
    if dimensions is None or dimensions == has:
        return vectors
    if dimensions > has:
        raise Fault(400, f"dimensions: must be at most {has}, got {dimensions}", param="dimensions")
    short = vectors[:, :dimensions]
    length = np.linalg.norm(short, axis=1, keepdims=True)
    cut: Vectors = (short / np.where(length > 0, length, 1)).astype(np.float32)
    return cut


def _data(vectors: Vectors, *, as_text: bool) -> list[EmbeddingShape]:
    rows: list[Any] = (
        [base64.b64encode(row.astype("<f4").tobytes()).decode("ascii") for row in vectors]
        if as_text
        else vectors.tolist()
    )
    return [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
