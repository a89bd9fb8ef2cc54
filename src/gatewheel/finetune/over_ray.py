"""A tuning by the processes of a Ray cluster (`[scale] train = "ray"`), or of a Ray that is started for it here.

Ray Train starts them and makes their process group; what they do is `take_part`, as on one machine. Base and folder
must be at the same paths on every node.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from gatewheel.finetune.method import Point, Task, Tuned, Watch
from gatewheel.finetune.spread import PATIENCE, alone, answered, take_part
from gatewheel.kernel.errors import Cancelled, GatewheelError, MissingPart, ModelError
from gatewheel.kernel.settings import ScaleSettings

LOOK = 0.5  # seconds between two looks whether Ray has given up


def over_ray(task: Task, scale: ScaleSettings, watch: Watch) -> Tuned:
    """Tune on `workers` processes, each with a CUDA device where the cluster has any; 0: as many as it has.

    Raises what `train` raises, MissingPart without Ray, ModelError when Ray gave up.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingPart(
            '[scale] train = "ray" needs Ray, which is not installed', cure="pip install 'gatewheel[scale]'"
        )
    with _cluster(scale.workers), ThreadPoolExecutor(1, "ray train") as thread:
        from ray.util.queue import Queue

        told, answers = Queue(), Queue()
        fitting = thread.submit(_trainer(task, scale, Line(told, answers)).fit)
        try:
            while True:
                said = _said(told, fitting)
                if isinstance(said, Point):
                    answers.put(answered(watch, said))
                elif isinstance(said, GatewheelError):
                    raise said
                elif isinstance(said, Tuned):
                    return said
        finally:
            answers.put(Cancelled("nobody looks on any more"))  # else the first would wait for its answer


class Line:
    """To where a tuning is watched, over two queues of Ray."""

    def __init__(self, told: Any, answers: Any) -> None:
        self._told, self._answers = told, answers

    def send(self, said: Any, /) -> None:
        self._told.put(said)

    def recv(self) -> Any:
        return self._answers.get()


def _said(told: Any, fitting: Future[Any]) -> Any:
    """What comes next. Raises ModelError when nothing can come any more."""
    from ray.util.queue import Empty

    while True:
        over = fitting.done()  # asked before: what was said last is there by then
        try:
            return told.get(timeout=LOOK)
        except Empty:
            if over:
                raise _gave_up(fitting.exception()) from None


def _trainer(task: Task, scale: ScaleSettings, line: Line) -> Any:
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    devices = int(ray.cluster_resources().get("GPU", 0))
    workers, shard = scale.workers or max(1, devices), scale.shard
    if shard and workers == 1:
        raise alone()
    return TorchTrainer(
        lambda: take_part(task, line, shard=shard),
        torch_config=TorchConfig(timeout_s=int(PATIENCE.total_seconds())),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=devices > 0),
        run_config=RunConfig(name="tuning", storage_path=str(task.folder / "ray")),
    )


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """The cluster that RAY_ADDRESS names or that this program is part of; else one of this machine, for so long."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it tells its makers otherwise
    import ray

    if ray.is_initialized():
        yield
        return
    here = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": max(workers, 1), "include_dashboard": False}
    asked = signal.getsignal(signal.SIGTERM)
    ray.init(**here, log_to_driver=False, logging_level="warning")
    if asked is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, asked)  # Ray sets its own, which exits where a checkpoint is wanted first
    try:
        yield
    finally:
        ray.shutdown()


def _gave_up(error: BaseException | None) -> ModelError:
    said = [line for line in str(error or "it ended without a word").splitlines() if line.strip()]
    cure = "see Ray's own logs; the same command goes on from the last checkpoint"
    return ModelError(f"Ray gave up the tuning: {said[-1].strip()[:300]}", cure=cure)
