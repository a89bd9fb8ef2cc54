"""Foresees a tuning in a process of its own: who asks loads no torch, and can end it at any moment.

`python -m gatewheel.loop.foreseeing ROOT PARENT` reads what is wanted as JSON and writes what it would take; it ends
with the process PARENT that started it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gatewheel.kernel import config
from gatewheel.kernel.durable import PATIENT
from gatewheel.kernel.errors import GatewheelError, ModelError, UserError
from gatewheel.kernel.parentage import end_with_parent
from gatewheel.loop import fitting
from gatewheel.loop.compose import Parts
from gatewheel.loop.tuning import Wanted, foresee

POLL = 0.3  # seconds between two looks whether somebody still wants it
_KEPT = ("steps", "tokens", "kept", "memory", "available", "seconds", "disk", "fits", "told")
LIMIT = 1_200.0  # seconds; the probe of finetune/preflight.py ends itself after half of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """Of what a tuning would learn, and what it takes on this machine: bytes of memory and disk, seconds, steps.

    `told` says it all in words; where it does not fit (`fits`), what would. `without` counts cases that are left out,
    `reasons` of how many of these why. `learned` counts the examples that are learned from: neither kept nor too long.
    Where a look at this machine says nothing of it, `untold` says why, and what it takes is 0.
    """

    dataset: str
    base: str
    examples: int
    without: int
    settings: dict[str, Any]
    steps: int
    tokens: int
    kept: int
    memory: int
    available: int
    seconds: float
    disk: int
    fits: bool
    told: str
    untold: str = ""
    learned: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def ask(root: Path, wanted: Wanted, *, tick: Callable[[], None] = lambda: None) -> Foreseen:
    """What a tuning would take; the data is frozen for it. What `tick` raises ends it.

    Raises UserError for what `tuning.foresee` raises, ModelError when the process dies.
    """
    command = [sys.executable, "-P", "-m", "gatewheel.loop.foreseeing", str(root), str(os.getpid())]
    said = json.dumps(asdict(wanted))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**PATIENT, **os.environ}
    ) as child:
        try:
            out, errors = _waited(child, said, tick)
        except BaseException:
            child.kill()
            raise
    try:
        found = json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        last = (errors.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        raise ModelError(f"the look ahead failed: {last[:300]}", cure="take a smaller base, or look again") from None
    if "error" in found:
        raise UserError(found["error"], cure=found["cure"])
    return Foreseen(**found)


def main(root: str, parent: str) -> None:
    """Write what is foreseen, or the error, as one line."""
    end_with_parent(parent=int(parent))
    wanted = Wanted(**json.load(sys.stdin))
    with contextlib.redirect_stdout(io.StringIO()):
        told = _told(Path(root), wanted)
    print(json.dumps(told))


def _told(root: Path, wanted: Wanted) -> dict[str, Any]:
    parts = Parts(config.load(root / config.CONFIG_FILE))
    try:
        lesson, seen = foresee(parts, wanted)
    except GatewheelError as error:
        return {"error": error.what, "cure": error.cure}
    settings: Any = lesson.settings
    nothing = {"steps": settings.steps, "fits": True, "told": "", "untold": fitting.untold(parts.config.scale)}
    return asdict(
        Foreseen(
            dataset=lesson.dataset.id,
            base=lesson.said,
            examples=len(lesson.examples),
            without=lesson.without,
            reasons=dict(lesson.reasons),
            learned=seen.examples if seen else 0,
            settings=settings.model_dump(mode="json"),
            **({name: getattr(seen, name) for name in _KEPT} if seen else dict.fromkeys(_KEPT, 0) | nothing),
        )
    )


def _waited(child: subprocess.Popen[str], said: str, tick: Callable[[], None]) -> tuple[str, str]:
    waited, given = 0.0, said or None
    while True:
        try:
            return child.communicate(given, timeout=POLL)
        except subprocess.TimeoutExpired:
            given, waited = None, waited + POLL
            if waited > LIMIT:
                raise ModelError(f"no word after {LIMIT:g} s", cure="take a smaller base") from None
            tick()


if __name__ == "__main__":
    main(*sys.argv[1:])
