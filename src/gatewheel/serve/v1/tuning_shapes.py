"""The shapes of what the tuning API answers: OpenAI's. `paused` is a job that waits to be resumed."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

Status = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled", "paused"]


class FileShape(TypedDict):
    """A file."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["fine-tune", "fine-tune-results"]
    status: Literal["processed"]
    expires_at: None
    status_details: None


class FilesShape(TypedDict):
    """A page of files."""

    object: Literal["list"]
    data: list[FileShape]
    has_more: bool
    first_id: str | None
    last_id: str | None


class FileDeletedShape(TypedDict):
    """A file that is no more."""

    id: str
    object: Literal["file"]
    deleted: bool


class HyperparametersShape(TypedDict):
    """What the job learns by. `n_epochs` is "auto" where [finetune.lora] says how many steps."""

    n_epochs: float | Literal["auto"]
    batch_size: int
    learning_rate_multiplier: float


class SupervisedShape(TypedDict):
    """The one method that there is."""

    hyperparameters: HyperparametersShape


class MethodShape(TypedDict):
    """How it is tuned."""

    type: Literal["supervised"]
    supervised: SupervisedShape


class JobErrorShape(TypedDict):
    """Why a job failed."""

    code: str
    message: str
    param: str | None


class JobShape(TypedDict):
    """A tuning job. `model` is the name that it was asked for by, `trained_tokens` counts prompts too."""

    id: str
    object: Literal["fine_tuning.job"]
    created_at: int
    model: str
    organization_id: str
    status: Status
    training_file: str
    validation_file: str | None
    hyperparameters: HyperparametersShape
    method: MethodShape
    seed: int
    metadata: dict[str, str] | None
    integrations: list[Any]
    estimated_finish: int | None
    finished_at: int | None
    fine_tuned_model: str | None
    trained_tokens: int | None
    result_files: list[str]
    error: JobErrorShape | None


class JobsShape(TypedDict):
    """A page of jobs."""

    object: Literal["list"]
    data: list[JobShape]
    has_more: bool


class EventShape(TypedDict):
    """Something that happened in a job."""

    id: str
    object: Literal["fine_tuning.job.event"]
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"]
    data: dict[str, float]


class EventsShape(TypedDict):
    """A page of events."""

    object: Literal["list"]
    data: list[EventShape]
    has_more: bool


class MetricsShape(TypedDict):
    """The losses of a step in nats a token; null where they were not looked at."""

    step: int
    train_loss: float | None
    valid_loss: float | None
    full_valid_loss: float | None


class CheckpointShape(TypedDict):
    """The step whose adapter was kept."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"]
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    step_number: int
    metrics: MetricsShape


class CheckpointsShape(TypedDict):
    """The checkpoints that can be asked: one, once the job has ended."""

    object: Literal["list"]
    data: list[CheckpointShape]
    has_more: bool
    first_id: str | None
    last_id: str | None
