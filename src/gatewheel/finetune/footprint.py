"""How many bytes a tuning takes, counted from the shape of the base. Loads nothing, so any size can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatewheel.finetune.settings import Settings
from gatewheel.models.dense import Shape, parameters

PROCESS = 400 * 2**20  # Python with torch and a tokenizer, measured
LOGITS = 128  # tokens whose logits are held at once, as in loss.py
_NF4 = 4.13 / 8  # bytes of a weight
_QUANTISING = 80 * 2**20  # bitsandbytes, and what quantising leaves behind in the heap, measured
_FUSED = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Bytes: of the frozen weights, of the pairs with all that belongs to them, and of what one row of tokens needs."""

    weights: int
    pairs: int
    work: int

    @property
    def total(self) -> int:
        return PROCESS + self.weights + self.pairs + self.work


def footprint(shape: Shape, settings: Settings, *, nf4: bool, size: int, tokens: int, hands: int = 1) -> Footprint:
    """`size` is the bytes of a number that is computed with, `tokens` those that each of the hands computes at once."""
    inputs, outputs = _linears(shape)
    adapted = sum(inputs[name] + outputs[name] for name in settings.targets) * settings.rank * shape.layers
    linears = sum(inputs[name] * outputs[name] for name in inputs) * shape.layers
    columns = sum(
        sum(outputs[name] for name in names) * settings.rank * sum(name in settings.targets for name in names)
        for names in _FUSED
    )
    tables = parameters(shape) - linears
    held = 2 * shape.hidden + 2 * shape.intermediate + (2 * shape.heads + 2 * shape.kv_heads) * shape.head_dim
    widest = 2 * shape.intermediate * max(inputs.values())
    work = [
        shape.layers * tokens * held * size,  # what the blocks remember
        6 * tokens * shape.intermediate * size,  # a block on its way
        max(LOGITS * shape.vocab * (size + 4), widest * size if nf4 else 0),
    ]
    return Footprint(
        weights=int(tables * size + linears * (_NF4 if nf4 else size) + columns * shape.layers * size),
        # value, two moments, the best so far, a gradient of each hand, and what is computed with
        pairs=adapted * ((4 + hands) * 4 + size),
        work=hands * sum(work) + (_QUANTISING if nf4 else 0),
    )


def disk(shape: Shape, settings: Settings) -> int:
    """Bytes of the adapter, and of the checkpoint while the next one is being written."""
    inputs, outputs = _linears(shape)
    adapted = sum(inputs[name] + outputs[name] for name in settings.targets) * settings.rank * shape.layers
    return adapted * 4 * (1 + 2 * 4)


def available(*, proc: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process may still take: what the machine has free, or the container allows. 0: not known."""
    try:
        lines = dict(line.split(":", 1) for line in proc.read_text().splitlines())
        free = 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return 0
    try:
        allowed, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return free
    return min(free, max(1, int(allowed) - int(used))) if allowed.isdigit() else free


def _linears(shape: Shape) -> tuple[dict[str, int], dict[str, int]]:
    """Of each linear of a layer, how many numbers go in and come out."""
    query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    inputs = dict.fromkeys(("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"), shape.hidden)
    inputs |= {"o_proj": query, "down_proj": shape.intermediate}
    outputs = {"q_proj": query, "k_proj": key, "v_proj": key, "o_proj": shape.hidden, "down_proj": shape.hidden}
    return inputs, outputs | {"gate_proj": shape.intermediate, "up_proj": shape.intermediate}
