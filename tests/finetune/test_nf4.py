"""The 4-bit base is what bitsandbytes makes of it, and pairs learn beside it as beside the dense one."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuning
from gatewheel.finetune import qlora
from gatewheel.finetune.settings import Settings

torch = pytest.importorskip("torch", reason="needs the train extra")
functional = pytest.importorskip("bitsandbytes.functional", reason="the reference")
pytestmark = pytest.mark.train


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_codes_mean_what_bitsandbytes_says(dtype: torch.dtype) -> None:
    from gatewheel.finetune.nf4 import Nf4

    matrix = (torch.randn(96, 128, generator=torch.Generator().manual_seed(0)) * 0.05).to(dtype)
    made = Nf4.of(matrix)
    assert made.dense().dtype == dtype
    packed, state = functional.quantize_4bit(matrix, quant_type="nf4", compress_statistics=True)
    assert torch.equal(made.dense(), functional.dequantize_4bit(packed, state))
    assert (made.dense() - matrix).abs().mean() < 0.1 * matrix.abs().mean()
    assert made.bytes() < matrix.numel() * 4.6 / 8


def test_pairs_beside_the_codes_learn_as_beside_what_they_mean() -> None:
    from gatewheel.finetune.linear import Linear, Rows
    from gatewheel.finetune.nf4 import Nf4

    generator = torch.Generator().manual_seed(1)
    quantised = Nf4.of(torch.randn(64, 64, generator=generator))
    rows = (Rows("one", 0, 24), Rows("two", 40, 64))
    pair = [Linear(frozen, rows, rank=2, scale=2.0, dora=True) for frozen in (quantised, quantised.dense())]
    drawn = [torch.randn(parameter.shape, generator=generator) for parameter in pair[0].parameters()]
    x, gradient = torch.randn(7, 64, generator=generator), torch.randn(7, 64, generator=generator)
    found = []
    for linear in pair:
        for parameter, values in zip(linear.parameters(), drawn, strict=True):
            parameter.data.add_(values)
        linear.refresh()
        wide = linear.room(x)
        wide[:, :64] = x
        with torch.no_grad():
            out, made = linear.forward(linear.fill(wide))
            found.append((out, linear.back(gradient, wide, made), *(each.grad for each in linear.parameters())))
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def test_qlora_tunes(tmp_path: Path) -> None:
    base = tuning.write(tmp_path / "base")
    settings = Settings(
        rank=4, alpha=8, threads=1, precision="float32", samples=0, learning_rate=0.01, steps=40, patience=0
    )
    made = qlora.create(settings).train(base, tuning.examples(40), folder=tmp_path / "out")
    assert made.validation is not None
    first, best, _ = made.validation
    assert best < 0.9 * first
