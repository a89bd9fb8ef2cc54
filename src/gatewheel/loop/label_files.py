"""Labels that were given elsewhere come in, preferences for training go out: both JSON Lines, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from gatewheel.data import cases as case_files
from gatewheel.data import suites
from gatewheel.data.lines import numbered, record_of, unsound
from gatewheel.evals import people
from gatewheel.evals.people import Item, Label, Side
from gatewheel.kernel.config import checked
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.loop import labelling, putting
from gatewheel.loop.evaluate import put

SPELLED_OUT = 20  # ids of cases in a message
Sides = Callable[[str], Mapping[str, Side]]


class Line(BaseModel):
    """A label in a file: `better` of two answers, or `scores` of the one of `a`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: str = Field(description="The id of the case in the suite.")
    a: str = Field(default="", description="Who answered, as on the command line; empty means --a.")
    b: str = Field(default="", description="The same for the other answer; empty means --b.")
    better: Literal["", "a", "b", "tie"] = Field(default="", description="Which answer is better.")
    scores: dict[str, float] = Field(default={}, description="A score for each criterion.")
    rater: str = Field(default="", description="Who says so; empty means --rater.")
    comment: str = Field(default="", description="Why.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Usual:
    """What a line means that does not say it."""

    a: str = ""
    b: str = ""
    rater: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """How many preferences were written; `lost` are of cases that the suite no longer has."""

    written: int
    lost: int


def take(engine: Engine, suite: str, path: Path, *, usual: Usual) -> int:
    """Keep the labels of a file and return how many. Raises UserError with the line; then none is kept."""
    these = labelling.known(engine, suite)

    @cache
    def sides(named: str) -> Mapping[str, Side]:
        return labelling.sides(labelling.report(these, named))

    keys = {asked.id: key for key, asked in these.cases.items()}
    found: dict[str, Label] = {}
    for number, text in numbered(path):
        try:
            record = record_of(text)
            if fault := unsound(record):
                raise UserError(fault, cure="write what it stands for")
            line = checked(Line, record, "the label's")
            rater = labelling.named(line.rater or usual.rater)
            item, place = _item(line, usual, keys, sides)
            label = Label(item=item, rater=rater, better=place, scores=line.scores, comment=line.comment)
        except UserError as error:
            raise UserError(f"{path.name}, line {number}: {error.what}", cure=error.cure) from None
        found[people.identity(suite, label)] = label
    if not found:
        raise UserError(f"{path.name} holds no labels", cure='write one a line: {"case": "…", "better": "a"}')
    labelling.give(engine, suite, *found.values())
    return len(found)


def export(engine: Engine, root: Path, suite: str, path: Path) -> Exported:
    """Write preferences: messages, chosen, rejected. Replaces the file. Raises UserError."""
    lines, lost = preferences(engine, root, suite)
    case_files.replace(path, "".join(lines).encode())
    return Exported(written=len(lines), lost=lost)


def preferences(engine: Engine, root: Path, suite: str) -> tuple[list[str], int]:
    """Lines of JSON, and how many preferences are lost, being of cases that the suite no longer has.

    What more raters preferred counts; ties and pairs on which they are split are left out. A case whose question,
    context or history was mended since is another case: nobody answered it. Raises UserError.
    """
    cases = {put(case): case for case in suites.load(root, suite).cases}
    lines: list[str] = []
    lost = 0
    for one in people.preferences(labelling.labels(engine, suite)):
        case, both = cases.get(one.case), (one.chosen, one.rejected)
        chosen, rejected = (labelling.answer(engine, one.case, side, repeat=one.repeat) for side in both)
        if case is None or chosen is None or rejected is None:
            lost += 1
            continue
        turns = [{"role": turn.role, "content": turn.content} for turn in case.history]
        messages = [*turns, {"role": "user", "content": putting.alone(case)}]
        plain = {"messages": messages, "chosen": chosen.answer, "rejected": rejected.answer}
        lines.append(json.dumps(plain, ensure_ascii=False) + "\n")
    return lines, lost


def _item(line: Line, usual: Usual, keys: Mapping[str, str], sides: Sides) -> tuple[Item, people.Better]:
    """What a line is of, and what it says of the item as that has its sides."""
    if bool(line.better) == bool(line.scores):
        raise UserError("it says neither or both of better and scores", cure="write one of them")
    if line.case not in keys:
        cure = did_you_mean(line.case, keys) if len(keys) <= SPELLED_OUT else "write the id of a case of the suite"
        raise UserError(f"case: '{line.case[:80]}' was not answered", cure=cure)
    key = keys[line.case]
    first = _side(line.a or usual.a, "a", key, sides)
    if not line.better:
        return Item(case=key, a=first), ""
    second = _side(line.b or usual.b, "b", key, sides)
    if first == second:
        raise UserError("a and b gave the same answer", cure="name two that differ")
    blind = people.pair(key, first, second)
    return blind.item, blind.better({"a": 1, "b": 2, "tie": 0}[line.better])


def _side(named: str, option: str, key: str, sides: Sides) -> Side:
    if not named:
        raise UserError(f"{option}: is missing", cure=f"write whose answer it is, here or as --{option}")
    found = sides(named).get(key)
    if found is None:
        raise UserError(f"{option}: '{named[:80]}' was not asked this", cure="evaluate it on the whole suite")
    return found
