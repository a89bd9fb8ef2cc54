"""Trainers that step in turn: a worker tells what each step took and waits for the word to take the next.

The waiting ones sleep, so that two trainers meet the same machine: short rounds, and ratios of what one round took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Watch:
    """What each step took. The first is not measured: it ends when the worker is ready."""

    def __init__(self) -> None:
        self._said = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what libraries print is no figure
        self._began = _now()

    def goes_on(self, loss: float, tokens: int) -> bool:
        """Tell a step, and wait for the word; False when told to stop."""
        wall, cpu = (end - begin for end, begin in zip(_now(), self._began, strict=True))
        record = {"loss": loss, "tokens": tokens, "wall": wall, "cpu": cpu, "peak": _peak()}
        print(json.dumps(record), file=self._said, flush=True)
        word = sys.stdin.readline().strip()
        self._began = _now()
        return word == "go"


@dataclass(kw_only=True)
class Trainer:
    """A worker, and what its steps took, the warm-up first: `loss`, `tokens`, `wall` and `cpu` in seconds, `peak`."""

    name: str
    command: Sequence[str]
    told: dict[str, Any]
    steps: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "OMP_NUM_THREADS": str(self.told["threads"])}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the worker
        self._child = subprocess.Popen(
            [*self.command, json.dumps(self.told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        self._hear()

    def step(self) -> None:
        """Take one."""
        self._say("go")
        self._hear()

    def stop(self) -> None:
        """End it after what it has done."""
        self._say("stop")
        self._child.wait()
        self._errors.close()

    def speed(self, of: str) -> float:
        """Tokens a second of `wall` or `cpu`, without the warm-up."""
        return float(sum(step["tokens"] for step in self.steps[1:]) / sum(step[of] for step in self.steps[1:]))

    @property
    def peak(self) -> int:
        """Bytes."""
        return int(max(step["peak"] for step in self.steps))

    @property
    def losses(self) -> list[float]:
        return [float(step["loss"]) for step in self.steps]

    def _say(self, word: str) -> None:
        assert self._child.stdin
        self._child.stdin.write(word + "\n")
        self._child.stdin.flush()

    def _hear(self) -> None:
        assert self._child.stdout
        if not (line := self._child.stdout.readline()):
            self._errors.seek(0)
            raise SystemExit(f"{self.name} ended:\n{self._errors.read()[-3000:]}")
        self.steps.append(json.loads(line))
        print(f"{self.name}: {line.strip()}", file=sys.stderr, flush=True)


def in_turn(trainers: Sequence[Trainer], rounds: int) -> None:
    """So many rounds, each trainer taking a step in each."""
    for _ in range(rounds):
        for trainer in trainers:
            trainer.step()


def _now() -> tuple[float, float]:
    spent = os.times()
    return time.perf_counter(), spent.user + spent.system


def _peak() -> int:
    """The most bytes that were resident; getrusage would count what the parent had when it started this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
