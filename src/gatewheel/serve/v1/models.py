"""GET /v1/models"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from gatewheel.serve import fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.service import Service, service
from gatewheel.serve.v1 import names
from gatewheel.serve.v1.shapes import ModelShape, ModelsShape

router = APIRouter(dependencies=[Depends(may("ask"))])


@router.get(
    "/models",
    operation_id="listModels",
    summary="The names that a request may carry as its model",
    responses={200: {"model": ModelsShape, "description": "Every name"}, **fault.ERRORS},
)
async def listed(at: Annotated[Service, Depends(service)]) -> Response:
    """Applications, which answer from the documents, models, and the encoder."""
    known = names.known(at.project.config)
    ordered = sorted(known.values(), key=lambda one: (one.kind != "app", one.kind == "encoder"))
    found: ModelsShape = {"object": "list", "data": [_shape(at, one) for one in ordered]}
    return flow.reply(found)


@router.get(
    "/models/{model:path}",
    operation_id="retrieveModel",
    summary="One model",
    responses={200: {"model": ModelShape, "description": "The model"}, **fault.ERRORS},
)
async def one(model: str, at: Annotated[Service, Depends(service)]) -> Response:
    """A name such as `app` or `app/quick`."""
    return flow.reply(_shape(at, names.find(at.project.config, model)))


def _shape(at: Service, named: names.Named) -> ModelShape:
    # a project keeps no birthday; its file was last changed when its models were
    created = int(at.project.config.path.stat().st_mtime)
    return {"id": named.name, "object": "model", "created": created, "owned_by": "gatewheel", "type": named.kind}
