"""Up: what a thing was made of. From an answer to its variant, weights, run and cases, and to what those are of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import Select, func, select

from gatewheel.data import origins
from gatewheel.kernel import trace as traces_
from gatewheel.kernel.store.learning import artifacts, dataset_cases, datasets
from gatewheel.kernel.store.schema import documents, feedback, passages, releases, runs, traces
from gatewheel.loop import kin, tainting
from gatewheel.loop.kin import At, Fan, Kind, Step

BATCH = 500  # values per IN list
PROMPTS = "its passages stood in prompts"  # where a document is in an adapter
ASKED = "read for the answer"  # where it is in a case whose trace is gone for its age


def of_trace(here: At, id_: str) -> list[Fan]:
    """The variant that answered, and the documents of which it was shown passages."""
    with here.engine.connect() as connection:
        row = connection.execute(select(traces.c.variant, traces.c.spans).where(traces.c.id == id_)).one_or_none()
    if row is None:
        return []
    found = [Fan(kind="variant", steps=(Step(to=kin.variant(here, row.variant)),), count=1)] if row.variant else []
    shown = [one for span in row.spans for one in span["attributes"].get(traces_.DOCUMENTS, ())]
    ids = [one["id"] for one in shown[:BATCH]]
    query = select(documents.c.source, documents.c.title, func.min(passages.c.start), func.max(passages.c.end))
    query = query.join(passages).where(passages.c.public_id.in_(ids)).group_by(documents.c.id)
    with here.engine.connect() as connection:
        read = connection.execute(query.order_by(documents.c.source)).all() if ids else []
    steps = [Step(to=kin.document(row[0], row[1]), where=_span(row[2:])) for row in read]
    # what it was shown then stands there no more, in these words or at this place
    gone = {str(one["source"]) for one in shown if "source" in one} - {row[0] for row in read}
    steps += [Step(to=one) for one in _documents(here, gone)]
    return [*found, *_fan("document", tuple(here.few(steps)), len(steps))]


def of_feedback(here: At, id_: str) -> list[Fan]:
    """The answer that it is about."""
    of = select(traces).join(feedback, feedback.c.trace == traces.c.id).where(feedback.c.id == id_)
    with here.engine.connect() as connection:
        return _fan("trace", tuple(Step(to=kin.trace(row)) for row in connection.execute(of)))


def of_variant(here: At, id_: str) -> list[Fan]:
    """The rows of the history of releases that name it, and the objects that its model is made of."""
    kept = (recipe for known, _, recipe in here.recipes if known == id_)
    made = [artifact for recipe in kept for artifact in tainting.weights_of(recipe)]
    return [*releases_of(here, id_), *_artifacts(here, made)]


def of_artifact(here: At, id_: str) -> list[Fan]:
    """The adapter that a file was made of; of an adapter its run, or its data where there is none.

    With what that began from, a tuned base or another adapter, and documents of which passages stood in its prompts.
    """
    with here.engine.connect() as connection:
        row = connection.execute(select(artifacts).where(artifacts.c.id == id_)).one_or_none()
    if row is None:
        return []
    parent = _artifacts(here, [str(row.meta["adapter"])]) if row.meta.get("adapter") else []
    if parent and row.kind != "adapter":
        return parent
    base = _artifacts(here, [str(row.meta.get("base", {}).get("sha256", ""))])
    shown = sorted(row.meta.get("shown", ()))
    steps = tuple(Step(to=one, where=PROMPTS) for one in _documents(here, here.few(shown)))
    above = [*parent, *base, *_fan("document", steps, len(shown))]
    if row.run and (found := _runs(here, [row.run])):
        return [*found, *above]
    return [*_datasets(here, sorted(_learned(row.meta))), *above]


def of_run(here: At, id_: str) -> list[Fan]:
    """The dataset versions that it learned from."""
    with here.engine.connect() as connection:
        made = connection.scalars(select(artifacts.c.meta).where(artifacts.c.run == id_)).all()
        result = connection.scalar(select(runs.c.result).where(runs.c.id == id_))
    named = {dataset for meta in made for dataset in _learned(meta)}
    if isinstance(result, Mapping) and result.get("dataset"):
        named.add(str(result["dataset"]))
    return _datasets(here, sorted(named))


def _learned(meta: Mapping[str, Any]) -> set[str]:
    """The versions that an adapter learned from, or was validated on."""
    return {str(meta[key]) for key in ("dataset", "validation") if meta.get(key)}


def of_dataset(here: At, id_: str) -> list[Fan]:
    """Its cases, the first ones where not all are asked for."""
    count = select(func.count()).select_from(dataset_cases).where(dataset_cases.c.dataset == id_)
    with here.engine.connect() as connection:
        number = int(connection.execute(count).scalar_one())
    keys = here.first_cases(id_) if number else []
    return _fan("case", tuple(Step(to=kin.case(here, key)) for key in keys), number)


def of_case(here: At, id_: str) -> list[Fan]:
    """The traces, what people said, the spans of documents and the files that it was made of."""
    found: dict[Kind, list[origins.Origin]] = {}
    for one in origins.of(here.engine, [id_]).get(id_, []):
        found.setdefault(one.kind, []).append(one)
    gone = _gone(here, found.get("trace", []))
    read = {str(source) for one in gone for source in one.detail.get(origins.DOCUMENTS, ())}
    read -= {one.ref for one in found.get("document", [])}
    fans = [
        Fan(kind=kind, steps=tuple(_origin(here, one) for one in here.few(some)), count=len(some))
        for kind, some in found.items()
    ]
    steps = tuple(Step(to=one, where=ASKED) for one in _documents(here, here.few(sorted(read))))
    return [*fans, *_fan("document", steps, len(read))]


def releases_of(here: At, variant: str) -> list[Fan]:
    """The rows of the history of releases that name a variant, the newest first."""
    of = select(releases).where(releases.c.variant == variant).order_by(releases.c.number.desc())
    return fan(here, "release", of, kin.release)


def fan(here: At, kind: Kind, query: Select[Any], made: Callable[[Any], kin.Node]) -> list[Fan]:
    """What a query finds, as far as it is listed, with how much that is in all."""
    with here.engine.connect() as connection:
        rows = connection.execute(query.limit(here.most + 1) if here.most else query).all()
        number = len(rows)
        if here.most and number > here.most:
            counted = select(func.count()).select_from(query.order_by(None).subquery())
            number = int(connection.execute(counted).scalar_one())
    return _fan(kind, tuple(Step(to=made(row)) for row in here.few(rows)), number)


UP: Mapping[Kind, Callable[[At, str], list[Fan]]] = {
    "trace": of_trace,
    "feedback": of_feedback,
    "variant": of_variant,
    "artifact": of_artifact,
    "run": of_run,
    "dataset": of_dataset,
    "case": of_case,
}


def _fan(kind: Kind, steps: tuple[Step, ...], count: int | None = None) -> list[Fan]:
    return [Fan(kind=kind, steps=steps, count=len(steps) if count is None else count)] if steps or count else []


def _artifacts(here: At, ids: list[str]) -> list[Fan]:
    query = select(artifacts).where(artifacts.c.id.in_(ids[:BATCH])).order_by(artifacts.c.created)
    return fan(here, "artifact", query, lambda row: kin.artifact(here, row))


def _runs(here: At, ids: list[str]) -> list[Fan]:
    return fan(here, "run", select(runs).where(runs.c.id.in_(ids)).order_by(runs.c.created), kin.run)


def _datasets(here: At, ids: list[str]) -> list[Fan]:
    query = select(datasets).where(datasets.c.id.in_(ids)).order_by(datasets.c.created)
    return fan(here, "dataset", query, lambda row: kin.dataset(here, row))


def _documents(here: At, sources: Collection[str]) -> list[kin.Node]:
    """Documents by their sources, those among them that are in the index no more."""
    every = sorted(sources)
    titles: dict[str, str] = {}
    with here.engine.connect() as connection:
        for at in range(0, len(every), BATCH):
            some = select(documents.c.source, documents.c.title).where(documents.c.source.in_(every[at : at + BATCH]))
            titles |= {source: title for source, title in connection.execute(some)}
    return [kin.document(one, titles.get(one, ""), here=one in titles) for one in every]


def _gone(here: At, made: list[origins.Origin]) -> list[origins.Origin]:
    """Those of these traces that are no more."""
    there: set[str] = set()
    with here.engine.connect() as connection:
        for at in range(0, len(made), BATCH):
            some = traces.c.id.in_([one.ref for one in made[at : at + BATCH]])
            there |= {*connection.scalars(select(traces.c.id).where(some))}
    return [one for one in made if one.ref not in there]


def _origin(here: At, one: origins.Origin) -> Step:
    table: Any = {"trace": traces, "feedback": feedback, "document": documents}.get(one.kind)
    if table is None:
        return Step(to=kin.Node(kind="file", id=one.ref, label=one.ref), where=str(one.detail.get("line", "")))
    by = table.c.source if one.kind == "document" else table.c.id
    with here.engine.connect() as connection:
        row = connection.execute(select(table).where(by == one.ref)).one_or_none()
    if one.kind == "document":
        title = row.title if row else ""
        return Step(to=kin.document(one.ref, title, here=row is not None), where=_span(one.detail.get("span")))
    if row is None:
        return Step(to=kin.Node(kind=one.kind, id=one.ref, label="it is gone"))
    return Step(to=kin.trace(row) if one.kind == "trace" else kin.feedback(row))


def _span(span: Any) -> str:
    return f"characters {span[0]}–{span[1]}" if isinstance(span, list | tuple) and len(span) == 2 else ""
