"""What is settled before the first step: the examples as tokens, which of them are kept, how many steps there are."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gatewheel.finetune import hands
from gatewheel.finetune.adapter import take_over
from gatewheel.finetune.llama import Llama
from gatewheel.finetune.loading import Loader, computed_in, device
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Read, Row, Speller, divide, open_speller, read
from gatewheel.kernel.example import Example
from gatewheel.models import adapters
from gatewheel.models.cores import available_cores
from gatewheel.models.dense import Dense, open_dense
from gatewheel.models.weights import base_identity

LOOKS = 10  # at the validation examples, when nothing else is said
MICRO_TOKENS = {"cpu": 512, "cuda": 16_384}  # on a CPU 256 to 2048 are as fast, and each token takes memory
_LEAST = 256  # of a hand, where nothing is said: products of fewer rows are slower
_WITHOUT_EFFECT = {"threads", "samples", "checkpoint_every"}  # on the trajectory, but for rounding


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`learned` and `kept` are the rows to learn from and to validate on. `base` is the SHA-256 of the weights,
    `begins` an adapter that it goes on from.

    The fingerprint is that of all that decides the trajectory.
    """

    settings: Settings
    nf4: bool
    dense: Dense
    dtype: torch.dtype
    device: torch.device
    speller: Speller
    read: Read
    learned: Sequence[Row]
    kept: Sequence[Row]
    base: str
    fingerprint: str
    steps: int
    warmup: int
    look_every: int
    save_every: int
    micro_tokens: int
    trunks: bool
    hands: int
    threads: int
    begins: Path | None = None

    def load(self, *, shard: bool = False) -> Llama:
        """The base with its first pairs; it takes the memory. With `shard`, of the base this process's part only.

        Raises what take_over raises.
        """
        model = Loader(self.dense, self.settings, nf4=self.nf4, dtype=self.dtype, shard=shard).load()
        if self.begins:
            take_over(model, adapters.read(self.begins), self.settings)
        return model


def prepare(
    base: Path,
    examples: Sequence[Example],
    settings: Settings,
    *,
    nf4: bool,
    alone: bool = True,
    begins: Path | None = None,
) -> Plan:
    """Read the examples, and of the base no more than it says of itself. `alone`: no other process shares the tuning.

    `begins` is an adapter that it goes on from. Raises what open_dense, open_speller and read raise.
    """
    settle(settings)
    dense, speller = open_dense(base), open_speller(base)
    found = read(examples, speller, settings, length=dense.shape.context_length)
    learned, kept = divide(found.rows, settings)
    dtype = computed_in(settings)
    steps = settings.steps or max(1, math.ceil(len(learned) * settings.epochs / settings.batch))
    look_every = settings.evaluate_every or max(1, math.ceil(steps / LOOKS))
    told = settings.model_dump(exclude=_WITHOUT_EFFECT) | {"nf4": nf4, "dtype": str(dtype)}
    told |= {"begins": base_identity(begins)} if begins else {}
    name = base_identity(base)
    return Plan(
        settings=settings,
        nf4=nf4,
        dense=dense,
        dtype=dtype,
        device=device(),
        speller=speller,
        read=found,
        learned=learned,
        kept=kept,
        base=name,
        fingerprint=hashlib.sha256(repr((name, sorted(told.items()), found.rows)).encode()).hexdigest(),
        steps=steps,
        warmup=round(steps * settings.warmup),
        look_every=look_every,
        save_every=settings.checkpoint_every or look_every,
        micro_tokens=micro_tokens(settings, alone=alone),
        trunks=trunks_of(settings),
        hands=hands_of(settings, alone=alone),
        threads=threads_of(settings),
        begins=begins,
    )


def settle(settings: Settings) -> None:
    """Threads, and how many products of other sizes torch remembers the code for; before the first product."""
    torch.set_num_threads(threads_of(settings))
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        # a thousand by default: every micro-batch has a size of its own, and memory grew by 20 MB with each
        os.environ.setdefault(name, "64")


def threads_of(settings: Settings) -> int:
    """Of the processor."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes on this machine, said by whoever started them
    return settings.threads or max(1, available_cores() // beside)


def hands_of(settings: Settings, *, alone: bool = True) -> int:
    """How many threads compute examples of their own.

    An accelerator has one queue; and processes that share a tuning must deal it alike, whatever cores each has.
    """
    return min(threads_of(settings), settings.batch, hands.MOST) if alone and device().type == "cpu" else 1


def micro_tokens(settings: Settings, *, alone: bool = True) -> int:
    """Tokens that each hand computes at once; without packing one example is, which a limit of 1 comes to."""
    if not settings.packing:
        return 1
    count = hands_of(settings, alone=alone)
    return max(1, (settings.micro_tokens or max(MICRO_TOKENS[device().type], _LEAST * count)) // count)


def trunks_of(settings: Settings) -> bool:
    """Whether what examples begin with alike is computed once.

    Not where each example has inputs of its own left out, nor by the fused attention of an accelerator.
    """
    return settings.packing and not settings.dropout and device().type == "cpu"
