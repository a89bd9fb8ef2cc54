"""Here migrations are among what is tested, so every store begins by them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def begun() -> None:
    """Nothing is copied."""
