"""Gatewheel's trainer as a worker of finetune.py, whole or without one of the things that make it fast.

What is left out is replaced here, not switched off in the product: by what PEFT and transformers do in its place.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune_steps import Watch
from gatewheel.finetune import fused, loss, packing, qlora, train
from gatewheel.finetune.adapter import as_adapter
from gatewheel.finetune.elementwise import norm, norm_back
from gatewheel.finetune.linear import Linear
from gatewheel.finetune.llama import Llama
from gatewheel.finetune.lora import create
from gatewheel.finetune.method import Point
from gatewheel.finetune.packing import Layout, Pack, laid_out, step_rows
from gatewheel.finetune.plan import prepare
from gatewheel.finetune.preflight import preflight
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.shard import whole
from gatewheel.finetune.tokens import Row
from gatewheel.kernel.example import Example
from gatewheel.kernel.nouns import Message
from gatewheel.models import adapters


def main() -> None:
    """Write what both begin with, or train until told to stop."""
    told = json.loads(sys.argv[1])
    settings = Settings(**told["settings"])
    examples = _examples(Path(told["examples"]))
    base = Path(told["base"])
    if told.get("prepare"):
        return _prepare(base, examples, settings, Path(told["prepare"]))
    if told.get("foresee"):
        return print(preflight(base, examples, settings, nf4=told["nf4"]).memory)
    watch = Watch()
    for name in told["without"]:
        WITHOUT[name]()
    plan = prepare(base, examples, settings, nf4=told["nf4"])
    tokens = [sum(len(row.tokens) for row in step_rows(plan.learned, at, settings)) for at in range(plan.steps)]

    def tell(point: Point) -> bool:
        if point.phase != "learning":
            return False
        return not watch.goes_on(point.loss or 0.0, tokens[point.step - 1])

    method = (qlora.create if told["nf4"] else create)(settings)
    with tempfile.TemporaryDirectory() as folder:
        method.train(base, examples, folder=Path(folder), watch=tell)
    return None


def _examples(path: Path) -> list[Example]:
    found = []
    for number, (system, asked, reply) in enumerate(json.loads(path.read_text())):
        prompt = (Message(role="system", content=system), Message(role="user", content=asked))
        found.append(Example(prompt=prompt, reply=reply, group=str(number)))
    return found


def _prepare(base: Path, examples: Sequence[Example], settings: Settings, to: Path) -> None:
    """The pairs before the first step as an adapter, and the rows as tokens in the order in which they are learned."""
    plan = prepare(base, examples, settings, nf4=False)
    adapters.write(as_adapter(plan.load(), settings, base=plan.base), to / "adapter")
    rows = [row for at in range(plan.steps) for row in step_rows(plan.learned, at, settings)]
    (to / "rows.json").write_text(json.dumps([[list(row.tokens), row.reply] for row in rows]))


def _replace(original: Any, by: Any) -> None:
    """Wherever the trainer has imported it."""
    assert train  # all that it needs is loaded
    for module in [module for name, module in sys.modules.items() if name.startswith("gatewheel.finetune")]:
        for name in [name for name, value in vars(module).items() if value is original]:
            setattr(module, name, by)


def _pairs_apart() -> None:
    """Each linear a product of its own, and of its pair two more, as PEFT computes it."""

    def fill(self: Linear, wide: Tensor, _drop: object = None) -> Tensor:
        for start in range(0, self._down.shape[0], self.rank):
            low = slice(start, start + self.rank)
            wide[:, self.inputs :][:, low] = wide[:, : self.inputs] @ self._down[low].t()
        return wide

    def forward(self: Linear, wide: Tensor, beside: Tensor | None = None) -> tuple[Tensor, None]:
        x, low, made = wide[:, : self.inputs], wide[:, self.inputs :], wide.new_empty(len(wide), self.outputs)
        matrix = self._matrix()
        for place, rows, _ in self._blocks(self.b.data):
            own = slice(rows.start, rows.stop)
            made[:, own] = x @ matrix[own, : self.inputs].t() + low[:, place] @ matrix[own, self.inputs :][:, place].t()
        return (made if beside is None else made + beside), None

    def back(self: Linear, gradient: Tensor, wide: Tensor, _: Tensor | None, _drop: object = None) -> Tensor:
        x, low, found = wide[:, : self.inputs], wide[:, self.inputs :], torch.zeros_like(wide[:, : self.inputs])
        matrix = self._matrix()
        of_a, of_b = (each.grad if each.grad is not None else torch.zeros_like(each) for each in (self.a, self.b))
        for (place, rows, grad), start in zip(self._blocks(of_b), range(0, len(of_a), self.rank), strict=True):
            own = slice(rows.start, rows.stop)
            given = gradient[:, own]
            inner = given @ matrix[own, self.inputs :][:, place]
            of_a[start : start + self.rank] += inner.t() @ x
            grad.add_(given.t() @ low[:, place], alpha=self.scale)
            found += given @ matrix[own, : self.inputs] + inner @ self._down[place]
        self.a.grad, self.b.grad = of_a, of_b
        return found

    Linear.fill, Linear.forward, Linear.back = fill, forward, back  # type: ignore[method-assign,assignment]


def _torchs_attention() -> None:
    """torch's fused kernels with their own derivative, as on CUDA."""
    _replace(fused.suits, lambda _: True)


