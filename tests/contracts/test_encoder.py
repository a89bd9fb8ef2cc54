"""Every encoder of the catalog keeps the promises of the port: shapes, unit rows, ascending starts, stable ids."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.kernel import catalog

# nobody listens there: what an endpoint encodes is tested against real servers in tests/embeddings/test_openai.py
SAID: dict[str, dict[str, Any]] = {"openai": {"model": "mini", "base_url": "http://127.0.0.1:1/v1", "dimensions": 8}}
NAMES = sorted(catalog.CATALOG["encoder"])
HERE = [name for name in NAMES if name != "openai"]
TEXTS = ["The gate stays shut.", "", "東京 🚀 café", "word " * 700]


@cache
def made(name: str) -> Any:
    module = catalog.load("encoder", name)
    return module.create(module.Settings(**SAID.get(name, {})))


@pytest.mark.parametrize("name", NAMES)
def test_it_names_itself_and_its_sizes(name: str) -> None:
    one = made(name)
    module = catalog.load("encoder", name)
    assert one.id == module.create(module.Settings(**SAID.get(name, {}))).id
    assert one.id
    assert len(one.id) <= 64  # the width of the store's column
    assert one.dimensions >= 0
    assert one.max_tokens > 0
    empty = one.encode([])
    assert (empty.shape, empty.dtype) == ((0, one.dimensions), np.float32)


@pytest.mark.parametrize("name", HERE)
def test_rows_are_unit_and_finite(name: str) -> None:
    one = made(name)
    rows = one.encode(TEXTS)
    assert (rows.shape, rows.dtype) == ((len(TEXTS), one.dimensions), np.float32)
    assert np.isfinite(rows).all()
    if one.dimensions:
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
        np.testing.assert_allclose(rows[0], one.encode(TEXTS[:1])[0], atol=5e-3)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=300))
def test_token_starts_ascend_and_lie_in_the_text(name: str, text: str) -> None:
    starts = made(name).starts(text)
    assert starts.dtype == np.int32
    assert starts.ndim == 1
    assert (np.diff(starts) >= 0).all()
    assert all(0 <= start < len(text) for start in starts.tolist())
    assert not any(text[start].isspace() for start in starts.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_counted_alike_in_prose(name: str) -> None:
    prose = "The committee postponed its decision about the northern railway until October. " * 20
    assert 200 <= len(made(name).starts(prose)) <= 400
