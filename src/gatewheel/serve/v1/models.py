"""GET /v1/models, and DELETE of those that the tuning API made"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from gatewheel.kernel.nouns import Caller
from gatewheel.loop import tuned_models
from gatewheel.loop.tuned_models import PREFIX
from gatewheel.serve import fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service
from gatewheel.serve.v1 import names, tuned
from gatewheel.serve.v1.shapes import ModelDeletedShape, ModelShape, ModelsShape

router = APIRouter()
At = Annotated[Service, Depends(service)]
Asker = Annotated[Caller, Depends(may("ask"))]


@router.get(
    "/models",
    operation_id="listModels",
    summary="The names that a request may carry as its model",
    responses={200: {"model": ModelsShape, "description": "Every name"}, **fault.ERRORS},
)
async def listed(at: At, caller: Asker) -> Response:
    """Applications, which answer from the documents, models, those that were tuned among them, and the encoder."""
    known = names.known(at.project.config)
    ordered = sorted(known.values(), key=lambda one: (one.kind != "app", one.kind == "encoder"))
    made = await at.quickly(lambda: tuned_models.listed(at.project.parts.engine, caller))
    shapes = [*(_shape(at, one) for one in ordered), *map(_tuned, made)]
    found: ModelsShape = {"object": "list", "data": shapes}
    return flow.reply(found)


@router.get(
    "/models/{model:path}",
    operation_id="retrieveModel",
    summary="One model",
    responses={200: {"model": ModelShape, "description": "The model"}, **fault.ERRORS},
)
async def one(model: str, at: At, caller: Asker) -> Response:
    """A name such as `app` or `app/quick`."""
    if _is_tuned(at, model):
        return flow.reply(_tuned(await tuned.find(at, caller, model)))
    return flow.reply(_shape(at, names.find(at.project.config, model)))


@router.delete(
    "/models/{model:path}",
    operation_id="deleteModel",
    summary="Delete a model that a tuning job made",
    responses={200: {"model": ModelDeletedShape, "description": "It is no more asked"}, **fault.ERRORS},
)
async def delete(model: str, at: At, caller: Annotated[Caller, Depends(may("operate"))]) -> Response:
    """By the key that made it, or one that sees every document. Its adapter stays among the artifacts."""
    if not _is_tuned(at, model):
        what = f"'{names.find(at.project.config, model).name}' stands in gatewheel.toml; take it out there"
        raise Fault(400, what, code="invalid_value", param="model")
    if not await at.quickly(lambda: tuned_models.remove(at.project.parts.engine, model, caller)):
        raise tuned.unknown(model)
    if loaded := at.project.tuned:
        await at.quickly(lambda: loaded.forget(model))
    deleted: ModelDeletedShape = {"id": model, "object": "model", "deleted": True}
    return flow.reply(deleted)


def _is_tuned(at: Service, model: str) -> bool:
    return model.startswith(PREFIX) and model not in names.known(at.project.config)


def _tuned(made: tuned_models.TunedModel) -> ModelShape:
    return {
        "id": made.name,
        "object": "model",
        "created": int(made.created),
        "owned_by": "gatewheel",
        "type": "model",
    }


def _shape(at: Service, named: names.Named) -> ModelShape:
    # a project keeps no birthday; its file was last changed when its models were
    created = int(at.project.config.path.stat().st_mtime)
    return {"id": named.name, "object": "model", "created": created, "owned_by": "gatewheel", "type": named.kind}
