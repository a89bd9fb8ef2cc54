"""What `/api/improve` says of the choices that there are before a tuning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewheel.data import drafts
from gatewheel.kernel.errors import UserError
from gatewheel.loop import learnable, tuning
from gatewheel.loop.foreseeing import Foreseen
from gatewheel.loop.improving import Wanted, settled
from gatewheel.loop.learnable import LearnSet, Nearness
from gatewheel.loop.project import Project
from gatewheel.loop.releasing import gates_of


@dataclass(frozen=True, kw_only=True, slots=True)
class TunableApp:
    """An application. `refused` says why its model cannot be tuned here, empty where it can.

    `gate` and `data` are what a whole turn would take, `no_turn` why there can be none.
    """

    app: str
    model: str
    refused: str
    gates: list[str]
    gate: str
    data: str
    no_turn: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """A [finetune.*]: what it uses, its settings with every default filled in, and their JSON schema."""

    table: str
    use: str
    settings: dict[str, Any]
    schema: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingDrafts:
    """Drafts for a suite that nobody accepted or refused yet."""

    suite: str
    waiting: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """Sets of cases, applications, models whose weights are here, tables of settings, and drafts that wait."""

    sets: list[LearnSet]
    apps: list[TunableApp]
    models: list[str]
    methods: list[Method]
    drafts: list[WaitingDrafts]


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeseenView:
    """What a tuning would take; null while that is not `checked` yet."""

    checked: bool
    foreseen: Foreseen | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NearnessView:
    """What of a set is near to what is held out; null while that is not `checked` yet."""

    checked: bool
    nearness: Nearness | None


def choices(project: Project) -> Choices:
    """All that can be chosen in a project."""
    parts, config = project.parts, project.config
    return Choices(
        sets=learnable.sets(parts),
        apps=[_app(project, name) for name in sorted(config.names("app"))],
        models=[name for name in sorted(config.names("model")) if not _refused(project, app="", base=name)],
        methods=[_method(project, name) for name in sorted(config.names("finetune"))],
        drafts=waiting(config.root),
    )


def waiting(root: Path) -> list[WaitingDrafts]:
    """The suites for which drafts wait."""
    found = []
    for name in drafts.names(root):
        try:
            found.append(WaitingDrafts(suite=name, waiting=len(drafts.waiting(root, name))))
        except UserError:  # a file that cannot be read says so where it is asked for
            continue
    return [one for one in found if one.waiting]


def _app(project: Project, name: str) -> TunableApp:
    config = project.config
    settings: Any = config.table("app", name).settings
    gate = data = no_turn = ""
    try:
        wanted = settled(project.parts, Wanted(app=name))
        gate, data = wanted.gate, wanted.data
    except UserError as error:
        no_turn = str(error)
    return TunableApp(
        app=name,
        model=settings.model,
        refused=_refused(project, app=name),
        gates=gates_of(config, name),
        gate=gate,
        data=data,
        no_turn=no_turn,
    )


def _refused(project: Project, *, app: str, base: str = "") -> str:
    try:
        tuning.base_table(project.parts, tuning.Wanted(data="", app=app, base=base))
    except UserError as error:
        return str(error)
    return ""


def _method(project: Project, name: str) -> Method:
    table = project.config.table("finetune", name)
    return Method(
        table=name,
        use=table.use,
        settings=table.settings.model_dump(mode="json"),
        schema=type(table.settings).model_json_schema(),
    )
