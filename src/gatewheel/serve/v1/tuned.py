"""Who writes for a request: an application or a model of the file, or a model that the tuning API made."""

from __future__ import annotations

from gatewheel.kernel.config import Config
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import tuned_models
from gatewheel.loop.tuned_models import TunedModel
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service
from gatewheel.serve.v1 import names
from gatewheel.serve.v1.names import Named


async def writer(at: Service, caller: Caller, model: str) -> tuple[Config, Named]:
    """Whom a name means, with the configuration that has it.

    Raises Fault 404 for an unknown name or one of another key, 400 for the encoder's and for a model that learned of
    what was forgotten since.
    """
    own = at.project.config
    if model in names.known(own) or not model.startswith(tuned_models.PREFIX):
        return own, names.writer(own, model)
    found = await find(at, caller, model)
    return await at.quickly(lambda: at.project.config_with(found.name)), Named(
        name=found.name, kind="model", table=found.name
    )


async def find(at: Service, caller: Caller, model: str) -> TunedModel:
    """A model that the tuning API made, by its name. Raises Fault 404."""
    found = await at.quickly(lambda: tuned_models.find(at.project.parts.engine, model, caller))
    if found is None:
        raise unknown(model)
    return found


def unknown(model: str) -> Fault:
    """That there is no such model of the tuning API, or none of this caller's."""
    what = f"no model named '{model[:80]}'; it was deleted, or belongs to another key: see GET /v1/models"
    return Fault(404, what, code="model_not_found", param="model")
