"""The adapter that a tuning goes on from instead of beginning anew: one that is kept here, or a PEFT folder.

It has to have the pairs that the settings ask for, on the same weights; how much they count may be said otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import UserError
from gatewheel.loop import adding, artifacts, tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.exporting import place_of
from gatewheel.loop.recipes import identity

if TYPE_CHECKING:
    from gatewheel.finetune.method import Method
    from gatewheel.loop.tuning import Lesson, Wanted
    from gatewheel.models.adapters import Adapter
    from gatewheel.models.dense import Shape


def wanted_from(parts: Parts, wanted: Wanted, named: str, *, keep: bool = True) -> Wanted:
    """A tuning that goes on from an adapter, by the beginning of its id or of its run's, or from one in a PEFT folder.

    Such a one is kept for that, unless not to `keep`: then it is only seen to that it fits. Raises UserError for one
    that does not, and what `adding.adapter_named`, `adding.adopt` and `tuning.refuse_unknown` raise.
    """
    from gatewheel.loop import tuning
    from gatewheel.models.adapters import read, refuse_misfit
    from gatewheel.models.dense import open_dense

    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        return replace(wanted, begins=adding.adapter_named(parts, named).id)
    tuning.refuse_unknown(parts, wanted)
    base: Any = tuning.base_table(parts, wanted).settings
    shape, adapter = open_dense(place_of(parts.objects, str(base.weights))).shape, read(folder)
    refuse_misfit(adapter, shape)
    _refuse_unlike(adapter, tuning.settings_of(parts, wanted).settings, shape, name=f"in {named}")
    return replace(wanted, begins=adding.adopt(parts, folder, app=wanted.app, base=wanted.base).id) if keep else wanted


def method(parts: Parts, lesson: Lesson) -> Method:
    """What tunes a lesson, with the adapter that it goes on from. Raises what `file` raises."""
    made: Method = catalog.load("finetune", lesson.use).create(lesson.settings)
    return replace(made, begins=file(parts, lesson.begins, lesson.settings, lesson.path))


def file(parts: Parts, id_: str, settings: Any, base: Path) -> Path | None:
    """Where the pairs lie that a tuning of these settings goes on from; None where it begins anew.

    Raises UserError for an adapter that is tainted, of other weights than those at `base`, or of other pairs.
    """
    from gatewheel.models.adapters import read
    from gatewheel.models.dense import open_dense

    if not id_:
        return None
    adapter = artifacts.get(parts.engine, id_)
    tainting.refuse_artifact(parts.engine, adapter.id)
    said, now = adapter.meta["base"], identity(str(base))
    if said["sha256"] != now:
        what = (
            f"adapter {id_[:12]} was trained on {said['weights']} ({said['sha256'][:12]}), not on {base} ({now[:12]})"
        )
        raise UserError(what, cure="name the [model.*] of these weights with --base, or tune without --from")
    path = artifacts.path(parts.objects, adapter)
    _refuse_unlike(read(path), settings, open_dense(base).shape, name=id_[:12])
    return path


def _refuse_unlike(adapter: Adapter, settings: Any, shape: Shape, *, name: str) -> None:
    ranks = {len(a) for a, _ in adapter.pairs.values()}
    theirs, asked = (_modules(targets, shape) for targets in (adapter.targets, settings.targets))
    uneven = len(ranks) > 1 or adapter.pairs.keys() != theirs
    if not uneven and ranks == {settings.rank} and theirs == asked and adapter.dora == settings.dora:
        return
    targets = ", ".join(adapter.targets)
    has = f"adapter {name} has pairs of rank {', '.join(map(str, sorted(ranks)))} for {targets}"
    what = f"{has}{' in some layers' if adapter.pairs.keys() != theirs else ''}{', with DoRA' if adapter.dora else ''}"
    wanted = f"the settings ask for rank {settings.rank}, dora = {settings.dora} and {', '.join(settings.targets)}"
    cure = "export it merged (`gatewheel models export --kind folder`) and tune that folder: no setting has these pairs"
    if not uneven:
        listed = ",".join(f'"{target}"' for target in adapter.targets)
        dora = str(adapter.dora).lower()
        cure = f"--set rank={ranks.pop()} --set dora={dora} --set 'targets=[{listed}]'"
    raise UserError(f"{what}, and {wanted}", cure=cure)


def _modules(targets: tuple[str, ...], shape: Shape) -> set[str]:
    from gatewheel.models.dense import tensor_shapes

    every = (name.removesuffix(".weight") for name in tensor_shapes(shape))
    return {module for module in every if module.rpartition(".")[2] in targets}
