"""Attention by torch's fused kernels gives what plain products give, and a tuning on CUDA what one on a CPU gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuning
from gatewheel.finetune import lora, qlora
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.settings import ScaleSettings

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

ONE = ScaleSettings(workers=1)
LENGTHS = [9, 5, 1, 14, 2, 15]


@pytest.mark.parametrize("keys", [1, 2, 4])
def test_it_is_what_plain_products_give_and_so_is_its_derivative(keys: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewheel.finetune import attention, fused

    heads = attention.Heads(queries=4, keys=keys, width=8)
    generator = torch.Generator().manual_seed(keys)
    rows, gradient = (
        torch.randn(sum(LENGTHS), (4 + more) * 8, generator=generator, dtype=torch.float64) for more in (2 * keys, 0)
    )
    monkeypatch.setattr(attention, "QUERIES", 4)
    found = []
    for suits in (False, True):
        monkeypatch.setattr(fused, "suits", lambda _, suits=suits: suits)
        out = torch.empty_like(gradient)
        with torch.no_grad():
            attention.forward(out, rows, 0, LENGTHS, heads)
            found.append((out, attention.back(gradient, rows, 0, LENGTHS, heads)))
    for plain, by_kernel in zip(*found, strict=True):
        torch.testing.assert_close(by_kernel, plain)


def test_what_many_examples_ask_of_their_trunk_is_summed_without_rounding_at_each() -> None:
    from gatewheel.finetune import attention

    heads, generator = attention.Heads(queries=4, keys=2, width=8), torch.Generator().manual_seed(3)
    rows, gradient = (
        (torch.randn(20 + 400 * 2, width, generator=generator) + more).bfloat16() for width, more in ((64, 0), (32, 1))
    )
    with torch.no_grad():
        found = attention.back(gradient, rows, 20, [2] * 400, heads)[:20, 32:].double()
        exact = attention.back(gradient.double(), rows.double(), 20, [2] * 400, heads)[:20, 32:]
    assert (found - exact).norm() / exact.norm() < 0.01  # .0025; rounded at each it was .048


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", [lora, qlora], ids=lambda method: method.__name__.rpartition(".")[2])
def test_on_cuda_a_tuning_learns_what_it_learns_on_a_cpu(
    method: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tuning.write(tmp_path / "base")
    settings = Settings(rank=4, steps=20, batch=4, precision="bfloat16", learning_rate=0.01, dropout=0.0, threads=1)
    found = []
    for here in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda here=here: here)
        made = method.create(settings).train(base, tuning.examples(40), folder=tmp_path / str(here), scale=ONE)  # type: ignore[attr-defined]
        found.append([point.loss for point in made.points if point.loss is not None])
    assert found[0] == pytest.approx(found[1], rel=0.05)