def _head_of_all() -> None:
    """Logits of every token, prompt or reply; those of prompts carry no loss."""

    def surprise(self: Llama, x: Tensor, laid: Layout, share: float) -> tuple[float, Tensor]:
        hidden = torch.empty_like(x)
        norm(hidden, x, self.last_norm, self.eps)
        mine = torch.zeros(len(x), dtype=torch.bool)
        mine[laid.asked] = True
        total, inner = loss.cross_entropy(hidden[mine], whole(self.head), laid.wanted, share)
        loss.cross_entropy(hidden[~mine], whole(self.head), laid.tokens[~mine], share)
        gradient = torch.zeros_like(x)
        gradient[mine] = inner
        return total, norm_back(gradient, x, self.last_norm, self.eps, torch.zeros_like(x))

    Llama._surprise = surprise  # type: ignore[method-assign]


def _padded() -> None:
    """Every example as long as the longest of its step. What stands behind a reply changes nothing but the time."""
    longest = 0

    def rows_of(rows: Sequence[Row], step: int, settings: Settings) -> list[Row]:
        nonlocal longest
        found = step_rows(rows, step, settings)
        longest = max(len(row.tokens) for row in found)
        return found

    def parts(rows: Sequence[Row], tokens: int, **_: bool) -> list[Pack]:
        count = max(1, tokens // longest)
        return [Pack(tuple(rows[start : start + count])) for start in range(0, len(rows), count)]

    def padded(pack: Pack, device: torch.device) -> Layout:
        tokens = torch.zeros(len(pack.rows), longest, dtype=torch.long, device=device)
        replies: list[int] = []
        for number, row in enumerate(pack.rows):
            tokens[number, : len(row.tokens)] = torch.tensor(row.tokens)
            replies += range(number * longest + row.reply, number * longest + len(row.tokens))
        flat, wanted = tokens.flatten(), torch.tensor(replies, device=device)
        return Layout(flat, 0, (longest,) * len(pack.rows), wanted - 1, flat[wanted])

    _replace(step_rows, rows_of)
    _replace(laid_out, padded)
    _replace(packing.micro_batches, parts)


def _whole_logits() -> None:
    loss.TOKENS = 2**30


def _no_trunk() -> None:
    """What examples begin with alike is computed for each."""
    _replace(packing.trunk_of, lambda _: 0)


WITHOUT: dict[str, Callable[[], None]] = {
    "pairs in the product": _pairs_apart,
    "attention by plain products": _torchs_attention,
    "head of reply tokens only": _head_of_all,
    "logits in parts": _whole_logits,
    "no padding": _padded,
    "common beginnings once": _no_trunk,
}

if __name__ == "__main__":
    main()
