"""The screen on which a person labels answers without knowing whose they are: one key, and the next one comes."""

from __future__ import annotations

import os
import re
import sys
import termios
import tty
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError

if TYPE_CHECKING:
    from rich.text import Text
    from sqlalchemy import Engine

    from gatewheel.evals.people import Blind, Criterion, Item, Label, Side
    from gatewheel.loop.labelling import Asked, Sheet

WIDE = 100  # columns from which two answers stand side by side
PLACES = {"1": 1, "2": 2, "t": 0}
OTHERS = "s skip  u undo  q quit"
SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]?|O.?|.?)")  # arrows and their like are several signs, also digits


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A rater before a sheet. `rubric` is empty for pairs; `asked` are the cases by what was put."""

    engine: Engine
    sheet: Sheet
    asked: dict[str, Asked]
    rubric: Sequence[Criterion] = ()
    done: list[tuple[Blind, str]] = field(default_factory=list)  # what was labelled, or skipped: without an id

    @property
    def given(self) -> int:
        """How many labels were given and not taken back."""
        return sum(bool(id_) for _, id_ in self.done)


def label(session: Session) -> None:
    """Show what is waiting, one after another, until all is labelled or the rater quits.

    A label is in the store before the screen says so. Raises UserError without a terminal.
    """
    from gatewheel.loop import labelling

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("labelling needs a terminal, for its keys", cure="use one, or --import FILE.jsonl")
    todo = deque(labelling.waiting(session.engine, session.sheet))
    total = len(session.sheet.items)
    labelled = total - len(todo)
    with _keyboard() as keyboard:
        while todo:
            keyboard.forget()  # what was pressed before an answer was seen is no opinion of it
            _show(session, todo[0], f"{labelled + 1} of {total}")
            said = _said(session, todo[0], keyboard.key)
            if said == "q":
                break
            if said == "u":
                labelled -= _undo(session, todo)
            elif said == "s":
                session.done.append((todo.popleft(), ""))
            else:
                assert not isinstance(said, str)
                [id_] = labelling.give(session.engine, session.sheet.suite, said)
                session.done.append((todo.popleft(), id_))
                labelled += 1
                render.tell(f"kept, {labelled} of {total} labelled", err=True, bold=True)


def _undo(session: Session, todo: deque[Blind]) -> int:
    """Back to what was labelled or skipped last; returns how many labels were taken back."""
    from gatewheel.loop import labelling

    if not session.done:
        render.tell("nothing to take back", err=True)
        return 0
    blind, id_ = session.done.pop()
    todo.appendleft(blind)
    if id_:
        labelling.take_back(session.engine, id_)
        render.tell("taken back", err=True)
    return int(bool(id_))


@dataclass(slots=True)
class _Keyboard:
    file: int
    held: deque[str] = field(default_factory=deque)

    def forget(self) -> None:
        """Whatever was pressed until now."""
        termios.tcflush(self.file, termios.TCIFLUSH)
        self.held.clear()

    def key(self) -> str:
        """The next key, in lower case; q when the terminal is gone. What is no letter or digit is no key."""
        while not self.held:
            read = os.read(self.file, 32)
            if not read:
                return "q"
            self.held.extend(chr(sign).lower() for sign in SEQUENCE.sub(b"", read) if chr(sign).isalnum())
        return self.held.popleft()


@contextmanager
def _keyboard() -> Iterator[_Keyboard]:
    """Keys come one by one, without Enter and without being shown."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield _Keyboard(file)
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _said(session: Session, blind: Blind, key: Callable[[], str]) -> Label | str:
    """A label, or one of s, u and q."""
    from gatewheel.evals.people import Label

    rater = session.sheet.rater
    if not session.rubric:
        pressed = _one_of({*PLACES, *"suq"}, key, f"better?  1  2  t tie  {OTHERS}")
        if pressed not in PLACES:
            return pressed
        return Label(item=blind.item, rater=rater, better=blind.better(PLACES[pressed]))
    scores: dict[str, float] = {}
    for one in session.rubric:
        grades = {str(grade) for grade in range(one.low, one.high + 1)}
        pressed = _one_of({*grades, *"suq"}, key, f"{one.name}?  {one.low} to {one.high}  {OTHERS}")
        if pressed not in grades:
            return pressed
        scores[one.name] = float(pressed)
    return Label(item=blind.item, rater=rater, scores=scores)


def _one_of(wanted: set[str], key: Callable[[], str], prompt: str) -> str:
    render.tell(prompt, err=True, dim=True)
    while (pressed := key()) not in wanted:
        pass
    return pressed


def _show(session: Session, blind: Blind, progress: str) -> None:
    from rich.console import Console
    from rich.rule import Rule
    from rich.table import Table

    asked = session.asked[blind.item.case]
    console = Console(stderr=True, highlight=False)
    console.print(Rule(progress))
    render.tell(asked.question, err=True, bold=True)
    if asked.expected:
        render.tell(f"expected: {' | '.join(asked.expected)}", err=True, dim=True)
    texts = [_text(session.engine, blind.item, side) for side in blind.sides]
    beside = Table(expand=True, show_lines=True)
    if console.width >= WIDE or len(texts) == 1:
        for number in range(len(texts)):
            beside.add_column(str(number + 1) if len(texts) > 1 else "answer", ratio=1)
        beside.add_row(*texts)
    else:
        beside.show_header = False
        beside.add_column(width=1)
        beside.add_column(ratio=1)
        for number, text in enumerate(texts, 1):
            beside.add_row(str(number), text)
    console.print(beside)


def _text(engine: Engine, item: Item, side: Side) -> Text:
    from rich.text import Text

    from gatewheel.loop import labelling

    found = labelling.answer(engine, item.case, side, repeat=item.repeat)
    assert found, "a sheet has only cases that were answered"
    text = Text(render.printable(found.answer))
    for citation in found.citations:
        text.append(render.printable(f"\n[{citation.n}] {citation.source}: {citation.quote}"), style="dim")
    return text
