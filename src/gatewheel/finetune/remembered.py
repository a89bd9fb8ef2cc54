"""What probes of the pre-flight found, so that the same question is not asked of the same machine twice.

A file of the user's cache. An entry is named by all that decides the figures: weights, settings, machine, versions and
the trainer's own source. Whoever changes one of them asks anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path

import torch

from gatewheel.finetune.plan import hands_of, micro_tokens, threads_of
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.places import cache_dir
from gatewheel.models.weights import base_identity, read_json, write_json

_FILE = "preflight.json"
_MOST = 64  # entries
_TOLD = {"memory", "speed", "written"}  # bytes, tokens a second, seconds for a token of a sample
# neither on what a micro-batch takes nor on how long it does; what is not named here is part of the name
_WITHOUT_EFFECT = {
    "alpha", "rslora", "loraplus", "learning_rate", "schedule", "warmup", "weight_decay", "clip", "epochs", "steps",
    "batch", "sequence_length", "overlong", "validation", "evaluate_every", "patience", "samples", "checkpoint_every",
    "seed", "threads", "micro_tokens", "packing",
}  # fmt: skip


def question(base: Path, settings: Settings, *, nf4: bool, alone: bool = True) -> str:
    """The name of what a probe would be asked, but for the examples."""
    said = sorted(settings.model_dump(exclude=_WITHOUT_EFFECT).items())
    split = (threads_of(settings), hands_of(settings, alone=alone), micro_tokens(settings, alone=alone))
    asked = (base_identity(base), said, nf4, split, _machine(), _versions())
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def known(question: str) -> dict[str, dict[str, float]]:
    """The answers by the form of the examples; empty where it was never asked."""
    held = read_json(_ledger()).get(question)
    answers = held.items() if isinstance(held, dict) else ()
    return {form: answer for form, answer in answers if isinstance(answer, dict) and answer.keys() >= _TOLD}


def keep(question: str, form: str, answer: dict[str, float]) -> None:
    """Add an answer; the oldest questions are forgotten. A cache that cannot be written costs time, nothing else."""
    with contextlib.suppress(OSError):
        held = read_json(_ledger())
        answers = known(question) | {form: answer}
        held.pop(question, None)
        write_json(_ledger(), dict([*held.items(), (question, answers)][-_MOST:]))


def _ledger() -> Path:
    return cache_dir() / _FILE


def _machine() -> tuple[str, ...]:
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return platform.node(), platform.machine(), str(os.cpu_count()), card


def _versions() -> tuple[str, ...]:
    found = [torch.__version__, platform.python_version()]
    for name in ("transformers", "bitsandbytes"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(importlib.metadata.version(name))
    source = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source.update(path.read_bytes())
    return *found, source.hexdigest()
