"""What OpenAI's clients speak: one module for each endpoint."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
