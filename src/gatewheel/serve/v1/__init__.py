"""What OpenAI's clients speak: one module for each endpoint."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from gatewheel.serve.v1 import chat, completions, embeddings, files, fine_tuning, models, rerank, responses, tokenizer
from gatewheel.serve.v1.surrogates import whole_characters

_json = APIRouter(dependencies=[Depends(whole_characters)])
for part in (models, chat, completions, responses, embeddings, rerank, fine_tuning):
    _json.include_router(part.router)
router = APIRouter(prefix="/v1", tags=["openai"])
router.include_router(_json)
router.include_router(files.router)  # whose bodies are no JSON, and large
beside = tokenizer.router  # what clients look for outside of /v1
