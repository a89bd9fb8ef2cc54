"""How fast, in how much memory and with which losses is an adapter trained here, and by TRL's SFTTrainer?

    benchmarks/setup.sh                      # makes .venv-trl, the environment of the peer
    .venv/bin/python finetune.py             # seven minutes on two idle cores
    .venv/bin/python finetune.py --only speed --rounds 8

The weights are SmolLM2-135M-Instruct in bfloat16, as a folder that both read; examples are made up by rule, 210 tokens
each. Both begin with the same pairs and learn from the same tokens in the same order, at the same constant rate, and
take their steps in turn: believe the ratios.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from finetune_steps import Trainer, in_turn
from gatewheel.models import exporting
from gatewheel.models.dense import open_dense
from gatewheel.models.weights import DEFAULT, find
from report import Table, parser, show

HERE = Path(__file__).resolve().parent
OURS = [sys.executable, str(HERE / "finetune_ours.py")]
PEER = HERE / ".venv-trl" / "bin" / "python"
Changes = dict[str, Any] | None
MOST = 24  # steps that there are examples for
BATCH, RATE = 8, 2e-4
LEARNED: dict[str, Any] = {"batch": BATCH, "learning_rate": RATE, "schedule": "constant", "warmup": 0.0, "rank": 16}
LEARNED |= {"alpha": 32, "steps": MOST, "validation": 0.0, "samples": 0, "patience": 0, "checkpoint_every": 10**6}
FLOAT32 = {"precision": "float32"}
ALL = [
    "pairs in the product",
    "attention by plain products",
    "head of reply tokens only",
    "logits in parts",
    "no padding",
    "common beginnings once",
]
# what is turned off, and how: by a setting, or by the worker
SHARES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "bfloat16 products": (FLOAT32, []),
    "pairs in the product": ({}, ["pairs in the product"]),
    "attention by plain products": ({}, ["attention by plain products"]),
    "head of reply tokens only": ({}, ["head of reply tokens only"]),
    "logits in parts of 128 tokens": ({}, ["head of reply tokens only", "logits in parts"]),
    "no padding": ({}, ["no padding"]),
    "512 tokens at once": ({"micro_tokens": 10**6}, []),
    "all of these": (FLOAT32 | {"micro_tokens": 10**6}, ALL),
}


class Bench:
    """The folder with what both read, and the workers that read it."""

    def __init__(self, folder: Path, examples: list[tuple[str, str, str]]) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        exporting.export(open_dense(find(DEFAULT)), folder / "base", kind=exporting.FOLDER)
        (folder / "examples.json").write_text(json.dumps(examples))
        self._asked({"prepare": str(folder)}, LEARNED)

    def ours(
        self, name: str, threads: int, settings: Changes = None, *, without: Sequence[str] = (), nf4: bool = False
    ) -> Trainer:
        told = self._told(LEARNED | {"threads": threads} | (settings or {}))
        told |= {"without": list(without), "nf4": nf4, "threads": threads}
        return Trainer(name=name, command=OURS, told=told)

    def trl(self, name: str, threads: int, kind: str = "stock", *, whole: bool = False) -> Trainer:
        told: dict[str, Any] = {"base": str(self.folder / "base"), "rows": str(self.folder / "rows.json"), "kind": kind}
        told |= {"adapter": "" if whole else str(self.folder / "adapter"), "threads": threads}
        told |= {"batch": BATCH, "learning_rate": RATE}
        return Trainer(name=name, command=[str(PEER), str(HERE / "finetune_trl.py")], told=told)

    def foreseen(self, threads: int, *, nf4: bool) -> int:
        """Bytes, by the pre-flight."""
        return int(self._asked({"foresee": True, "nf4": nf4}, LEARNED | {"threads": threads}))

    def _asked(self, what: dict[str, Any], settings: dict[str, Any]) -> str:
        command = [*OURS, json.dumps(self._told(settings) | what)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def _told(self, settings: dict[str, Any]) -> dict[str, Any]:
        examples = str(self.folder / "examples.json")
        return {"base": str(self.folder / "base"), "examples": examples, "settings": settings}


def main() -> None:
    """Print what is asked for, all by default."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=3, help="steps that are measured, after one that is not")
    options.add_argument("--only", nargs="*", default=("speed", "alike", "memory", "shares"), help="which tables")
    given = options.parse_args()
    if not PEER.exists():
        raise SystemExit(f"no {PEER}; run benchmarks/setup.sh")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), _examples(MOST * BATCH))
        made = {"speed": _speed, "alike": _alike, "memory": _memory, "shares": _shares}
        tables = [table for name, make in made.items() if name in given.only for table in make(bench, given.rounds)]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"load average of the last 1, 5 and 15 minutes: {load}", file=sys.stderr)
    show(tables, as_json=given.json)


