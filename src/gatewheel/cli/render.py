"""What commands share on their way out: the --json option, JSON on stdout, progress on stderr."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewheel.kernel.errors import ProjectError, UserError

if TYPE_CHECKING:
    from gatewheel.kernel.nouns import Hit
    from gatewheel.loop.project import Project

# ECMA-48's C0 and C1 and DEL, and the signs that turn the direction of what follows
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; its schema: `gatewheel schemas`.")


def emit(shape: Any) -> None:
    """A shape as one JSON document on stdout."""
    click.echo(json.dumps(asdict(shape), ensure_ascii=False, indent=None if not sys.stdout.isatty() else 2))


@contextmanager
def project(context: click.Context) -> Iterator[Project]:
    """The project that the command was called for; what takes long is told on stderr."""
    from gatewheel.loop.project import open as open_project

    opened = open_project(Path(context.find_root().obj or "."), say=say)
    try:
        yield opened
    finally:
        opened.close()


def tell(text: str, *, err: bool = False, nl: bool = True, **style: bool) -> None:
    """Text for people. What documents and models wrote must not steer the terminal, so control characters go."""
    click.echo(click.style(printable(text), **style), err=err, nl=nl)


def printable(text: str) -> str:
    """Text without control characters other than line breaks and tabs."""
    return _CONTROL.sub("", text)


def say(text: str) -> None:
    """One line of news on stderr."""
    tell(f"… {text}", err=True, dim=True)


def place(source: str, span: tuple[int, int], page: int | None) -> str:
    """Where a passage is, for people: source, page, characters."""
    return f"{source}{f', page {page}' if page else ''}, characters {span[0]}–{span[1]}"


@contextmanager
def ingest_bar(quiet: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Progress of an ingestion on stderr: a bar on a terminal, a line every ten seconds elsewhere."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        yield from _bar()
    else:
        yield _lines()


def _bar() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[files]}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[current]}", markup=False),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", files="", rate="", current="")

        def show(now: Mapping[str, Any]) -> None:
            if now:
                bar.update(
                    task,
                    total=now["total_bytes"],
                    completed=now["bytes"],
                    files=f"{now['files']}/{now['total_files']} files",
                    rate=_rate(now, began),
                    current=printable(str(now["current"]))[-40:],
                )

        yield show


def _lines() -> Callable[[Mapping[str, Any]], None]:
    began = last = time.monotonic()

    def show(now: Mapping[str, Any]) -> None:
        nonlocal last
        if now and time.monotonic() - last >= 10:
            last = time.monotonic()
            share = now["bytes"] / now["total_bytes"] if now["total_bytes"] else 1.0
            left = f", about {(last - began) * (1 - share) / share:.0f} s left" if share else ""
            say(f"{now['files']}/{now['total_files']} files, {_rate(now, began)}{left}")

    return show


def _rate(now: Mapping[str, Any], began: float) -> str:
    return f"{now['passages'] / max(time.monotonic() - began, 1e-9):.0f} passages/s"


def passage(number: int, hit: Hit) -> None:
    """A passage for people: where it is, its headings, its text in short."""
    found = hit.passage
    where = place(found.source, found.span, found.page)
    tell(f"{number}. {where}  {hit.score:.4f}", bold=True)
    if found.heading:
        tell(f"   {found.heading}", dim=True)
    tell(f"   {shorten(' '.join(found.text.split()), 300)}\n")


def shorten(text: str, width: int) -> str:
    """At most `width` characters, cut at a word."""
    return text if len(text) <= width else text[:width].rsplit(" ", 1)[0] + " …"


def refuse_without_documents(opened: Project, app: str) -> None:
    """Raises ProjectError where an application answers from documents and none were ever ingested."""
    from gatewheel.loop.recipes import reads_documents

    if reads_documents(opened.config.table("app", app).settings):
        _refuse_empty(opened)


def tell_release(opened: Project, app: str) -> None:
    """Where something else is released, that this command answers by the file; a service answers by the release."""
    from gatewheel.ops import releases

    released = releases.current(opened.parts.engine, app)
    if released not in ("", here := opened.parts.variant(app).id):
        say(f"what gatewheel.toml says answers here, variant {here[:12]}; `gatewheel serve` answers by {released[:12]}")


def hint_when_empty(opened: Project) -> None:
    """Nothing was found: say so, and what to do when nothing was ever ingested."""
    _refuse_empty(opened)
    click.echo("No passage matches.", err=True)


def _refuse_empty(opened: Project) -> None:
    if opened.parts.store.totals()[0] == 0:
        raise ProjectError("no documents are ingested yet", cure="run `gatewheel ingest`")


def write(path: str, text: str) -> None:
    """A text into a file, which is replaced. Raises UserError when it cannot be written."""
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", cure="name a file that can") from None


def emit_line(shape: Any) -> None:
    """A shape as one line of JSON on stdout."""
    click.echo(json.dumps(asdict(shape), ensure_ascii=False))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for at, row in enumerate((head, *rows)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if at == 0 else line)
