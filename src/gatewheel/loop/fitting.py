"""Whether a tuning fits this machine, and where a look at one process of it cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.settings import ScaleSettings

if TYPE_CHECKING:
    from gatewheel.finetune.method import Method
    from gatewheel.finetune.preflight import Preflight
    from gatewheel.loop.tuning import Lesson


def untold(scale: ScaleSettings) -> str:
    """Why a probe of one process here says nothing of a tuning, in words; empty where it does.

    Raises ConfigError for a base that is to be divided among one process.
    """
    if scale.shard and scale.workers == 1:
        what = "[scale] shard = true divides the base among processes, and workers = 1 is one"
        raise ConfigError(what, cure="set workers to how many share it, or shard to false")
    if scale.train == "ray":
        return "the processes of a Ray cluster tune it, of which a look at this machine says nothing"
    if scale.shard:
        return "several processes divide the base, and a look at one that holds all of it says nothing of them"
    return ""


def seen(lesson: Lesson, scale: ScaleSettings) -> Preflight | None:
    """What a tuning takes, by a short probe; None where that says nothing. Raises what `untold` and the probe raise."""
    if untold(scale):
        return None
    from gatewheel.finetune.preflight import preflight

    method: Method = catalog.load("finetune", lesson.use).create(lesson.settings)
    processes = max(1, scale.workers)
    return preflight(lesson.path, lesson.examples, method.settings, nf4=method.nf4, processes=processes)


def refuse(found: Preflight | None) -> None:
    """Raises UserError for what does not fit."""
    if found is not None and not found.fits:
        raise UserError(
            f"the tuning does not fit this machine: {found.told}", cure="change what is named there with --set"
        )
