"""`gatewheel finetune`"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError

if TYPE_CHECKING:
    from gatewheel.finetune.preflight import Preflight
    from gatewheel.loop.tuning import Lesson, Made


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """`gatewheel finetune --dry-run`: of what it would learn, and in `preflight` what that takes on this machine.

    `reasons` say of the cases `without` an example why. Where a look at this machine says nothing of it, `preflight` is
    empty and `untold` says why.
    """

    dataset: str
    base: str
    examples: int
    without: int
    reasons: dict[str, int]
    settings: dict[str, Any]
    preflight: dict[str, Any]
    untold: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuned:
    """`gatewheel finetune`: `adapter` is the id of the artifact, `tuned` what the trainer says of it.

    `without` counts cases that were left out, `reasons` of how many of these why.
    """

    run: str
    adapter: str
    dataset: str
    app: str
    base: str
    examples: int
    without: int
    tuned: dict[str, Any]
    reasons: dict[str, int]


@click.command()
@click.argument("table", default="lora")
@click.option("--data", required=True, metavar="NAME", help="A suite for training, or a dataset version.")
@click.option("--validation", default="", metavar="NAME", help="Other data to look at; default: a share of --data.")
@click.option("--app", default="main", show_default=True, help="Which [app.*] learns: its prompts, its model.")
@click.option("--base", default="", metavar="NAME", help="Another [model.*] than the application's.")
@click.option("--from", "begins", default="", metavar="ADAPTER", help="Go on from it: an id, a run or a PEFT folder.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="A setting for this once; several times.")
@click.option("--dry-run", is_flag=True, help="Only say what it would take: memory, time, disk.")
@render.json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    table: str,
    data: str,
    validation: str,
    app: str,
    base: str,
    begins: str,
    changes: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Tune the model of an application: TABLE is lora, qlora, or another [finetune.*] of the project.

    Ctrl-C keeps the last checkpoint; `gatewheel runs resume` goes on from there.
    """
    from gatewheel.cli import progress
    from gatewheel.loop import beginning, fitting, running, tuning

    wanted = tuning.Wanted(
        data=data, table=table, app=app, base=base, changes=changes_of(changes), validation=validation
    )
    with render.project(context) as project:
        if begins:
            wanted = beginning.wanted_from(project.parts, wanted, begins, keep=not dry_run)
        tuning.refuse_unknown(project.parts, wanted)
        if dry_run:
            lesson, seen = tuning.foresee(project.parts, wanted)
            _foreseen(lesson, seen, fitting.untold(project.config.scale), as_json=as_json)
            return
        with progress.bar(quiet=as_json) as show:
            made = tuning.of_result(running.finetune(project, wanted, on_progress=show))
        run = tuning.run_of(project.parts, made)
    if as_json:
        render.emit(FineTuned(run=run, **_plain(made)))
    else:
        _tell(made, run)


def changes_of(said: tuple[str, ...]) -> dict[str, Any]:
    """Settings as TOML has them; what is no TOML value is a text. Raises UserError."""
    import tomllib

    found: dict[str, Any] = {}
    for one in said:
        key, equals, value = one.partition("=")
        if not equals:
            raise UserError(f"--set {one}: has no =", cure="write e.g. --set rank=8")
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    return found


def _plain(made: Made) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(made)


def _foreseen(lesson: Lesson, seen: Preflight | None, untold: str, *, as_json: bool) -> None:
    from dataclasses import asdict

    told = Foreseen(
        dataset=lesson.dataset.id,
        base=lesson.said,
        examples=len(lesson.examples),
        without=lesson.without,
        reasons=dict(lesson.reasons),
        settings=lesson.settings.model_dump(mode="json"),
        preflight=asdict(seen) if seen else {},
        untold=untold,
    )
    if as_json:
        render.emit(told)
        return
    for key, value in told.settings.items():
        render.tell(f"{key:18} {value}")
    render.tell(f"\n{told.examples} examples of dataset {told.dataset[:12]} for {told.base}")
    _left_out(lesson.reasons)
    render.tell(seen.told if seen else f"what it takes is not told: {untold}")


def _left_out(reasons: Mapping[str, int]) -> None:
    for why, count in reasons.items():
        render.tell(f"left out: {count}, {why}")


def _tell(made: Made, run: str) -> None:
    tuned = made.tuned
    render.tell(f"adapter {made.adapter[:12]} of {made.base}, learned from {made.examples} examples (run {run})")
    _left_out(made.reasons)
    render.tell(str(tuned.get("advice", "")))
    click.echo(f"Next: gatewheel variants add {run} --app {made.app}")
