"""Tunes the model of an application on frozen cases: what the application would tell it, and what is right to say then.

As a Run: killed at any moment it goes on from its last checkpoint, stopped it keeps the best adapter so far.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, TypeAdapter

from gatewheel.data import datasets, suites
from gatewheel.data.datasets import Dataset
from gatewheel.kernel import runs
from gatewheel.kernel.config import Table, checked
from gatewheel.kernel.errors import Cancelled, ConfigError, UserError, did_you_mean
from gatewheel.kernel.example import Example
from gatewheel.loop import (
    artifacts,
    beginning,
    begun,
    client_files,
    ending,
    fitting,
    pedigree,
    validating,
    wording,
)
from gatewheel.loop.adding import LOCAL
from gatewheel.loop.compose import Parts
from gatewheel.loop.exporting import place_of
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.recipes import words
from gatewheel.loop.serving import as_served
from gatewheel.models import adapters

if TYPE_CHECKING:
    from gatewheel.finetune.method import Point
    from gatewheel.finetune.preflight import Preflight

OnProgress = Callable[[Any], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to tune: `data` is a suite for training or a file of the tuning API, which is frozen, or a dataset version.

    `app` is the application that words each case; with "" the model of `base` alone is told it as it stands.
    `table` is a [finetune.*], whose settings `changes` overrides. `base` is another [model.*] than the application's.
    `validation` is data as `data` is, to look at between steps; with "" a share of the other is, as the settings say.
    `begins` is the id of an adapter that it goes on from.
    """

    data: str
    table: str = "lora"
    app: str = "main"
    base: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    validation: str = ""
    begins: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a tuning came to. `adapter` is the id of the artifact, `without` counts cases that were left out.

    `reasons` say of how many of these why, in words. `tuned` is what the trainer says of it: steps, losses, why it
    ended, what to do about it.
    """

    adapter: str
    dataset: str
    app: str
    base: str
    examples: int
    without: int
    tuned: Mapping[str, Any]
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a tuning is, in steps; `point` is what the trainer says of this moment."""

    target: str
    done: int
    total: int
    known: int
    errors: int
    rate: float
    left: float | None
    point: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """All that a tuning starts from. `said` names the base as the file does, `path` is where its weights lie.

    `validation` is the version that is only looked at, if there is one; `near` says where it comes near to the other.
    `reasons` say of the cases `without` an example why; of the documents `shown` a passage stands in some prompt.
    `begins` is the id of an adapter that it goes on from, if there is one.
    """

    dataset: Dataset
    validation: Dataset | None
    near: str
    examples: tuple[Example, ...]
    without: int
    said: str
    path: Path
    use: str
    settings: BaseModel
    reasons: Mapping[str, int] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    begins: str = ""


def tune(
    parts: Parts, wanted: Wanted, *, run: str, on_progress: OnProgress = lambda _: None, foreseen: bool = False
) -> Made:
    """Tune, and keep the adapter as an artifact. What cannot fit is refused first, unless that is `foreseen` to fit.

    Raises UserError for data that there is not, that is tainted or held out, ConfigError for settings and for models
    that run elsewhere, MissingPart without torch, ModelError for weights of another family.
    """
    from gatewheel.finetune.method import Point

    place, scale = runs.folder(parts.config.state, run), parts.config.scale
    (place / ending.KEEP).unlink(missing_ok=True)  # of the attempt before
    fitting.untold(scale)
    begun.refuse_forgotten(parts, run)
    kept = begun.kept(parts, run)
    lesson = Lesson(**kept) if kept else lesson_of(parts, begun.again(parts, run, wanted), say=parts.say)
    method = beginning.method(parts, lesson)
    notes = Notebook(parts.config.state, run, "points")
    if not foreseen and not (place / "tuning").exists():
        fitting.refuse(fitting.seen(lesson, scale))
    begun.keep(parts, run, lesson)
    if lesson.near:
        notes.keep("near 0", {**asdict(Point(phase="reading", told=lesson.near)), "at": time.time()})
    with ending.asked() as stopping:

        def watch(point: Point) -> bool:
            if stopping.is_set():
                raise Cancelled("stopped; the last checkpoint stays")
            if point.phase != "reading":
                notes.keep(f"{point.phase} {point.step}", {**asdict(point), "at": time.time()})
            on_progress(_progress(wanted, point))
            return point.step > 0 and (place / ending.KEEP).exists()

        done = method.train(lesson.path, lesson.examples, folder=place / "tuning", watch=watch, scale=scale)
    made_of = pedigree.of(lesson, app=wanted.app)
    meta = {**made_of, "tuned": pedigree.told(done, samples=False)}
    with pedigree.marked(done.adapter / adapters.WEIGHTS, made_of) as file:
        made = artifacts.keep(parts.engine, parts.objects, file, kind="adapter", run=run, meta=meta)
    begun.done(parts, run)
    return Made(
        adapter=made.id,
        dataset=lesson.dataset.id,
        app=wanted.app,
        base=lesson.said,
        examples=len(lesson.examples),
        without=lesson.without,
        tuned=pedigree.told(done),
        reasons=lesson.reasons,
    )


