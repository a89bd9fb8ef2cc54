"""The body of POST /v1/fine_tuning/jobs, and what it asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from gatewheel.loop.tuned_models import TunedModel
from gatewheel.loop.tuning_jobs import Asked
from gatewheel.serve.fault import Fault
from gatewheel.serve.v1.content import INTEGRAL, OPEN, Words, refuse

Auto = Literal["auto"]
REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "integrations": (([],), "there are none here; leave it out"),
}


class Hyperparameters(BaseModel):
    """What `auto` leaves to [finetune.lora]."""

    model_config = OPEN
    n_epochs: Auto | Annotated[int, Field(ge=1, le=1000), INTEGRAL] | None = None
    batch_size: Auto | Annotated[int, Field(ge=1, le=65_536), INTEGRAL] | None = None
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="Times the learning_rate of [finetune.lora]."
    )


class Supervised(BaseModel):
    """The settings of the method."""

    model_config = OPEN
    hyperparameters: Hyperparameters | None = None


class Method(BaseModel):
    """How to tune."""

    model_config = OPEN
    type: Literal["supervised"]
    supervised: Supervised | None = None


class JobRequest(BaseModel):
    """The body."""

    model_config = OPEN
    model: str = Field(description="A model, or an application, whose model is tuned: see GET /v1/models.")
    training_file: Words = Field(description="The id of a file.")
    validation_file: Words | None = Field(
        None, description="The id of a file to validate on; without one a share of the training file is kept for that."
    )
    hyperparameters: Hyperparameters | None = Field(None, description="As `method.supervised.hyperparameters`.")
    method: Method | None = None
    suffix: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{0,64}$", description="A part of the name that it makes.")
    seed: Annotated[int, Field(ge=0, lt=2**31), INTEGRAL] | None = None
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
        ]
        | None
    ) = None

    @model_validator(mode="before")
    @classmethod
    def _refused(cls, data: Any) -> Any:
        return refuse(data, REFUSED)


def asked(body: JobRequest, base: str, before: TunedModel | None) -> Asked:
    """What a body wants of `[model.<base>]`, or of what was tuned of that `before`.

    Raises Fault 400 where it says two things at once.
    """
    told = [
        body.hyperparameters,
        body.method.supervised.hyperparameters if body.method and body.method.supervised else None,
    ]
    given = [one for one in told if one is not None]
    if len(given) == 2 and given[0] != given[1]:
        what = "hyperparameters: they are said twice and differ; say them in method.supervised alone"
        raise Fault(400, what, code="invalid_value", param="hyperparameters")
    wanted = given[0] if given else Hyperparameters()
    said: dict[str, Any] = {
        name: value for name in Hyperparameters.model_fields if (value := getattr(wanted, name)) != "auto"
    }
    return Asked(
        model=body.model,
        base=base,
        file=body.training_file,
        validation=body.validation_file or "",
        begins=before.adapter if before else "",
        open=before.open if before else True,
        suffix=body.suffix or "",
        seed=body.seed,
        metadata=body.metadata or {},
        **said,
    )
