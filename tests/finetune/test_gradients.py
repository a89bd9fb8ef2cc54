"""The written-out derivative is that of transformers and PEFT, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tuning

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::FutureWarning")]

CLOSE = {"rtol": 1e-4, "atol": 1e-6}
LENGTHS = [9, 5, 14]
FROM = [4, 1, 6]  # where the replies begin


def ours(folder: Path, **said: Any) -> Any:
    """The tiny model in float64 with random pairs, B too."""
    from gatewheel.finetune.loading import Loader
    from gatewheel.finetune.settings import Settings
    from gatewheel.models.dense import open_dense

    settings = Settings(rank=3, alpha=6, **said)
    model = Loader(open_dense(folder), settings, nf4=False, dtype=torch.float64).load()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.1)
    model.refresh()
    return model, settings


def theirs(folder: Path, model: Any, settings: Any) -> Any:
    """transformers and PEFT with the same pairs."""
    peft = pytest.importorskip("peft", reason="the reference")  # here, or each worker would import it to collect
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(settings.targets),
        use_rslora=settings.rslora,
        use_dora=settings.dora,
    )
    wrapped = peft.get_peft_model(plain, config, autocast_adapter_dtype=False)
    held = dict(wrapped.named_parameters())
    with torch.no_grad():
        for linear in model.linears():
            for module, a, b, magnitude in linear.pairs():
                at = f"base_model.model.{module}."
                held[f"{at}lora_A.default.weight"].copy_(a)
                held[f"{at}lora_B.default.weight"].copy_(b)
                if magnitude is not None:
                    held[f"{at}lora_magnitude_vector.default.weight"].copy_(magnitude.ravel())
    return wrapped


def pack(trunk: int = 0) -> Any:
    """Examples that begin with so many tokens, and go on with as many as LENGTHS says."""
    from gatewheel.finetune.packing import Pack
    from gatewheel.finetune.tokens import Row

    drawn = torch.randint(3, 35, (trunk + sum(LENGTHS),), generator=torch.Generator().manual_seed(2)).tolist()
    common, rows = drawn[:trunk], []
    for number, (first, length) in enumerate(zip(FROM, LENGTHS, strict=True)):
        start = trunk + sum(LENGTHS[:number])
        rows.append(Row((*common, *drawn[start : start + length]), trunk + first, str(number)))
    return Pack(tuple(rows), trunk)


def test_a_reply_that_was_all_but_impossible_has_a_loss_and_a_gradient() -> None:
    from gatewheel.finetune.loss import cross_entropy

    hidden, head = torch.eye(2), torch.tensor([[400.0, 0.0], [0.0, 0.0], [-300.0, 3.0]])
    wanted = torch.tensor([2, 1])
    total, gradient = cross_entropy(hidden.clone(), head, wanted, 1.0)
    leaf = hidden.clone().requires_grad_()
    expected = torch.nn.functional.cross_entropy(leaf @ head.t(), wanted, reduction="sum")
    expected.backward()
    assert total == pytest.approx(float(expected.detach()))  # 700 nats of the first
    torch.testing.assert_close(gradient, leaf.grad)


def surprise(reference: Any, row: Any) -> Any:
    """Of the reply of an example that stands alone."""
    ids = torch.tensor([row.tokens])
    logits = reference(ids).logits[0, row.reply - 1 : -1]
    return torch.nn.functional.cross_entropy(logits, ids[0, row.reply :], reduction="sum")


@pytest.mark.parametrize(
    ("said", "trunk"),
    [
        ({}, 0),
        ({"rslora": True}, 19),
        ({"dora": True}, 16),
        ({"targets": ("q_proj", "v_proj")}, 21),
        ({"targets": ("k_proj", "up_proj", "down_proj"), "dora": True}, 0),
    ],
    ids=str,
)
def test_loss_and_gradients_are_those_of_peft(
    tmp_path: Path, said: dict[str, Any], trunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewheel.finetune import attention, loss
    from gatewheel.finetune.packing import laid_out

    monkeypatch.setattr(attention, "QUERIES", 4)  # so that examples have several blocks, as long ones have
    monkeypatch.setattr(loss, "TOKENS", 5)
    folder = tuning.write(tmp_path, tied=not said)
    model, settings = ours(folder, **said)
    reference = theirs(folder, model, settings)
    packed, expected = pack(trunk), torch.zeros((), dtype=torch.float64)
    laid = laid_out(packed, torch.device("cpu"))
    assert laid.trunk == trunk
    for row in packed.rows:  # by themselves, as no packing could do better
        expected = expected + surprise(reference, row)
    (expected / len(laid.wanted)).backward()
    total = model.learn(laid, 1 / len(laid.wanted))
    assert total == pytest.approx(float(expected.detach()), rel=1e-6)  # transformers takes norms in float32
    assert model.loss(laid) == pytest.approx(total, rel=1e-12)
    grads = {name: parameter.grad for name, parameter in reference.named_parameters()}
    for linear in model.linears():
        held = [linear.a.grad, linear.b.grad, None if linear.magnitude is None else linear.magnitude.grad]
        start = 0
        for number, rows in enumerate(linear.rows):
            stop = start + rows.stop - rows.start
            at = f"base_model.model.{rows.module}."
            torch.testing.assert_close(
                held[0][number * 3 : number * 3 + 3], grads[f"{at}lora_A.default.weight"], **CLOSE
            )
            torch.testing.assert_close(held[1][start:stop], grads[f"{at}lora_B.default.weight"], **CLOSE)
            if held[2] is not None:
                theirs_ = grads[f"{at}lora_magnitude_vector.default.weight"]
                torch.testing.assert_close(held[2][start:stop].ravel(), theirs_.ravel(), **CLOSE)
            start = stop


@pytest.mark.parametrize("said", [{}, {"targets": ("k_proj", "v_proj", "o_proj", "down_proj")}], ids=str)
def test_with_dropout_they_are_those_of_peft_with_the_same_inputs_left_out(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    from gatewheel.finetune.dropout import Dropout
    from gatewheel.finetune.packing import laid_out

    folder, seeds = tuning.write(tmp_path), [7, 8, 9]
    model, settings = ours(folder, **said)
    reference = theirs(folder, model, settings)
    fused = {rows.module: linear.rows[0].module for linear in model.linears() for rows in linear.rows}
    held = dict(reference.named_modules())
    packed, expected = pack(), torch.zeros((), dtype=torch.float64)
    laid = laid_out(packed, torch.device("cpu"))
    for number, length in enumerate(LENGTHS):
        alone = Dropout(0.4, seeds[number : number + 1], [length])

        class LeftOut(torch.nn.Module):  # type: ignore[misc]
            def __init__(self, name: str, drop: Dropout = alone) -> None:
                super().__init__()
                self.name, self.drop = name, drop

            def forward(self, x: Any) -> Any:
                return x * self.drop.mask(x[0], self.name)

        for module, first in fused.items():
            held[f"base_model.model.{module}"].lora_dropout["default"] = LeftOut(first)
        expected = expected + surprise(reference, packed.rows[number])
    (expected / len(laid.wanted)).backward()
    total = model.learn(laid, 1 / len(laid.wanted), Dropout(0.4, seeds, LENGTHS))
    assert total == pytest.approx(float(expected.detach()), rel=1e-6)
    assert model.loss(laid) != pytest.approx(total, rel=1e-3)  # a look leaves nothing out
    grads = {name: parameter.grad for name, parameter in reference.named_parameters()}
    for linear in model.linears():
        start = 0
        for number, rows in enumerate(linear.rows):
            stop, at = start + rows.stop - rows.start, f"base_model.model.{rows.module}."
            low = slice(number * 3, number * 3 + 3)
            torch.testing.assert_close(linear.a.grad[low], grads[f"{at}lora_A.default.weight"], **CLOSE)
            torch.testing.assert_close(linear.b.grad[start:stop], grads[f"{at}lora_B.default.weight"], **CLOSE)
            start = stop


def test_the_losses_of_a_tuning_are_those_of_a_plain_loop_over_peft(tmp_path: Path) -> None:
    from gatewheel.finetune import lora
    from gatewheel.finetune.packing import step_rows
    from gatewheel.finetune.plan import prepare
    from gatewheel.finetune.settings import Settings

    folder = tuning.write(tmp_path / "base")
    settings = Settings(
        rank=3, alpha=6, learning_rate=0.01, schedule="constant", warmup=0, clip=1.0, steps=8, batch=4,
        precision="float32", validation=0.0, threads=1, weight_decay=0.1,
    )  # fmt: skip
    made = lora.create(settings).train(folder, tuning.examples(20), folder=tmp_path / "out")
    plan = prepare(folder, tuning.examples(20), settings, nf4=False)
    reference = theirs(folder, plan.load(), settings).float()
    optimiser = torch.optim.AdamW(
        [one for one in reference.parameters() if one.requires_grad], lr=0.01, weight_decay=0.1
    )
    expected = []
    for step in range(8):
        rows = step_rows(plan.learned, step, settings)
        total = torch.zeros(())
        for row in rows:
            total = total + surprise(reference, row)
        loss = total / sum(row.learned for row in rows)
        expected.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        optimiser.step()
    assert [point.loss for point in made.points] == pytest.approx(expected, rel=1e-3)
