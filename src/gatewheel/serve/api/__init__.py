"""Gatewheel's own API: one module for each noun."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
