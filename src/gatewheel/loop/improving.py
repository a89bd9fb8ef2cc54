"""One turn of the wheel: what people said becomes cases, cases an adapter, the adapter a variant before its gate.

As a Run of five steps, each done once: killed or stopped it goes on with the step that it was at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from gatewheel.data import suites
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Variant
from gatewheel.loop import (
    adding,
    artifacts,
    begun,
    fitting,
    gating,
    harvesting,
    pedigree,
    releasing,
    tainting,
    tuning,
    variants,
)
from gatewheel.loop.artifacts import Artifact
from gatewheel.loop.compose import Parts
from gatewheel.loop.exporting import USUAL
from gatewheel.loop.nearness import encoder_of
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.progress import Watching
from gatewheel.loop.trial import opened
from gatewheel.ops import releases

STEPS = ("harvest", "tune", "export", "gate", "propose")
SHARE = 0.6  # of the budget for learning; the rest is for exporting and asking
FEWEST = 8  # steps of learning that are worth a turn
OnProgress = Callable[[Any], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which application to improve, by what. `gate` empty is its own, `data` empty is that gate's suite with -train.

    `since` and `where` say what of the feedback is harvested; `budget` is in seconds of this machine.
    """

    app: str = "main"
    data: str = ""
    gate: str = ""
    table: str = "lora"
    since: float = 0.0
    where: str = harvesting.WHERE
    budget: float = 1800.0
    kind: str = USUAL
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Improved:
    """What a turn came to. `proposed` is the row in the history of releases, None where the gate did not let it pass.

    `harvested` counts new cases, `examples` those that were learned; `reasons` tell each rule of the gate in words.
    `file` is the artifact that the variant is served from.
    """

    app: str
    gate: str
    data: str
    harvested: int
    examples: int
    dataset: str
    adapter: str
    variant: str
    outcome: str
    reasons: tuple[str, ...]
    reports: tuple[str, ...]
    proposed: int | None
    seconds: float
    file: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Where a turn is: which step of how many, with what the step itself says in `point`."""

    target: str
    done: int
    total: int
    known: int
    errors: int
    rate: float
    left: float | None
    step: str
    point: Mapping[str, Any]


def improve(parts: Parts, wanted: Wanted, *, run: str, on_progress: OnProgress = lambda _: None) -> Improved:
    """Turn the wheel once, and propose what passed its gate.

    Raises ConfigError without a gate, UserError where there is nothing to learn from, or no time for it, and what the
    steps raise.
    """
    began = time.monotonic()
    begun.refuse_forgotten(parts, run)
    wanted = settled(parts, wanted)
    notes = Notebook(parts.config.state, run, "steps")

    def step(name: str, do: Callable[[OnProgress], dict[str, Any]]) -> dict[str, Any]:
        if name not in notes:
            tell = _telling(name, on_progress)
            tell(None)
            notes.keep(name, do(tell))
        found: dict[str, Any] = notes[name]
        return found

    brought = step("harvest", lambda _: _harvest(parts, wanted))
    learned = step("tune", lambda tell: _tune(parts, wanted, run, tell))
    kept = step("export", lambda _: _export(parts, wanted, learned["adapter"]))
    said = step("gate", lambda tell: _gate(parts, wanted, kept["variant"], run, tell))
    row = step("propose", lambda _: _propose(parts, wanted, kept["variant"], said["outcome"], run))
    return Improved(
        app=wanted.app,
        gate=wanted.gate,
        data=wanted.data,
        harvested=brought["added"],
        examples=learned["examples"],
        dataset=learned["dataset"],
        adapter=learned["adapter"],
        variant=kept["variant"],
        outcome=said["outcome"],
        reasons=tuple(said["reasons"]),
        reports=tuple(said["reports"]),
        proposed=row["row"],
        seconds=round(time.monotonic() - began, 1),
        file=kept.get("file", ""),
    )


def settled(parts: Parts, wanted: Wanted) -> Wanted:
    """What is wanted with every name filled in. Raises ConfigError without a gate, or for names that there are not."""
    parts.config.table("app", wanted.app)
    fitting.untold(parts.config.scale)
    tuning.settings_of(parts, tuning.Wanted(data="", table=wanted.table, changes=wanted.changes))
    tuning.base_table(parts, tuning.Wanted(data="", app=wanted.app))
    gates = releasing.gates_of(parts.config, wanted.app)
    if not gates:
        what = f"{parts.config.path.name}: no gate guards [app.{wanted.app}]"
        raise ConfigError(
            what, cure=f'write [gate.{wanted.app}] with suite = "…" and better = {{ … }}; see docs/gate.md'
        )
    gate = wanted.gate or next((one for one in gates if one in ("main", wanted.app)), gates[0])
    _, suite = opened(parts.config, gate)
    return replace(wanted, gate=gate, data=wanted.data or f"{suite.name}-train")


def of_result(plain: Any) -> Improved:
    """What a run of a turn left as its result."""
    return TypeAdapter(Improved).validate_python(plain)


def _harvest(parts: Parts, wanted: Wanted) -> dict[str, Any]:
    said = harvesting.Wanted(to=wanted.data, since=wanted.since, where=wanted.where, app=wanted.app)
    done = harvesting.harvest(parts, said, encoder=encoder_of(parts, tell=parts.say))
    if wanted.data not in suites.names(parts.config.root):
        what = f"nobody corrected an answer of [app.{wanted.app}], and there is no suite {wanted.data}"
        raise UserError(what, cure="correct answers (`gatewheel feedback give`), or import cases with --split train")
    return {"added": done.added, "traces": done.traces}


def _tune(parts: Parts, wanted: Wanted, run: str, tell: OnProgress) -> dict[str, Any]:
    asked = tuning.Wanted(data=wanted.data, table=wanted.table, app=wanted.app, changes=wanted.changes)
    if not begun.has(parts, run):  # how many steps there is time for is found once
        lesson = tuning.lesson_of(parts, asked, say=parts.say)
        if known := learned(parts, wanted.app, lesson):
            parts.say(f"adapter {known.id[:12]} learned just that before")
            return {"adapter": known.id, "dataset": lesson.dataset.id, "examples": known.meta["tuned"]["examples"]}
        seen = fitting.seen(lesson, parts.config.scale)
        fitting.refuse(seen)
        asked = replace(asked, data=lesson.dataset.id)
        if seen and (steps := _within(seen.steps, seen.seconds, wanted.budget * SHARE)) < seen.steps:
            asked = replace(asked, changes={**wanted.changes, "steps": steps})
    made = tuning.tune(parts, asked, run=run, on_progress=tell, foreseen=True)
    return {"adapter": made.adapter, "dataset": made.dataset, "examples": made.tuned["examples"]}


def _within(steps: int, seconds: float, budget: float) -> int:
    """As many steps as there is time for. Raises UserError for too few."""
    fit = steps if seconds <= budget else int(steps * budget / seconds)
    if fit < min(FEWEST, steps):
        what = f"{steps} steps of learning would take {seconds / 60:.0f} min, and there are {budget / 60:.0f}"
        raise UserError(what, cure="raise --budget, or learn from fewer or shorter cases")
    return fit


def learned(parts: Parts, app: str, lesson: tuning.Lesson) -> Artifact | None:
    """An adapter that learned all of the same lesson before, word for word and on the same weights."""
    same = pedigree.of(lesson, app=app)
    tainted = tainting.read(parts.engine)
    for one in artifacts.of(parts.engine, kind="adapter"):
        alike = {key: value for key, value in one.meta.items() if key != "tuned"} == same
        # whoever asked it to stop early, another turn may learn to the end
        if alike and one.meta["tuned"]["stopped"] != "asked" and not tainted.of_artifact(one.id):
            return one
    return None


def _export(parts: Parts, wanted: Wanted, adapter: str) -> dict[str, Any]:
    made: Variant = adding.add(parts, adapter, app=wanted.app, kind=wanted.kind)
    return {"variant": made.id, "file": adding.file_of(parts, made).id}


def _gate(parts: Parts, wanted: Wanted, variant: str, run: str, tell: OnProgress) -> dict[str, Any]:
    watching = Watching(on_progress=tell, run=run)
    decided = gating.decide(parts, variant, name=wanted.gate, watching=watching)
    reasons = [one.text for one in decided.decision.reasons]
    return {"outcome": decided.decision.outcome, "reasons": reasons, "reports": list(decided.reports)}


def _propose(parts: Parts, wanted: Wanted, variant: str, outcome: str, run: str) -> dict[str, Any]:
    if outcome != "promote":
        return {"row": None}
    kept, text = variants.get(parts.engine, variant).id, f"improved by run {run}"
    mine = (
        row.number
        for row in releases.history(parts.engine, wanted.app)
        if (row.action, row.variant, row.reason.get("text")) == ("propose", kept, text)
    )
    # killed between the row and its note, it was proposed already, and may even be released by now
    number = next(mine, None) or releasing.propose(parts, wanted.app, kept, text=text).number
    return {"row": number}


def _telling(step: str, on_progress: OnProgress) -> OnProgress:
    """Tells of a step by what it says of itself."""
    number = STEPS.index(step) + 1

    def tell(now: Any) -> None:
        said = asdict(now) if now is not None else {}
        on_progress(
            Stage(
                target=f"{number}/{len(STEPS)} {step}" + (f": {said['target']}" if said else ""),
                done=said.get("done", 0),
                total=said.get("total", 1),
                known=said.get("known", 0),
                errors=said.get("errors", 0),
                rate=said.get("rate", 0.0),
                left=said.get("left"),
                step=step,
                point=said.get("point", {}),
            )
        )

    return tell