def foresee(parts: Parts, wanted: Wanted) -> tuple[Lesson, Preflight | None]:
    """What a tuning would take, from a short probe; nothing is kept but the frozen data. Raises what `tune` raises.

    None where a look at this machine says nothing of it, as `fitting.untold` says why.
    """
    fitting.untold(parts.config.scale)
    lesson = lesson_of(parts, wanted, say=parts.say)
    return lesson, fitting.seen(lesson, parts.config.scale)


def refuse_unknown(parts: Parts, wanted: Wanted) -> None:
    """Raises at once what `tune` would raise of names and settings."""
    fitting.untold(parts.config.scale)
    table, base = settings_of(parts, wanted), cast("Any", base_table(parts, wanted).settings)
    if wanted.begins:
        beginning.file(parts, wanted.begins, table.settings, place_of(parts.objects, str(base.weights)))
    for named in (wanted.data, *filter(None, [wanted.validation])):
        _refuse_unknown_data(parts, named)
    if wanted.validation and wanted.validation == wanted.data:
        what = f"'{wanted.data}' is both what is learned and what it is validated on"
        raise UserError(what, cure="name other data to validate on, or none: then a share is kept for that")


def _refuse_unknown_data(parts: Parts, named: str) -> None:
    if client_files.ID.fullmatch(named):
        client_files.of_id(parts.engine, named)
    elif named not in (known := suites.names(parts.config.root)):
        try:
            datasets.find(parts.engine, named)
        except UserError as error:
            cure = f"{did_you_mean(named, known)}; or name a dataset version"
            raise UserError(f"no suite or dataset '{named}' ({error.what})", cure=cure) from None


def settings_of(parts: Parts, wanted: Wanted) -> Table:
    """`[finetune.<table>]` with the changes. Raises ConfigError."""
    table = parts.config.table("finetune", wanted.table)
    said = {**table.settings.model_dump(exclude_unset=True), **wanted.changes}
    where = f"{parts.config.path.name}: [finetune.{table.name}]"
    return replace(table, settings=checked(type(table.settings), said, where))


def base_table(parts: Parts, wanted: Wanted) -> Table:
    """The [model.*] to tune. Raises ConfigError for one whose weights are not here."""
    base = wanted.base
    if wanted.app or not base:
        app: Any = parts.config.table("app", wanted.app).settings
        base = base or app.model
    table = parts.config.table("model", base)
    if table.use not in LOCAL:
        where = f"{parts.config.path.name}: [model.{table.name}] use"
        cure = f"name a local one with --base; they are: {', '.join(_local(parts)) or 'none'}"
        raise ConfigError(f"{where}: '{table.use}' runs elsewhere, and weights must be here to be tuned", cure=cure)
    return table


def lesson_of(parts: Parts, wanted: Wanted, *, say: Callable[[str], None]) -> Lesson:
    """Freeze the data, and word every case as the application would put it to its model."""
    table, model = settings_of(parts, wanted), base_table(parts, wanted)
    dataset, cases = wording.read(parts, wanted.data, say)
    validation, looked = wording.read(parts, wanted.validation, say) if wanted.validation else (None, ())
    near = validating.apart(parts, cases, looked) if looked else ""
    drawn = set() if looked else validating.drawn(cases, table.settings)
    with as_served(parts) as served:
        learned, beside = (wording.worded(served, wanted.app, some) for some in (cases, looked))
    examples = [replace(one, validates=one.group in drawn) for one in learned.examples]
    kept = [replace(one, validates=True) for one in beside.examples]
    taught = [one for one in examples if not one.validates]
    for name, some, found, why in (
        (dataset.name, cases, taught, {**learned.reasons, "they are kept to validate on": len(examples)}),
        (wanted.validation, looked, kept, beside.reasons),
    ):
        if some and not found:
            told = "; ".join(f"of {count} {reason}" for reason, count in why.items() if count)
            what = f"none of the {len(some)} cases of {name} can be learned from: {told}"
            raise UserError(what, cure="give them references or a label, and sources that retrieval finds")
    said: Any = model.settings
    reasons = Counter(learned.reasons) + Counter(beside.reasons)
    return Lesson(
        dataset=dataset,
        validation=validation,
        near=near,
        examples=(*examples, *kept),
        without=reasons.total(),
        said=str(words(model)["weights"]),
        path=place_of(parts.objects, str(said.weights)),
        use=table.use,
        settings=table.settings,
        reasons=dict(reasons),
        shown=tuple(sorted({*learned.shown, *beside.shown})),
        begins=wanted.begins,
    )


def run_of(parts: Parts, made: Made) -> str:
    """The run that made it."""
    return artifacts.get(parts.engine, made.adapter).run


def of_result(plain: Any) -> Made:
    """What a run of a tuning left as its result."""
    return TypeAdapter(Made).validate_python(plain)


def _local(parts: Parts) -> list[str]:
    return [name for name in parts.config.names("model") if parts.config.table("model", name).use in LOCAL]


def _progress(wanted: Wanted, point: Point) -> Progress:
    return Progress(
        target=f"{wanted.table} of {wanted.app or wanted.base}, {point.phase}",
        done=point.step,
        total=point.steps,
        known=0,
        errors=0,
        rate=point.tokens_per_second,
        left=point.seconds_left,
        point=asdict(point),
    )
