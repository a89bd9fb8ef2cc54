"""Down: what came of a thing. From a document, or from what somebody said, to every answer that rests on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Engine, Text, cast, select

from gatewheel.data import origins
from gatewheel.kernel.store.learning import artifacts, dataset_cases, datasets
from gatewheel.kernel.store.schema import documents, feedback, passages, runs, traces
from gatewheel.loop import kin
from gatewheel.loop.kin import At, Fan, Kind, Step
from gatewheel.loop.made_of import BATCH, fan, releases_of

_SHOWN = re.compile(r'"id": ?"([0-9a-f]{16})"')  # as a trace names a passage; read as JSON it takes ten times as long


def of_document(here: At, source: str) -> list[Fan]:
    """The cases that were made of it, and the answers for which its passages were read."""
    shown = shown_in(here, source)
    some = list(here.few(shown))[:BATCH] if here.most else shown
    steps: list[Step] = []
    for at in range(0, len(some), BATCH):
        rows = select(traces).where(traces.c.id.in_(some[at : at + BATCH])).order_by(traces.c.created.desc())
        with here.engine.connect() as connection:
            steps += [Step(to=kin.trace(row)) for row in connection.execute(rows)]
    answers = [Fan(kind="trace", steps=tuple(steps), count=len(shown))] if shown else []
    return [*_cases(here, "document", source), *answers]


def of_user(here: At, id_: str) -> list[Fan]:
    """What was asked with a key, and what its owner said of answers."""
    asked = select(traces).where(traces.c.key == id_).order_by(traces.c.created.desc())
    said = select(feedback).where(feedback.c.author == id_).order_by(feedback.c.created.desc())
    return [*fan(here, "trace", asked, kin.trace), *fan(here, "feedback", said, kin.feedback)]


def of_trace(here: At, id_: str) -> list[Fan]:
    """What people said of an answer, and the cases that were made of it."""
    said = select(feedback).where(feedback.c.trace == id_).order_by(feedback.c.created.desc())
    return [*fan(here, "feedback", said, kin.feedback), *_cases(here, "trace", id_)]


def of_feedback(here: At, id_: str) -> list[Fan]:
    """The cases that were made of what somebody said."""
    return _cases(here, "feedback", id_)


def of_file(here: At, path: str) -> list[Fan]:
    """The cases that came out of a file."""
    return _cases(here, "file", path)


def of_case(here: At, key: str) -> list[Fan]:
    """The dataset versions that hold it."""
    of = select(datasets).join(dataset_cases, dataset_cases.c.dataset == datasets.c.id)
    of = of.where(dataset_cases.c.case == key).order_by(datasets.c.created.desc())
    return fan(here, "dataset", of, lambda row: kin.dataset(here, row))


def of_dataset(here: At, id_: str) -> list[Fan]:
    """The runs that learned of it, and what was made of it without one."""
    meta = artifacts.c.meta
    named = (meta["dataset"].as_string() == id_) | (meta["validation"].as_string() == id_)
    learned = select(artifacts).where(named)
    by = select(runs).where(runs.c.id.in_(learned.with_only_columns(artifacts.c.run))).order_by(runs.c.created.desc())
    alone = learned.where(artifacts.c.run.not_in(select(runs.c.id))).order_by(artifacts.c.created.desc())
    return [*fan(here, "run", by, kin.run), *fan(here, "artifact", alone, lambda row: kin.artifact(here, row))]


def of_run(here: At, id_: str) -> list[Fan]:
    """What it made, but for what was made of that in turn."""
    made = select(artifacts).where(artifacts.c.run == id_, artifacts.c.kind == "adapter")
    return fan(here, "artifact", made.order_by(artifacts.c.created.desc()), lambda row: kin.artifact(here, row))


def of_artifact(here: At, id_: str) -> list[Fan]:
    """The files that were made of an adapter, adapters on tuned weights, and the variants that are made of it."""
    meta = artifacts.c.meta
    of = (meta["adapter"].as_string() == id_) | (meta["base"]["sha256"].as_string() == id_)
    made = select(artifacts).where(of, artifacts.c.id != id_).order_by(artifacts.c.created.desc())
    ids = here.serving.get(id_, [])[::-1]
    steps = tuple(Step(to=kin.variant(here, one)) for one in here.few(ids))
    served = [Fan(kind="variant", steps=steps, count=len(ids))] if ids else []
    return [*fan(here, "artifact", made, lambda row: kin.artifact(here, row)), *served]


def of_variant(here: At, id_: str) -> list[Fan]:
    """The rows of the history of releases that name it, and what it answered."""
    answered = select(traces).where(traces.c.variant == id_).order_by(traces.c.created.desc())
    return [*releases_of(here, id_), *fan(here, "trace", answered, kin.trace)]


DOWN: Mapping[Kind, Callable[[At, str], list[Fan]]] = {
    "document": of_document,
    "user": of_user,
    "trace": of_trace,
    "feedback": of_feedback,
    "file": of_file,
    "case": of_case,
    "dataset": of_dataset,
    "run": of_run,
    "artifact": of_artifact,
    "variant": of_variant,
}


def shown_in(here: At, source: str) -> list[str]:
    """The traces for which passages of a document were read, as it is now; the newest first."""
    of = select(passages.c.public_id).join(documents).where(documents.c.source == source)
    with here.engine.connect() as connection:
        found = set(connection.scalars(of))
    return list(naming(here.engine, found)) if found else []


def naming(engine: Engine, passages_: set[str]) -> Iterator[str]:
    """The traces that name one of these passages, the newest first; every trace is looked through."""
    query = select(traces.c.id, cast(traces.c.spans, Text)).order_by(traces.c.created.desc())
    with engine.connect() as connection:
        for id_, spans in connection.execution_options(yield_per=500).execute(query):
            if _SHOWN.search(spans) and not passages_.isdisjoint(_SHOWN.findall(spans)):
                yield id_


def _cases(here: At, kind: origins.Kind, ref: str) -> list[Fan]:
    made = origins.made_of(here.engine, kind, [ref])
    steps = tuple(Step(to=kin.case(here, one.case), where=_where(one.detail)) for one in here.few(made))
    return [Fan(kind="case", steps=steps, count=len(made))] if made else []


def _where(detail: Mapping[str, Any]) -> str:
    span = detail.get("span")
    return f"characters {span[0]}–{span[1]}" if isinstance(span, list | tuple) and len(span) == 2 else ""
