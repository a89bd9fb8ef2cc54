"""What a way of writing weights costs is told by the file itself, against a forward pass of its own in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_llama

from gatewheel.kernel.errors import UserError
from gatewheel.models import perplexity
from gatewheel.models.dense import Shape, open_dense
from gatewheel.models.exporting import export

ROWS = ((5, 9, 250, 7, 31, 8), (17, 3), tuple(range(40, 100)))
STRETCHED = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


@pytest.mark.parametrize("changed", [{}, {"tie_word_embeddings": False}, {"head_dim": 32}, {"rope_scaling": STRETCHED}])
def test_every_token_is_as_likely_as_the_forward_pass_says(tmp_path: Path, changed: dict[str, Any]) -> None:
    dense = open_dense(tiny_llama.folder(tmp_path / "model", **changed))
    wanted = [-tiny_llama.logprobs(dense, list(row))[np.arange(len(row) - 1), list(row[1:])] for row in ROWS]
    assert perplexity.surprises(dense, ROWS) == pytest.approx(np.concatenate(wanted), abs=1e-4)


def test_fewer_bits_cost_more_and_half_precision_costs_nothing(tmp_path: Path) -> None:
    dense = open_dense(tiny_llama.folder(tmp_path / "model"))
    draw = np.random.default_rng(3)
    rows = [tuple(draw.integers(0, dense.shape.vocab, 64).tolist()) for _ in range(8)]
    found = {}
    for kind in ("F16", "Q8_0", "Q4_0"):
        written = open_dense(export(dense, tmp_path / kind, kind=kind).path)
        found[kind] = perplexity.difference(dense, written, rows)
    assert {one.tokens for one in found.values()} == {8 * 63}
    assert abs(found["F16"].share) < 1e-3
    assert found["F16"].margin < found["Q8_0"].margin < found["Q4_0"].margin
    coarse = found["Q4_0"]
    assert coarse.share == pytest.approx(coarse.written / coarse.exact - 1)
    same = perplexity.difference(dense, dense, rows)
    assert (same.share, same.margin) == (0.0, 0.0)


def test_a_text_is_cut_as_the_model_cuts_it_whatever_holds_its_tokenizer(tmp_path: Path) -> None:
    folder = tiny_llama.folder(tmp_path / "model")
    file = export(open_dense(folder), tmp_path / "m.gguf", kind="F16").path
    text = " ".join(tiny_llama.TEXTS * 20)
    rows = perplexity.windows(folder, text, most=700)
    assert [len(row) for row in rows] == [512, 188]
    assert perplexity.windows(file, text, most=700) == rows
    assert perplexity.windows(file, "", most=700) == []
    with pytest.raises(UserError, match="no text"):
        perplexity.difference(open_dense(file), open_dense(file), [])


def test_larger_models_are_measured_on_less_text() -> None:
    def asked(layers: int, hidden: int) -> int:
        shape = Shape(
            layers=layers, hidden=hidden, intermediate=3 * hidden, heads=8, kv_heads=8, head_dim=hidden // 8,
            vocab=32_000, context_length=2048, rope_theta=1e4, norm_eps=1e-5, tied=True,
        )  # fmt: skip
        return perplexity.affordable(shape)

    assert asked(2, 64) == perplexity.MOST
    assert perplexity.FEWEST < asked(24, 1024) < perplexity.MOST
    assert asked(32, 4096) == perplexity.FEWEST
