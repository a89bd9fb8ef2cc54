"""Before a tuning: the memory, time and disk that it will take, by its shape and a short probe; what would fit."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gatewheel.finetune import remembered
from gatewheel.finetune.footprint import available, disk, footprint
from gatewheel.finetune.loading import device
from gatewheel.finetune.packing import Pack, dealt, micro_batches, step_rows
from gatewheel.finetune.plan import Plan, hands_of, prepare
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row
from gatewheel.finetune.train import MOST_WRITTEN
from gatewheel.kernel.durable import FRUGAL, PATIENT
from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.example import Example
from gatewheel.models.cores import available_cores

_LIMIT = 600.0  # seconds of the probe
_TIMED = 3  # micro-batches of a hand, of sizes of their own: each new size takes some memory
_STEPS = 64  # of which the heaviest micro-batch is sought
_LOOKING = 0.4  # of the time of learning from a token, measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Preflight:
    """Bytes of memory (of the accelerator, where there is one) and of disk, and seconds, that a tuning will take.

    `available` is the memory that is free, 0 where that is not known. `told` says it all, and what would fit instead.
    """

    memory: int
    available: int
    seconds: float
    disk: int
    examples: int
    kept: int
    cut: int
    left_out: int
    tokens: int
    steps: int
    tokens_per_second: float
    fits: bool
    told: str


def preflight(
    base: Path, examples: Sequence[Example], settings: Settings, *, nf4: bool, processes: int = 1
) -> Preflight:
    """What tuning the weights at `base` on the examples will take here. The probe takes seconds, and is remembered.

    On a CPU each of the `processes` that share the tuning holds a base; each accelerator computes a part of a step.
    Raises what `train` raises of base and examples, and ModelError when the probe fails.
    """
    on_device = device().type == "cuda"
    free = int(torch.cuda.mem_get_info()[0]) if on_device else available()
    alone = processes == 1
    question = remembered.question(base, settings, nf4=nf4, alone=alone)
    with contextlib.ExitStack() as stack:
        # its libraries are loaded while the examples are read
        probe = None if remembered.known(question) else stack.enter_context(_probing(base, settings, nf4=nf4))
        plan = prepare(base, examples, settings, nf4=nf4, alone=alone)
        heaviest = _heaviest(plan)
        each, side_by_side = (1, processes) if on_device else (processes, 1)
        took = _Took(memory=each * _counted(plan, heaviest.size))
        if not free or took.memory <= free:  # what cannot fit is not tried
            form = _form(heaviest)
            if not (answer := remembered.known(question).get(form)):
                probe = probe or stack.enter_context(_probing(base, settings, nf4=nf4))
                quiet = os.getloadavg()[0] < available_cores() / 2
                answer = _answered(probe, plan, heaviest)
                if quiet:  # else the speed would be that of a machine that is busy with other work
                    remembered.keep(question, form, answer)
            speed = side_by_side * answer["speed"]
            took = _Took(memory=each * int(answer["memory"]), speed=speed, written=answer["written"])
    return _seen(plan, took, free)


def _seen(plan: Plan, took: _Took, free: int) -> Preflight:
    fits = not free or took.memory <= free
    steps = (step_rows(plan.learned, number, plan.settings) for number in range(plan.steps))
    tokens = sum(len(row.tokens) for rows in steps for row in rows)
    computed = _computed(plan)
    seconds, speed = _seconds(plan, took, tokens * computed), took.speed / computed
    needed = disk(plan.dense.shape, plan.settings)
    told = (
        f"{plan.steps} steps, {tokens:,} tokens; about {_spoken(seconds)} at {speed:,.0f} tokens a second, "
        f"{took.memory / 1e9:.2f} GB of memory, {needed / 1e6:,.0f} MB of disk"
    )
    return Preflight(
        memory=took.memory,
        available=free,
        seconds=seconds,
        disk=needed,
        examples=len(plan.learned),
        kept=len(plan.kept),
        cut=plan.read.cut,
        left_out=plan.read.left_out,
        tokens=tokens,
        steps=plan.steps,
        tokens_per_second=speed,
        fits=fits,
        told=told + _left_out(plan) if fits else _refusal(plan, took.memory, free),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Took:
    """Bytes, computed tokens a second of learning, seconds for a token of a sample; 0 where nothing was tried."""

    memory: int
    speed: float = 0.0
    written: float = 0.0


def _heaviest(plan: Plan) -> Pack:
    """The largest pack of the first steps."""
    return max((pack for rows in _first(plan) for pack in _packs(plan, rows)), key=lambda pack: pack.size)


def _computed(plan: Plan) -> float:
    """Tokens that are computed for each that is learned from: fewer, where examples share what they begin with."""
    steps = list(_first(plan))
    return sum(pack.size for rows in steps for pack in _packs(plan, rows)) / sum(map(_tokens, steps))


def _first(plan: Plan) -> Iterator[list[Row]]:
    """The rows of the first steps."""
    return (step_rows(plan.learned, number, plan.settings) for number in range(min(_STEPS, plan.steps)))


def _shares(plan: Plan, rows: Sequence[Row]) -> list[list[Pack]]:
    """The packs of each hand."""
    parts = dealt(rows, plan.hands, trunks=plan.trunks)
    return [micro_batches(part, plan.micro_tokens, trunks=plan.trunks) for part in parts]


def _packs(plan: Plan, rows: Sequence[Row]) -> list[Pack]:
    return [pack for share in _shares(plan, rows) for pack in share]


def _tokens(rows: Sequence[Row]) -> int:
    return sum(len(row.tokens) for row in rows)


def _counted(plan: Plan, tokens: int, **changed: Any) -> int:
    settings = plan.settings.model_copy(update=changed)
    nf4 = changed.get("nf4", plan.nf4)
    shape, size, hands = plan.dense.shape, plan.dtype.itemsize, min(plan.hands, hands_of(settings))
    return footprint(shape, settings, nf4=nf4, size=size, tokens=tokens, hands=hands).total


def _form(heaviest: Pack) -> str:
    """What decides what a pack takes, roughly: its tokens, longest example and trunk, and the share that is learned."""
    learned = sum(row.learned for row in heaviest.rows) / heaviest.size
    longest, trunk = max(len(row.tokens) for row in heaviest.rows), heaviest.trunk
    sizes = f"longest {1 << longest.bit_length()}, trunk {1 << trunk.bit_length()}"
    return f"{64 * -(-heaviest.size // 64)} tokens, {sizes}, learned {learned:.1f}"


@contextlib.contextmanager
def _probing(base: Path, settings: Settings, *, nf4: bool) -> Iterator[subprocess.Popen[str]]:
    """The probe, waiting for micro-batches. It ends with the block."""
    said = {"base": str(base.resolve()), "settings": settings.model_dump(mode="json"), "nf4": nf4}
    # -P: a json.py where the user stands is not ours
    command = [sys.executable, "-P", "-m", "gatewheel.finetune.probe", json.dumps(said)]
    pipe = subprocess.PIPE
    # as the worker of a run is started, whose memory is foreseen here
    environment = {**FRUGAL, **PATIENT, **os.environ}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as child:
        try:
            yield child
        finally:
            child.kill()


def _answered(child: subprocess.Popen[str], plan: Plan, heaviest: Pack) -> dict[str, float]:
    """What a few packs and a step took: bytes, computed tokens a second, seconds of a written token."""
    first = [packs[:_TIMED] for packs in _shares(plan, step_rows(plan.learned, 0, plan.settings))]
    told = [
        [{"trunk": pack.trunk, "rows": [(len(row.tokens), row.learned) for row in pack.rows]} for pack in packs]
        for packs in ([heaviest], *first)
    ]
    try:
        out, errors = child.communicate(json.dumps(told) + "\n", timeout=_LIMIT)
        found = json.loads(out.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        cure = "take a smaller base, or lower batch and sequence_length"
        raise ModelError(f"one step was not done after {_LIMIT:g} s", cure=cure) from error
    except (IndexError, ValueError) as error:
        said = (errors.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        raise ModelError(f"the probe failed: {said[:300]}", cure="lower micro_tokens, or take qlora") from error
    if "error" in found:
        raise ModelError(f"the probe failed: {found['error']}", cure="lower micro_tokens, or take qlora")
    speed = sum(pack.size for packs in first for pack in packs) / float(found["seconds"])
    peak = int(found["peak"]) or _counted(plan, heaviest.size)
    return {"memory": peak, "speed": speed, "written": float(found["written"])}


def _seconds(plan: Plan, took: _Took, tokens: float) -> float:
    """Of learning from so many computed tokens, of looking at the validation examples, and of the samples.

    0 where nothing was tried.
    """
    if not took.speed:
        return 0.0
    looks = 1 + math.ceil(plan.steps / plan.look_every) if plan.kept else 0
    samples = sum(min(2 * row.learned + 16, MOST_WRITTEN) for row in plan.kept[: plan.settings.samples])
    looked = sum(pack.size for pack in _packs(plan, plan.kept))
    return (tokens + looks * _LOOKING * looked) / took.speed + looks * samples * took.written


def _refusal(plan: Plan, memory: int, free: int) -> str:
    """What is missing, and the first changes under which the rest fits."""
    longest = max(len(row.tokens) for row in plan.learned)
    shared = max(pack.trunk for rows in _first(plan) for pack in _packs(plan, rows))
    small = max(256 + shared, longest)  # an example is not divided
    usual = max(longest, plan.micro_tokens + shared)
    one = ", threads = 1" if plan.hands > 1 else ""
    ways = {
        f"micro_tokens = 256{one}": _counted(plan, small, threads=1) if one or small < usual else free + 1,
        "qlora": _counted(plan, usual, nf4=True),
        f"qlora with micro_tokens = 256{one}": _counted(plan, small, nf4=True, threads=1),
        f"qlora with micro_tokens = 256, sequence_length = 256, rank = 4{one}": _counted(
            plan, 256 + shared, nf4=True, rank=4, threads=1
        ),
    }
    fitting = [f"{name} takes {bytes_ / 1e9:.2f} GB" for name, bytes_ in ways.items() if bytes_ <= free]
    cure = f"this would fit: {'; '.join(fitting)}" if fitting else "no setting makes it fit: take a smaller base"
    return f"it takes {memory / 1e9:.2f} GB of memory and {free / 1e9:.2f} GB are free; {cure}"


def _left_out(plan: Plan) -> str:
    read, most = plan.read, plan.settings.sequence_length
    parts = []
    if read.left_out:
        parts.append(f"{read.left_out} examples are longer than {most} tokens and are left out")
    if read.cut:
        parts.append(f"{read.cut} prompts are cut to {most} tokens")
    return "".join(f"; {part}" for part in parts)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
