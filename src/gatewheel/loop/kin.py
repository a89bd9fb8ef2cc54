"""The things that come of one another in a project, from a document to an answer and back: what each is called here.

Nothing is loaded but rows, and of a dataset the lines of its object that are shown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, select

from gatewheel.data import cases as case_files
from gatewheel.data import datasets, suites
from gatewheel.data.cases import of_record, split_key
from gatewheel.data.lines import record_of
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store.learning import dataset_cases
from gatewheel.kernel.store.objects import Objects
from gatewheel.kernel.store.schema import variants
from gatewheel.loop import rounding, tainting
from gatewheel.loop.compose import Parts

Kind = Literal[
    "trace", "variant", "release", "artifact", "run", "dataset", "case", "feedback", "document", "file", "user"
]
LONGEST = 100  # characters of a label


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A thing. `label` says to people what it is; `created` is a POSIX time stamp, None where nobody knows.

    `id` of a case is its `split_key`, of a document its source, of a user the id of a key. `tainted` says why nothing
    should rest on it: it learned of what was forgotten since.
    """

    kind: Kind
    id: str
    label: str
    created: float | None = None
    tainted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """From one thing to another; `where` says in which part of it, such as a span of a document."""

    to: Node
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fan:
    """Things of one kind next to another: `steps` to some of them, and how many there are."""

    kind: Kind
    steps: tuple[Step, ...]
    count: int


@dataclass(frozen=True)
class At:
    """The project that is walked through. At most so many things of a kind are looked up; 0 is all of them."""

    engine: Engine
    objects: Objects
    root: Path
    most: int = 0
    asked: dict[str, str] = field(default_factory=dict)  # case → its question, as far as it was looked up

    @cached_property
    def taints(self) -> tainting.Taints:
        """All that is tainted, with why."""
        return tainting.read(self.engine)

    @cached_property
    def recipes(self) -> list[tuple[str, float, Mapping[str, Any]]]:
        """Every variant with when it was kept and its recipe, the oldest first."""
        query = select(variants.c.id, variants.c.created, variants.c.recipe).order_by(variants.c.created)
        with self.engine.connect() as connection:
            return [(row.id, row.created, row.recipe) for row in connection.execute(query)]

    @cached_property
    def serving(self) -> dict[str, list[str]]:
        """Artifact → the variants that have it for weights or for an adapter, the oldest first."""
        found: dict[str, list[str]] = defaultdict(list)
        for id_, _, recipe in self.recipes:
            for artifact in tainting.weights_of(recipe):
                found[artifact].append(id_)
        return dict(found)

    @cached_property
    def in_suites(self) -> dict[str, str]:
        """What every case of the project's suites asks, by its `split_key`; a suite that cannot be read has none."""
        found: dict[str, str] = {}
        for name in suites.names(self.root):
            try:
                path = suites.path_of(self.root, name)
                file = suites.cases_path(self.root, path, suites.settings_of(self.root, name))
                found |= {split_key(case): case.question for case in case_files.read(file)}
            except UserError:
                continue
        return found

    def few(self, rows: Sequence[Any]) -> Sequence[Any]:
        """As many of them as are looked up."""
        return rows[: self.most] if self.most else rows

    def first_cases(self, dataset: str) -> list[str]:
        """The first cases of a version by what they ask; from the store alone where its object is gone."""
        query = select(dataset_cases.c.case).where(dataset_cases.c.dataset == dataset).order_by(dataset_cases.c.case)
        if not self.objects.has(dataset):
            with self.engine.connect() as connection:
                return list(connection.scalars(query.limit(self.most) if self.most else query))
        keys: dict[str, None] = {}
        with self.objects.path(dataset).open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                if self.most and len(keys) >= self.most:
                    break
                try:
                    case = of_record(record_of(line.rstrip("\n")))
                except UserError:  # damaged: `gatewheel data diff` says so
                    continue
                keys[split_key(case)] = None
                self.asked.setdefault(split_key(case), case.question)
        return list(keys)

    def question(self, case: str) -> str:
        """What a case asks; empty where only its digest is left."""
        if case not in self.asked and case in self.in_suites:
            self.asked[case] = self.in_suites[case]
        if case not in self.asked:
            holding = select(dataset_cases.c.dataset).where(dataset_cases.c.case == case)
            with self.engine.connect() as connection:
                here = [id_ for id_ in connection.scalars(holding) if self.objects.has(id_)]
            for one in datasets.load(self.objects, here[0]) if here else ():
                self.asked.setdefault(split_key(one), one.question)
        return self.asked.get(case, "")


