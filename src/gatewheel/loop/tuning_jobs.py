"""Jobs of the tuning API: each is a run of the kind finetune on a file, which makes a model of its own name.

What a job wanted stands in the run's settings under `job`, who wanted it under `payer`.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine

from gatewheel.kernel import runs
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.kernel.runs import Run
from gatewheel.loop import beginning, begun, client_files, tuned_models, tuning
from gatewheel.loop.compose import Parts
from gatewheel.loop.exporting import place_of
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.running import PAUSED
from gatewheel.loop.tuned_models import PREFIX, TunedModel

TABLE = "lora"  # whose settings a job starts from
RESULTS = "step_metrics.csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a client wants. `model` is the name that it used, `base` the [model.*] behind it; None: as the file says.

    `begins` is the adapter of a model that was tuned before, to go on from; unless that is `open` to all who may ask,
    what is made is not either.
    """

    model: str
    base: str
    file: str
    validation: str = ""
    begins: str = ""
    open: bool = True
    suffix: str = ""
    seed: int | None = None
    n_epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened; `data` are figures, where it has some."""

    key: str
    created: float
    level: Literal["info", "warn", "error"]
    message: str
    data: Mapping[str, Any] | None = None


def settled(parts: Parts, asked: Asked, caller: Caller) -> tuple[tuning.Wanted, dict[str, Any]]:
    """What to tune, and the job as its run keeps it.

    Raises ConfigError for settings that cannot be and a model that runs elsewhere, UserError for a file that is gone.
    """
    own: Any = parts.config.table("finetune", TABLE).settings
    multiplier = asked.learning_rate_multiplier
    said = {
        "epochs": asked.n_epochs,
        "steps": 0 if asked.n_epochs is not None and own.steps else None,  # or they would count instead
        "batch": asked.batch_size,
        "learning_rate": own.learning_rate * multiplier if multiplier is not None else None,
        "seed": asked.seed,
    }
    changes = {key: value for key, value in said.items() if value is not None}
    wanted = tuning.Wanted(
        data=asked.file,
        table=TABLE,
        app="",
        base=asked.base,
        changes=changes,
        validation=asked.validation,
        begins=asked.begins,
    )
    tuning.refuse_unknown(parts, wanted)
    settings: Any = tuning.settings_of(parts, wanted).settings
    hyperparameters = {
        "n_epochs": "auto" if settings.steps else settings.epochs,
        "batch_size": settings.batch,
        "learning_rate_multiplier": 1.0 if multiplier is None else multiplier,
    }
    job = {
        **{key: value for key, value in asdict(asked).items() if key not in hyperparameters},
        "seed": settings.seed,
        "hyperparameters": hyperparameters,
        "open": caller.groups is None and asked.open,
    }
    return wanted, job


def refuse_base(parts: Parts, asked: Asked) -> None:
    """Raises UserError for a model that runs elsewhere, and a tuned one that cannot be gone on from by the settings.

    What it says is for a client, who can set nothing here.
    """
    wanted = tuning.Wanted(data="", table=TABLE, app="", base=asked.base)
    base: Any = tuning.base_table(parts, wanted).settings
    settings = tuning.settings_of(parts, wanted).settings
    try:
        beginning.file(parts, asked.begins, settings, place_of(parts.objects, str(base.weights)))
    except UserError as error:
        what = f"'{asked.model}' cannot be tuned further: {error.what}; tune '{asked.base}' instead"
        raise UserError(what, cure="that begins anew") from None


def tune(parts: Parts, wanted: tuning.Wanted, *, run: str, on_progress: tuning.OnProgress) -> tuning.Made:
    """Tune for a job, once: what is killed while its model is published goes on with that, also when it was to stop.

    Raises what `tuning.tune` raises.
    """
    notes = Notebook(parts.config.state, run, "made")
    if "made" in notes:
        begun.refuse_forgotten(parts, run)
    else:
        notes.keep("made", asdict(tuning.tune(parts, wanted, run=run, on_progress=on_progress)))
    return tuning.of_result(notes["made"])


def publish(parts: Parts, job: Mapping[str, Any], adapter: str, *, run: str, key: str) -> None:
    """What a job leaves behind for its clients: the model by its name, and a file with its figures.

    Doing it again makes what is missing.
    """
    kind = tuned_models.kind_of(parts, adapter, job["base"])
    model = TunedModel(
        name=name_of(run, job),
        key=key,
        open=job["open"],
        created=time.time(),
        run=run,
        adapter=adapter,
        model=job["base"],
        kind=kind,
    )
    tuned_models.keep(parts, model)
    content = io.BytesIO(_table(points(parts.config.state, run)).encode())
    client_files.keep(parts.engine, parts.objects, content, name=RESULTS, key=key, run=run)


def of(engine: Engine, caller: Caller) -> list[Run]:
    """The jobs of a caller, the newest first."""
    return [run for run in runs.recent(engine, limit=None, kind="finetune") if _is_of(run, caller)]


def find(engine: Engine, id_: str, caller: Caller) -> Run | None:
    """A job of a caller by the whole id of its run."""
    try:
        run = runs.get(engine, id_)
    except UserError:
        return None
    return run if run.id == id_ and _is_of(run, caller) else None


def is_job(run: Run) -> bool:
    """Whether a run is a job of the tuning API."""
    return run.kind == "finetune" and "job" in run.settings


def is_paused(run: Run) -> bool:
    """Whether a job waits for its client to resume it; any other that was interrupted waits for its turn."""
    return run.state == "interrupted" and run.error == PAUSED


def name_of(run: str, job: Mapping[str, Any]) -> str:
    """The name of the model that a job makes."""
    return f"{PREFIX}{job['base']}:{job['suffix']}:{run}"


def points(state: Path, run: str) -> dict[str, dict[str, Any]]:
    """What the trainer said, by phase and step, in its order."""
    return dict(Notebook(state, run, "points").known)


def events(run: Run, said: Mapping[str, Mapping[str, Any]]) -> list[Event]:
    """All that happened in a job, the newest first; `said` are its points."""
    return [*_events(run, said)][::-1]


def best(run: Run, said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The figures of the step whose pairs are kept, once there is a model."""
    if run.state != "done":
        return None
    tuned = run.result["tuned"]
    step, losses = tuned["best_step"], tuned["validation"]
    loss = said.get(f"learning {step}", {}).get("loss")
    return {"step": step, "train_loss": loss, "valid_loss": losses[1] if losses else None}


