"""The local engine that answers a cold question fastest on this machine, by measurement; another if that one fails."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.ports import Model
from gatewheel.models.measure import choose, cold_ask
from gatewheel.models.weights import DEFAULT


class Settings(BaseModel):
    """`context_length` is at most this many tokens; a model trained for less has its own. `threads = 0`: all cores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = DEFAULT
    context_length: int = Field(4096, ge=128)
    threads: int = Field(0, ge=0)


def create(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> Model:
    """The model of the fastest engine; the engines are measured first when this machine has no figures yet.

    Raises MissingPart when the weights are not here, ModelError with every reason when no engine works.
    """
    _, figures = choose(settings.weights, threads=settings.threads, on_progress=on_progress)
    failed: list[str] = []
    for candidate in sorted(figures.values(), key=cold_ask):
        if candidate.error:
            failed.append(f"{candidate.engine}: {candidate.error}")
            continue
        module = catalog.load("model", candidate.engine)
        try:
            model: Model = module.create(module.Settings(**settings.model_dump()), on_progress=on_progress)
        except ModelError as error:
            failed.append(f"{candidate.engine}: {error}")
            continue
        return model
    raise ModelError(f"no local engine can run '{settings.weights}' ({'; '.join(failed)})", cure="see gatewheel doctor")
