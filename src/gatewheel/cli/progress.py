"""Progress of a Run on stderr, whatever its kind: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from gatewheel.cli import render

Show = Callable[[Mapping[str, Any]], None]


@contextmanager
def bar(*, quiet: bool) -> Iterator[Show]:
    """Shows the progress of an ingestion or an evaluation, which it knows by what is told of it."""
    with ExitStack() as stack:
        opened: list[Show] = []

        def show(now: Mapping[str, Any]) -> None:
            if now and not opened:
                kind = render.ingest_bar if "bytes" in now else evaluation_bar
                opened.append(stack.enter_context(kind(quiet)))
            for each in opened:
                each(now)

        yield show


@contextmanager
def evaluation_bar(quiet: bool) -> Iterator[Show]:
    """Progress of an evaluation."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        yield from _bar()
    else:
        yield _lines()


def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.fields[target]}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[counts]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", target="", counts="")

        def show(now: Mapping[str, Any]) -> None:
            if now:
                target = render.printable(str(now["target"]))
                shown.update(task, total=now["total"], completed=now["done"], target=target, counts=_counts(now))

        yield show


def _lines() -> Show:
    last = time.monotonic()

    def show(now: Mapping[str, Any]) -> None:
        nonlocal last
        if now and time.monotonic() - last >= 10:
            last = time.monotonic()
            render.say(f"{now['target']}: {_counts(now)}".removesuffix(": "))

    return show


def _counts(now: Mapping[str, Any]) -> str:
    said = [f"{now['done']}/{now['total']}"] if now["total"] > 1 else []
    if now["known"]:
        said.append(f"{now['known']} known")
    if now["errors"]:
        said.append(f"{now['errors']} failed")
    if now["left"] is not None:
        said.append(f"{now['rate']:.0f} tokens/s" if now.get("point") else f"{now['rate']:.1f}/s")
        said.append(f"about {_time(now['left'])} left")
    return ", ".join(said)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
