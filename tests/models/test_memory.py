"""The memory of a model is measured in a process of its own, once for the same weights, settings and engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatewheel.models import memory
from gatewheel.models.weights import DEFAULT, find, identity

SETTINGS: dict[str, Any] = {"weights": DEFAULT, "context_length": 256, "threads": 1}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path))
    monkeypatch.setattr(memory, "_unwritten", {})
    return tmp_path


def test_a_model_takes_at_least_its_weights_and_that_is_remembered() -> None:
    weights = identity(find(DEFAULT))
    assert memory.remembered("llama.cpp", SETTINGS, weights) is None
    found = memory.measure("llama.cpp", SETTINGS, weights)
    assert found.error == ""
    assert 0.7 * find(DEFAULT).stat().st_size < found.answering <= found.peak < 2e9
    assert memory.remembered("llama.cpp", SETTINGS, weights) == found
    for other in ({**SETTINGS, "parallel": 4}, {**SETTINGS, "threads": 7}):
        assert memory.remembered("llama.cpp", other, weights) is None
    assert memory.remembered("llama.cpp", SETTINGS, "other weights") is None


def test_the_weights_in_a_process_that_the_engine_starts_count_too() -> None:
    found = memory.measure("openvino", {**SETTINGS, "parallel": 2}, identity(find(DEFAULT)))
    assert found.error == ""
    assert 1.5 * find(DEFAULT).stat().st_size < found.answering <= found.peak < 3e9


def test_what_cannot_be_loaded_says_why_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF nonsense")
    settings = {**SETTINGS, "weights": str(tmp_path / "bad.gguf")}
    assert "not a usable GGUF" in memory.measure("llama.cpp", settings, "bad").error
    assert memory.remembered("llama.cpp", settings, "bad") is None


def test_a_cache_that_cannot_be_written_holds_for_the_process(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_cache / "memory.json").mkdir()
    monkeypatch.setattr(memory, "_in_a_child", lambda *_: {"answering": 5, "peak": 6, "converted": False})
    found = memory.measure("llama.cpp", SETTINGS, "w")
    assert memory.remembered("llama.cpp", SETTINGS, "w") == found == memory.Memory(answering=5, peak=6)
