"""The course of a tuning: what was wanted, all that it said so far, what that asks for, what was made of it since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gatewheel.finetune.advice import advise, meanwhile
from gatewheel.finetune.method import Point
from gatewheel.kernel import runs
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.runs import Run
from gatewheel.loop import artifacts, ending, kin
from gatewheel.loop.compose import Parts
from gatewheel.loop.notebook import Notebook

KINDS = ("finetune", "improve")
_SAID = {field.name for field in fields(Point)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """`wanted` are the choices of a run, `points` what the trainer said, from the `after`-th of `total` on.

    `advice` is one line on what to do. `losses` are those of the validation examples before, at the best step, and at
    the last. `keeping`: it was asked to end with what it has so far. `adapter` is there once it is kept, `variants` are
    those that are made of it.
    """

    run: str
    kind: str
    state: str
    wanted: Mapping[str, Any]
    points: tuple[Point, ...]
    total: int
    advice: str
    best_step: int | None
    losses: tuple[float, float, float] | None
    keeping: bool
    adapter: str
    variants: tuple[str, ...]


def course(parts: Parts, named: str, *, after: int = 0) -> Course:
    """Of a run, by its id or the beginning of it. Raises UserError where it tunes nothing."""
    run = runs.get(parts.engine, named)
    if run.kind not in KINDS:
        raise UserError(f"run {run.id} is {run.kind}, which tunes nothing", cure="see the list of runs")
    points = _points(parts, run)
    looks = [(one.step, one.validation) for one in points if one.validation is not None]
    best = min(looks, key=lambda look: look[1]) if looks else None
    adapter = _adapter(parts, run)
    return Course(
        run=run.id,
        kind=run.kind,
        state=run.state,
        wanted={key: value for key, value in run.settings.items() if key not in ("payer", "job")},
        points=points[after:],
        total=len(points),
        advice=_advice(run, points, bool(adapter)),
        best_step=best[0] if best else None,
        losses=(looks[0][1], best[1], looks[-1][1]) if best else None,
        keeping=not adapter and ending.keeping(parts, run),
        adapter=adapter,
        variants=variants_of(parts, adapter) if adapter else (),
    )


def variants_of(parts: Parts, adapter: str) -> tuple[str, ...]:
    """The variants that answer with an adapter, merged or beside its base, the newest first."""
    made = [one.id for one in artifacts.of(parts.engine) if one.meta.get("adapter") == adapter]
    serving = kin.at(parts, most=0).serving
    found = dict.fromkeys(variant for id_ in (adapter, *made) for variant in serving.get(id_, ()))
    return tuple(reversed(found))


def _points(parts: Parts, run: Run) -> tuple[Point, ...]:
    known = Notebook(parts.config.state, run.id, "points").known.values()
    return tuple(_point(said) for said in known)


def _point(said: Mapping[str, Any]) -> Point:
    from gatewheel.finetune.method import Sample

    plain = {key: value for key, value in said.items() if key in _SAID}
    return Point(**{**plain, "samples": tuple(Sample(**one) for one in said.get("samples", ()))})


def _adapter(parts: Parts, run: Run) -> str:
    if isinstance(run.result, Mapping) and run.result.get("adapter"):
        return str(run.result["adapter"])
    if run.kind != "improve":
        return ""
    steps = Notebook(parts.config.state, run.id, "steps")
    return str(steps["tune"]["adapter"]) if "tune" in steps else ""


def _advice(run: Run, points: tuple[Point, ...], kept: bool) -> str:
    if run.kind == "finetune" and run.state == "done":
        return str(run.result["tuned"]["advice"])
    if kept:
        return advise(points, early=False) if points else ""
    return "" if run.state in runs.ENDED else meanwhile(points)
