"""The child of the pre-flight: two steps of a tuning in a process of their own, and what they took. Keeps nothing."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from gatewheel.finetune.generate import greedy
from gatewheel.finetune.loading import Loader, computed_in, device
from gatewheel.finetune.packing import laid_out
from gatewheel.finetune.plan import settle
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row, open_speller
from gatewheel.kernel.errors import GatewheelError
from gatewheel.models.dense import open_dense

WRITTEN = 8  # tokens, to see how long one takes


def main() -> None:
    """Reads what to try as JSON, and prints what it took as the last line."""
    told = json.loads(sys.stdin.read())
    try:
        found = measured(Path(told["base"]), Settings(**told["settings"]), told["nf4"], told["groups"])
    except GatewheelError as error:
        found = {"error": str(error)}
    except torch.OutOfMemoryError as error:
        found = {"error": f"out of memory: {error}"}
    print(json.dumps(found), flush=True)


def measured(base: Path, settings: Settings, nf4: bool, groups: list[list[list[int]]]) -> dict[str, Any]:
    """`groups` are micro-batches, each a list of tokens and learned tokens of an example; the first is the largest."""
    settle(settings)
    open_speller(base)
    model = Loader(open_dense(base), settings, nf4=nf4, dtype=computed_in(settings)).load()
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.0)
    kept = [parameter.detach().clone() for parameter in model.parameters()]  # as the best so far is
    rows = [[Row((1,) * length, length - learned, "") for length, learned in group] for group in groups]
    _step(model, optimiser, rows[:1])  # the first computes with memory that is not there yet
    begun = time.perf_counter()
    _step(model, optimiser, rows[1:])
    seconds, begun = time.perf_counter() - begun, time.perf_counter()
    greedy(model, rows[0][0].tokens[:16], end=-1, at_most=WRITTEN)
    written = (time.perf_counter() - begun) / WRITTEN
    del kept
    peak = torch.cuda.max_memory_reserved() if device().type == "cuda" else _peak()
    return {"seconds": seconds, "written": written, "peak": peak}


def _step(model: Any, optimiser: torch.optim.Optimizer, groups: list[list[Row]]) -> None:
    for group in groups:
        model.learn(*laid_out(group, device()), 1.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=False)
    model.refresh()


def _peak() -> int:
    """The most bytes that this process held, of proc_pid_status(5); 0 where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
    os._exit(0)