def _speed(bench: Bench, rounds: int) -> list[Table]:
    columns = ("trainer", "tokens/s", "tokens/CPU-s", "time ÷ ours", "CPU ÷ ours", "peak GB", "memory ÷ ours")
    quick = Table(title="Throughput, 1 thread", columns=columns)
    both = Table(title="Throughput, 2 threads", columns=columns)
    trainers = [bench.ours("Gatewheel LoRA", 1), bench.trl("TRL", 1), bench.trl("TRL, bfloat16 weights", 1, "quick")]
    _raced(trainers, rounds, quick)
    trainers = [bench.ours("Gatewheel LoRA", 2), bench.trl("TRL", 2)]
    trainers += [bench.ours("Gatewheel LoRA, float32", 2, FLOAT32), bench.trl("TRL, float32", 2, "float32")]
    _raced(trainers, rounds, both)
    return [quick, both, _curves(trainers)]


def _alike(bench: Bench, rounds: int) -> list[Table]:
    """Examples that begin with the same long instruction."""
    other = Bench(bench.folder / "alike", _messages(MOST * BATCH))
    columns = ("trainer", "tokens/s", "tokens/CPU-s", "time ÷ ours", "CPU ÷ ours", "peak GB", "memory ÷ ours")
    table = Table(title="Throughput, 2 threads, examples that begin with the same 230 tokens", columns=columns)
    apart = other.ours("Gatewheel LoRA, that computed for each", 2, without=["common beginnings once"])
    trainers = [other.ours("Gatewheel LoRA", 2), apart, other.trl("TRL", 2)]
    _raced(trainers, rounds, table)
    return [table, _curves(trainers)]


def _raced(trainers: Sequence[Trainer], rounds: int, table: Table) -> None:
    in_turn(trainers, rounds)
    ours = trainers[0]
    for one in trainers:
        one.stop()
        wall, cpu = one.speed("wall"), one.speed("cpu")
        ratios = (ours.speed("wall") / wall, ours.speed("cpu") / cpu)
        cells = (f"{wall:.0f}", f"{cpu:.0f}", *(f"{ratio:.2f}×" for ratio in ratios))
        table.rows.append([one.name, *cells, f"{one.peak / 1e9:.2f}", f"{one.peak / ours.peak:.2f}×"])


def _curves(trainers: Sequence[Trainer]) -> Table:
    """The loss of each step, and how far each is from TRL in float32."""
    exact = trainers[-1].losses
    steps = tuple(f"step {number}" for number in range(1, len(exact) + 1))
    table = Table(title="Loss before each step", columns=("trainer", *steps, "largest difference to the last"))
    for one in trainers:
        far = max(abs(mine - theirs) for mine, theirs in zip(one.losses, exact, strict=True))
        table.rows.append([one.name, *(f"{loss:.4f}" for loss in one.losses), f"{far:.4f}"])
    return table


