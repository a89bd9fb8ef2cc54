"""Down: what came of a thing. From a document, or from what somebody said, to every answer that rests on it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Engine, Text, cast, select

from gatewheel.data import origins
from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Trace
from gatewheel.kernel.store.learning import artifacts, dataset_cases, datasets
from gatewheel.kernel.store.schema import documents, feedback, passages, runs, traces
from gatewheel.loop import kin
from gatewheel.loop.kin import At, Fan, Kind, Step
from gatewheel.loop.made_of import BATCH, PROMPTS, fan, releases_of

# as a trace names a passage, formerly without its source; read as JSON it takes ten times as long
_SHOWN = re.compile(r'"id": ?"([0-9a-f]{16})"(?:, ?"source": ?"((?:[^"\\]|\\.)*)")?')

# a passage in a prompt that names its source: number and source, in brackets or quotes, at the beginning of a line
_NUMBERED = re.compile(
    r"""^[ \t]*\[(\d+)\][ \t]*(?:\(([^()\n]+)\)|\[([^\[\]\n]+)\]|<([^<>\n]+)>|"([^"\n]+)")""", re.MULTILINE
)


def of_document(here: At, source: str) -> list[Fan]:
    """The cases that were made of it, what learned while it was shown, and the answers for which it was read."""
    shown = shown_in(here, source)
    some = list(here.few(shown))[:BATCH] if here.most else shown
    steps: list[Step] = []
    for at in range(0, len(some), BATCH):
        rows = select(traces).where(traces.c.id.in_(some[at : at + BATCH])).order_by(traces.c.created.desc())
        with here.engine.connect() as connection:
            steps += [Step(to=kin.trace(row)) for row in connection.execute(rows)]
    answers = [Fan(kind="trace", steps=tuple(steps), count=len(shown))] if shown else []
    return [*_cases(here, "document", source), *_taught(here, source), *answers]


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
    """The traces for which passages of a document were read; the newest first."""
    of = select(passages.c.public_id).join(documents).where(documents.c.source == source)
    with here.engine.connect() as connection:
        found = set(connection.scalars(of))
    return list(naming(here.engine, found, lambda one: one == source))


def naming(engine: Engine, passages_: Collection[str], meant: Callable[[str], bool]) -> Iterator[str]:
    """The traces that name one of these passages, or a document that is `meant`, the newest first.

    Every trace is looked through. Those of former versions name passages alone.
    """
    for id_, named in shown(engine):
        if any(one in passages_ or (source and meant(source)) for one, source in named):
            yield id_


def shown(engine: Engine) -> Iterator[tuple[str, set[tuple[str, str]]]]:
    """Every trace, the newest first, with the passages that it names and their sources, "" where none is named."""
    query = select(traces.c.id, cast(traces.c.spans, Text)).order_by(traces.c.created.desc())
    read = cache(lambda source: json.loads(f'"{source}"'))
    with engine.connect() as connection:
        for id_, spans in connection.execution_options(yield_per=500).execute(query):
            yield id_, {(one, read(source)) for one, source in _SHOWN.findall(spans)}


def unsourced(engine: Engine) -> list[str]:
    """The traces of former versions that name passages which are no more: nobody knows of which document these were."""
    named = {id_: {one for one, source in found if not source} for id_, found in shown(engine)}
    every, here = sorted(set().union(*named.values())), set[str]()
    with engine.connect() as connection:
        for at in range(0, len(every), BATCH):
            some = passages.c.public_id.in_(every[at : at + BATCH])
            here |= {*connection.scalars(select(passages.c.public_id).where(some))}
    return [id_ for id_, found in named.items() if found - here]


def prompted(made: Trace) -> set[str]:
    """The documents that the prompts of a trace name as the sources of their passages, where that is certain.

    It is where the passages are numbered from 1: else a passage, or whoever asked, quotes a prompt.
    """
    found: set[str] = set()
    for span in made.spans:
        messages = span.attributes.get(trace.INPUT_MESSAGES) or ()
        read = "\n".join(text for message in messages[-1:] for text in _texts(message.get("parts")))
        if made.question:
            read = read.replace(made.question, "")
        named = [(int(number), "".join(sources)) for number, *sources in _NUMBERED.findall(read)]
        if [number for number, _ in named] == [*range(1, len(named) + 1)]:
            found |= {source for _, source in named}
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(value.get("content"))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _taught(here: At, source: str) -> list[Fan]:
    """What learned from prompts in which passages of a document stood."""
    with here.engine.connect() as connection:
        rows = connection.execute(select(artifacts).order_by(artifacts.c.created.desc())).all()
    taught = [row for row in rows if source in row.meta.get("shown", ())]
    steps = tuple(Step(to=kin.artifact(here, row), where=PROMPTS) for row in here.few(taught))
    return [Fan(kind="artifact", steps=steps, count=len(taught))] if taught else []


def _cases(here: At, kind: origins.Kind, ref: str) -> list[Fan]:
    made = origins.made_of(here.engine, kind, [ref])
    if kind == "document":
        known = {one.case for one in made}
        harvested = [one for one in origins.shown(here.engine, ref) if ref in one.detail[origins.DOCUMENTS]]
        made += {one.case: one for one in harvested if one.case not in known}.values()
    steps = tuple(Step(to=kin.case(here, one.case), where=_where(one.detail)) for one in here.few(made))
    return [Fan(kind="case", steps=steps, count=len(made))] if made else []


def _where(detail: Mapping[str, Any]) -> str:
    span = detail.get("span")
    return f"characters {span[0]}–{span[1]}" if isinstance(span, list | tuple) and len(span) == 2 else ""
