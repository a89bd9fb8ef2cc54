"""How a tuning is ended before its time: by whoever stops its process, or by the wish to keep what it has so far."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gatewheel.kernel import runs
from gatewheel.kernel.errors import Cancelled, UserError
from gatewheel.kernel.runs import Run
from gatewheel.loop.compose import Parts

KEEP = "keep"  # a file of this name in a run's folder ends the tuning with the best adapter so far


@contextmanager
def asked() -> Iterator[threading.Event]:
    """Set when this process is asked to end: the trainer then ends between two steps, with a checkpoint."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    except Cancelled:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGTERM, before)


def keeping(parts: Parts, run: Run) -> bool:
    """Whether a run that is at work was asked to end with what it has so far."""
    return run.state == "running" and (runs.folder(parts.config.state, run.id) / KEEP).exists()


def stop_and_keep(parts: Parts, run: str) -> None:
    """End a tuning after the step that it is at, with the best adapter so far; a whole turn then goes on with that.

    Raises UserError for a run that is no tuning at work, or that has not learned a step yet.
    """
    found = runs.get(parts.engine, run)
    cure = "name a tuning that is at work; see `gatewheel runs list`"
    if found.kind not in ("finetune", "improve"):
        raise UserError(f"run {found.id} is no tuning but of the kind {found.kind}", cure=cure)
    if found.state != "running":
        adapter = (found.result or {}).get("adapter", "")
        cure = f"it kept adapter {adapter[:12]} already" if adapter else cure
        cure = f"`gatewheel runs resume {found.id}` goes on with it" if found.state == "interrupted" else cure
        raise UserError(f"run {found.id} is a tuning that is {found.state}", cure=cure)
    if found.kind == "improve" and (step := found.progress.get("step")) != "tune":
        raise UserError(f"run {found.id} is at the step {step or 'harvest'}, not at tuning", cure="let it go on")
    if found.progress.get("point", {}).get("step", 0) < 1:
        what = f"run {found.id} has not learned a step yet, so there is nothing to keep"
        raise UserError(what, cure="wait for the first step, or cancel it")
    (runs.folder(parts.config.state, found.id) / KEEP).touch()