def _memory(bench: Bench, _: int) -> list[Table]:
    """Three steps of each; what learns all weights takes its most in the first, when the moments come to be."""
    columns = ("trainer", "peak GB", "÷ LoRA here", "told by the pre-flight", "told ÷ peak")
    table = Table(title="Peak memory of a process, batch of 8, 2 threads", columns=columns)
    makers: dict[str, Callable[[str], Trainer]] = {
        "Gatewheel LoRA": lambda name: bench.ours(name, 2),
        "Gatewheel QLoRA": lambda name: bench.ours(name, 2, nf4=True),
        "TRL, all weights": lambda name: bench.trl(name, 2, whole=True),
    }
    first = 0
    for name, make in makers.items():
        trainer, mine = make(name), name.startswith("Gatewheel")
        in_turn([trainer], 3 if mine else 1)
        trainer.stop()
        first = first or trainer.peak
        told = bench.foreseen(2, nf4=name == "Gatewheel QLoRA") if mine else 0
        beside = (f"{told / 1e9:.2f}", f"{told / trainer.peak:.2f}") if told else ("–", "–")
        table.rows.append([name, f"{trainer.peak / 1e9:.2f}", f"{trainer.peak / first:.2f}×", *beside])
    return [table]


def _shares(bench: Bench, rounds: int) -> list[Table]:
    """Each thing turned off by itself, in turn with all of them on."""
    columns = ("turned off", "tokens/CPU-s", "with it", "faster with it", "peak GB", "with it")
    table = Table(title="What each thing is worth, 4 examples a step, 1 thread", columns=columns)
    always = {"batch": BATCH // 2, "steps": 1000}
    ours = bench.ours("Gatewheel LoRA", 1, always)
    for name, (settings, without) in SHARES.items():
        other = bench.ours(f"without {name}", 1, always | settings, without=without)
        begun = len(ours.steps)
        in_turn([ours, other], max(2, rounds - 1))
        other.stop()
        mine, theirs = (_middle(one.steps[first:]) for one, first in ((ours, begun), (other, 1)))
        peaks = (f"{other.peak / 1e9:.2f}", f"{ours.peak / 1e9:.2f}")
        table.rows.append([name, f"{theirs:.0f}", f"{mine:.0f}", f"{mine / theirs:.2f}×", *peaks])
    ours.stop()
    return [table]


def _middle(steps: Sequence[dict[str, Any]]) -> float:
    return statistics.median(float(step["tokens"]) / float(step["cpu"]) for step in steps)


def _examples(count: int) -> list[tuple[str, str, str]]:
    """System prompt, prompt and reply: orders with a note of 60 to 220 words, to be told as JSON."""
    drawn = random.Random(5)
    words = "order invoice customer harbour lamp desk window ship crane letter number street market paper river".split()
    found = []
    for _ in range(count):
        name, town, item = (drawn.choice(each) for each in (("Ada", "Bo", "Eli"), ("Oslo", "Rome", "Lima"), words))
        amount, note = drawn.randint(1, 99), " ".join(drawn.choice(words) for _ in range(drawn.randint(60, 220)))
        asked = f"{name} from {town} orders {amount} pieces of {item}. Note: {note}"
        reply = json.dumps({"name": name, "town": town, "item": item, "count": amount})
        found.append(("Turn the order into JSON with the keys name, town, item, count.", asked, reply))
    return found


def _messages(count: int) -> list[tuple[str, str, str]]:
    """Messages that are sorted into one of forty words, which an instruction lists."""
    drawn, things = random.Random(6), ("card", "transfer", "refund", "account", "limit", "pin", "top up", "exchange")
    labels = [
        f"{thing.replace(' ', '_')}_{what}" for thing in things for what in ("lost", "late", "fee", "new", "wrong")
    ]
    system = f"Sort the message of a customer. Answer with one of these words and nothing else: {', '.join(labels)}."
    found = []
    for _ in range(count):
        label = drawn.choice(labels)
        thing, _, what = label.replace("_", " ").rpartition(" ")
        found.append((system, f"Hello, since {drawn.randint(1, 28)} May my {thing} seems to be {what}.", label))
    return found


if __name__ == "__main__":
    main()