def _is_of(run: Run, caller: Caller) -> bool:
    return is_job(run) and run.settings.get("payer") == caller.key


def _events(run: Run, said: Mapping[str, Mapping[str, Any]]) -> Iterator[Event]:
    job = run.settings["job"]
    yield Event(key="created", created=run.created, level="info", message=f"Created fine-tuning job: ftjob-{run.id}")
    begun = min([point["at"] for point in said.values()], default=run.started)
    if begun is not None:
        began = min(begun, run.started or begun)
        yield Event(key="started", created=began, level="info", message=f"Validating training file: {job['file']}")
        if other := job.get("validation"):
            yield Event(key="looking", created=began, level="info", message=f"Validating validation file: {other}")
    for key, point in said.items():
        yield _told(key, point)
    ended = run.ended or time.time()
    match run.state:
        case "done":
            message = f"New fine-tuned model created: {name_of(run.id, job)}"
            yield Event(key="model", created=ended, level="info", message=message)
            yield Event(key="done", created=ended, level="info", message="The job has successfully completed")
        case "failed":
            yield Event(key="failed", created=ended, level="error", message=run.why)
        case "cancelled":
            yield Event(key="cancelled", created=ended, level="warn", message="The job was cancelled")
        case "interrupted":
            why = f": {run.error}" if run.error else ""
            message = "The job waits to be resumed" if is_paused(run) else "The job goes on when its turn comes"
            yield Event(key="paused", created=ended, level="warn", message=f"{message}{why}")


def _told(key: str, point: Mapping[str, Any]) -> Event:
    place = f"Step {point['step']}/{point['steps']}"
    figures = {name: point[ours] for name, ours in _FIGURES.items() if point[ours] is not None}
    message = point["told"] or place
    if point["loss"] is not None:
        message = f"{place}: training loss={point['loss']:.2f}"
    elif point["validation"] is not None:
        message = f"{place}: validation loss={point['validation']:.2f}"
    data = figures if len(figures) > 2 else None
    level: Literal["info", "warn"] = "warn" if key.startswith("near") else "info"
    return Event(key=key.replace(" ", "-"), created=point["at"], level=level, message=message, data=data)


_FIGURES = {"step": "step", "total_steps": "steps", "train_loss": "loss", "valid_loss": "validation"}


def _table(said: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of each step as CSV, as OpenAI names them."""
    rows: dict[int, dict[str, Any]] = {}
    for point in said.values():
        row = rows.setdefault(point["step"], {"step": point["step"]})
        row |= {name: point[ours] for name, ours in _FIGURES.items() if name[-4:] == "loss" and point[ours] is not None}
    out = io.StringIO()
    writer = csv.DictWriter(out, ("step", "train_loss", "valid_loss"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[step] for step in sorted(rows))
    return out.getvalue()
