"""The child of the pre-flight: some micro-batches of a tuning in a process of their own, and what they took.

It is told base and settings first, and loads its libraries while its parent still reads the examples. Keeps nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from gatewheel.finetune.dropout import Dropout
from gatewheel.finetune.generate import greedy
from gatewheel.finetune.hands import Hands
from gatewheel.finetune.llama import Llama
from gatewheel.finetune.loading import Loader, computed_in, device
from gatewheel.finetune.packing import Pack, laid_out
from gatewheel.finetune.plan import settle, threads_of
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row, open_speller
from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.parentage import end_with_parent
from gatewheel.models.dense import open_dense

WRITTEN = 8  # tokens, to see how long one takes
GROWN = 50 * 2**20  # bytes that the heap grows by in the steps that are not tried here: 38 to 78 MB, measured


def main() -> None:
    """Its argument names base and settings; it reads micro-batches, and prints what these took as the last line."""
    end_with_parent()  # else a pre-flight that is killed leaves it at work
    try:
        found = _answer(json.loads(sys.argv[1]))
    except GatewheelError as error:
        found = {"error": str(error)}
    except torch.OutOfMemoryError as error:
        found = {"error": f"out of memory: {error}"}
    print(json.dumps(found), flush=True)


def _answer(told: dict[str, Any]) -> dict[str, Any]:
    base, settings = Path(told["base"]), Settings(**told["settings"])
    settle(settings)
    open_speller(base)
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # loads a second of code
    if not (shares := sys.stdin.readline()):
        return {}  # nobody wants it any more
    loader = Loader(open_dense(base), settings, nf4=told["nf4"], dtype=computed_in(settings))
    return measured(loader.load(), json.loads(shares), settings)


def measured(model: Llama, shares: list[list[dict[str, Any]]], settings: Settings) -> dict[str, Any]:
    """`shares` are the largest pack alone, then those of each hand, as `_pack` reads them."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.0)
    kept = [parameter.detach().clone() for parameter in model.parameters()]  # as the best so far is
    heaviest, *packs = [[_pack(**told) for told in share] for share in shares]
    with closing(Hands(model, len(packs), threads=threads_of(settings))) as hands:
        first = [heaviest] * len(packs)  # it computes with memory that is not there yet
        _step(hands, optimiser, first, settings)
        model.refresh()
        begun = _now()
        _step(hands, optimiser, packs, settings)
        model.refresh()
    seconds, begun = _now() - begun, _now()
    greedy(model, heaviest[0].rows[0].tokens[:16], end=-1, at_most=WRITTEN)
    written = (_now() - begun) / WRITTEN
    del kept
    peak = torch.cuda.max_memory_reserved() if device().type == "cuda" else _peak()
    return {"seconds": seconds, "written": written, "peak": peak}


def _pack(*, trunk: int, rows: list[tuple[int, int]]) -> Pack:
    """Of each row its tokens and those that are learned."""
    return Pack(tuple(Row((1,) * length, length - learned, "") for length, learned in rows), trunk)


def _step(hands: Hands, optimiser: torch.optim.Optimizer, shares: list[list[Pack]], settings: Settings) -> None:
    def compute(model: Llama, pack: Pack) -> float:
        return model.learn(laid_out(pack, device()), 1.0, Dropout.of(pack.rows, 0, settings))

    hands.total(shares, compute)
    hands.gather()
    optimiser.step()
    optimiser.zero_grad(set_to_none=False)


def _now() -> float:
    """When all that was begun on an accelerator is done."""
    if device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak() -> int:
    """The most bytes that a tuning holds, by those of this process in proc_pid_status(5); 0 where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((GROWN + 1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
    os._exit(0)
