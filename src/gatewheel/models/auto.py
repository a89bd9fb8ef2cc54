"""The local engine that answers a cold question fastest on this machine, by measurement; another if that one fails."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.kernel.ports import Model
from gatewheel.models.measure import choose, cold_ask, failed
from gatewheel.models.weights import DEFAULT, ContextLength, Threads, Weights


class Settings(BaseModel):
    """`context_length` is at most this many tokens; a model trained for less has its own. `threads = 0`: all cores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Weights = DEFAULT
    context_length: ContextLength = 4096
    threads: Threads = 0


def create(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> Model:
    """The model of the fastest engine; the engines are measured first when this machine has no figures yet.

    An engine that fails although its figures are good is noted as failed, so that variants name the one that answers.

    Raises MissingPart when the weights are not here, ModelError with every reason when no engine works.
    """
    _, figures = choose(settings.weights, threads=settings.threads, on_progress=on_progress)
    reasons: list[str] = []
    for candidate in sorted(figures.values(), key=cold_ask):
        if candidate.error:
            reasons.append(f"{candidate.engine}: {candidate.error}")
            continue
        module = catalog.load("model", candidate.engine)
        try:
            model: Model = module.create(module.Settings(**settings.model_dump()), on_progress=on_progress)
        except (ModelError, MissingPart) as error:
            reasons.append(f"{candidate.engine}: {error}")
            failed(candidate.engine, settings.weights, threads=settings.threads, error=str(error))
            continue
        return model
    why = "; ".join(reasons)
    raise ModelError(f"no local engine can run '{settings.weights}' ({why})", cure="see gatewheel doctor")