def at(parts: Parts, *, most: int) -> At:
    """A project to walk through."""
    return At(engine=parts.engine, objects=parts.objects, root=parts.config.root, most=most)


def case(here: At, key: str, created: float | None = None) -> Node:
    """A case by its `split_key`."""
    return Node(kind="case", id=key, label=short(here.question(key)) or "its text is gone", created=created)


def trace(row: Any) -> Node:
    """A trace by its row."""
    return Node(kind="trace", id=row.id, label=short(row.question or row.kind), created=row.created)


def feedback(row: Any) -> Node:
    """What somebody said, by its row."""
    said = [f"thumb {row.thumb}"] if row.thumb else []
    said += [f"score {row.score:g}"] if row.score is not None else []
    said += [what for what in ("correction", "comment") if getattr(row, what)]
    return Node(kind="feedback", id=row.id, label=", ".join(said) or "wrong citations", created=row.created)


def variant(here: At, id_: str) -> Node:
    """A variant by its id; one that was never kept has nothing but that."""
    for known, created, recipe in here.recipes:
        if known == id_:
            tainted = here.taints.of_recipe(recipe)
            return Node(kind="variant", id=id_, label=_recipe(recipe), created=created, tainted=tainted)
    return Node(kind="variant", id=id_, label="not kept")


def release(row: Any) -> Node:
    """A row of the history of releases."""
    label = f"{row.action} for [app.{row.app}]"
    if row.action == "gate":
        label = f"[gate.{row.reason.get('gate', '')}] said {row.reason.get('outcome', '')}"
    return Node(kind="release", id=str(row.number), label=label, created=row.created)


def artifact(here: At, row: Any) -> Node:
    """What a run made, by its row."""
    of = [row.kind, str(row.meta.get("quantisation") or row.meta.get("method") or "")]
    cost = rounding.read(row.meta)
    label = ", ".join(
        [" ".join(filter(None, of)), f"{row.bytes / 1e6:.1f} MB", *([rounding.told(cost)] if cost else [])]
    )
    return Node(kind="artifact", id=row.id, label=label, created=row.created, tainted=here.taints.of_artifact(row.id))


def run(row: Any) -> Node:
    """A run by its row."""
    said: Any = row.settings.get("wanted", row.settings)
    data = said.get("data", "") if isinstance(said, Mapping) else ""
    label = f"{row.kind}{f' on {data}' if data else ''}, {row.state}"
    return Node(kind="run", id=row.id, label=label, created=row.created)


def dataset(here: At, row: Any) -> Node:
    """A dataset version by its row."""
    label = f"{row.name}, {row.cases} cases"
    return Node(kind="dataset", id=row.id, label=label, created=row.created, tainted=here.taints.of("dataset", row.id))


def document(source: str, title: str = "", *, here: bool = True) -> Node:
    """A document by its source, or one that is no more in the index."""
    return Node(kind="document", id=source, label=(short(title) or source) if here else "not in the index")


def user(id_: str, name: str = "", created: float | None = None) -> Node:
    """Who has an API key."""
    return Node(kind="user", id=id_, label=f"key {name}" if name else "an author of feedback", created=created)


def short(text: str) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def _recipe(recipe: Mapping[str, Any]) -> str:
    model: Mapping[str, Any] = recipe.get("model", {})
    weights = str(model.get("weights") or model.get("model") or "")
    served = " ".join(filter(None, [str(model.get("engine") or model.get("use", "")), _shorter(weights)]))
    beside = f" with {_shorter(str(model['adapter']))}" if model.get("adapter") else ""
    prompt = recipe["app"].get("prompt", "") if "app" in recipe else ""
    return f"{f'prompt {prompt}, ' if prompt else ''}{served}{beside}" or json.dumps(dict(model))[:LONGEST]


def _shorter(weights: str) -> str:
    kind, _, digest = weights.partition(":")
    return f"{kind}:{digest[:12]}" if kind == "object" else weights
