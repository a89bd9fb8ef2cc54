"""What OpenAI's clients speak: one module for each endpoint."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from gatewheel.serve.v1 import chat, completions, embeddings, models, rerank, responses, tokenizer
from gatewheel.serve.v1.surrogates import whole_characters

router = APIRouter(prefix="/v1", tags=["openai"], dependencies=[Depends(whole_characters)])
for part in (models, chat, completions, responses, embeddings, rerank):
    router.include_router(part.router)
beside = tokenizer.router  # what clients look for outside of /v1
