"""What a tuning will take is told before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuning
from gatewheel.finetune.settings import Settings
from gatewheel.models.dense import Shape

pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

SMALL = Settings(rank=4, alpha=8, threads=1, precision="float32", steps=6, batch=4)
LLAMA_8B = Shape(
    layers=32, hidden=4096, intermediate=14336, heads=32, kv_heads=8, head_dim=128, vocab=128_256,
    context_length=8192, rope_theta=5e5, norm_eps=1e-5, tied=False,
)  # fmt: skip


def test_it_tells_what_was_tried(tmp_path: Path) -> None:
    from gatewheel.finetune.preflight import preflight

    seen = preflight(tuning.write(tmp_path), tuning.examples(20), SMALL, nf4=False)
    assert seen.fits
    assert (seen.steps, seen.examples, seen.kept) == (6, 18, 2)
    assert seen.tokens > 6 * 4 * 10
    assert seen.seconds > 0
    assert 100e6 < seen.memory < 2e9
    assert "6 steps" in seen.told


def test_what_cannot_fit_is_refused_with_what_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewheel.finetune import preflight

    base = tuning.write(tmp_path)
    monkeypatch.setattr(preflight, "available", lambda: 10**6)
    seen = preflight.preflight(base, tuning.examples(20), SMALL, nf4=False)
    assert not seen.fits
    assert "0.00 GB are free; no setting makes it fit: take a smaller base" in seen.told
    needed = preflight._counted(preflight.prepare(base, tuning.examples(20), SMALL, nf4=False), 300)
    monkeypatch.setattr(preflight, "available", lambda: needed - 1)
    big = Settings(**{**SMALL.model_dump(), "batch": 40, "micro_tokens": 2000})
    seen = preflight.preflight(base, tuning.examples(200), big, nf4=False)
    assert not seen.fits
    assert "this would fit: micro_tokens = 256" in seen.told


def test_the_count_of_a_large_model_is_about_what_is_known() -> None:
    from gatewheel.finetune.footprint import footprint

    lora = footprint(LLAMA_8B, Settings(), nf4=False, size=2, tokens=512)
    qlora = footprint(LLAMA_8B, Settings(), nf4=True, size=2, tokens=512)
    assert lora.weights == pytest.approx(16.1e9, rel=0.03)  # 8.03 billion in bfloat16
    assert qlora.weights == pytest.approx(5.7e9, rel=0.03)  # and the two tables of words stay as they are
    assert lora.pairs == pytest.approx(42e6 * 22, rel=0.03)  # PEFT counts 41,943,040 at rank 16
    assert qlora.total < 0.5 * lora.total
