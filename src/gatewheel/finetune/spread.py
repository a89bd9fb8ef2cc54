"""Which processes a tuning is shared by, and how they come about: this one, several of this machine, or those of Ray.

All of them call `train` with the same task. The first one's points come here, where they are watched, and the answer
goes back. The processes end with this one, and when one dies the others do; what the last checkpoint holds stays.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol

from gatewheel.finetune.method import Point, Task, Tuned, Watch
from gatewheel.kernel.errors import Cancelled, GatewheelError, ModelError, UserError
from gatewheel.kernel.settings import ScaleSettings

PATIENCE = timedelta(days=1)  # who waits for a sum: that a process died is seen here, and at once
ENDING = 10.0  # seconds


def spread(task: Task, scale: ScaleSettings, watch: Watch) -> Tuned:
    """Tune, by as many processes as `scale` says; a program of torchrun or accelerate is one of them already.

    Raises what `train` raises, MissingPart without Ray where it is asked for, ModelError when a process died, UserError
    for more processes than CUDA devices, and for a base that is to be divided among one.
    """
    import torch

    from gatewheel.finetune.team import Team
    from gatewheel.finetune.train import train

    here = Team.here(shard=scale.shard)
    if here.size > 1:
        return train(task, watch, here)
    if scale.train == "ray":
        from gatewheel.finetune.over_ray import over_ray

        return over_ray(task, scale, watch)
    devices = torch.cuda.device_count()
    workers = scale.workers or max(1, devices)
    if 0 < devices < workers:
        what = f"[scale] workers = {workers}, and this machine has {devices} CUDA device{'s' if devices > 1 else ''}"
        raise UserError(what, cure=f"set it to {devices} or less, or to 0 for all of them")
    if scale.shard and workers == 1:
        raise alone()
    return train(task, watch) if workers == 1 else _locally(task, workers, scale.shard, watch)


def alone() -> UserError:
    """A base is to be divided, and there is one process."""
    what = "[scale] shard = true divides the base among processes, and there is one"
    return UserError(what, cure="set workers to how many share it, or shard to false")


class Wire(Protocol):
    """To where a tuning is watched."""

    def send(self, obj: Any, /) -> None: ...

    def recv(self) -> Any: ...


def take_part(task: Task, wire: Wire, *, shard: bool) -> None:
    """In a process of the team: do its part, and send what came of it; the first sends its points and is answered."""
    from gatewheel.finetune.team import Team
    from gatewheel.finetune.train import train

    def watch(point: Point) -> bool:
        wire.send(point)
        if isinstance(answer := wire.recv(), GatewheelError):
            raise answer
        return bool(answer)

    team = Team.here(shard=shard)
    try:
        made: Tuned | GatewheelError | None = train(task, watch, team)
    except GatewheelError as error:
        made = error
    # the others' word counts only where the first cannot say it: it may still be saving
    if team.first or not isinstance(made, Cancelled):
        wire.send(made if team.first or isinstance(made, GatewheelError) else None)


def answered(watch: Watch, point: Point) -> bool | Cancelled:
    """What is sent back for a point."""
    try:
        return bool(watch(point))
    except Cancelled as why:
        return why


def _locally(task: Task, workers: int, shard: bool, watch: Watch) -> Tuned:
    context, wires, processes = multiprocessing.get_context("spawn"), list[Connection](), list[SpawnProcess]()
    with tempfile.TemporaryDirectory() as meeting:
        try:
            for rank in range(workers):
                here, there = context.Pipe()
                said = (rank, workers, Path(meeting) / "group", there, task, shard)
                process = context.Process(target=_begin, args=said, name=f"tuning {rank}", daemon=True)
                process.start()
                there.close()
                wires.append(here)
                processes.append(process)
            return _conducted(wires, processes, watch)
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.join()


def _conducted(wires: Sequence[Connection], processes: Sequence[SpawnProcess], watch: Watch) -> Tuned:
    """Answer the first process until it says what came of it."""
    open_ = list(wires)
    while open_:
        for wire in wait(open_):
            assert isinstance(wire, Connection)
            try:
                said = wire.recv()
            except (EOFError, ConnectionError):
                processes[wires.index(wire)].join(ENDING)
                if processes[wires.index(wire)].exitcode != 0:
                    raise _died(processes) from None
                open_.remove(wire)
                continue
            if isinstance(said, Point):
                answer = answered(watch, said)
                with contextlib.suppress(ConnectionError):  # it died meanwhile, which the next look finds
                    wire.send(answer)
            elif isinstance(said, GatewheelError):
                raise said
            elif isinstance(said, Tuned):
                return said
    raise _died(processes)


def _died(processes: Sequence[SpawnProcess]) -> ModelError:
    """Names the first that was killed: when one is, the others fail for want of it."""
    for process in processes:
        process.join(1.0)
    ended = {rank: process.exitcode for rank, process in enumerate(processes) if process.exitcode}
    rank, code = min(ended.items(), key=lambda each: (each[1] or 0, each[0]), default=(0, 0))
    how = f"was ended by {signal.Signals(-code).name}" if code and code < 0 else f"failed (exit code {code})"
    cure = "what it printed says why, unless memory ran out; the same command goes on from the last checkpoint"
    return ModelError(f"process {rank} of the {len(processes)} that share the tuning {how}", cure=cure)


def _begin(rank: int, size: int, meeting: Path, wire: Connection, task: Task, shard: bool) -> None:
    """The first lines of a process of this machine."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all, and who started this one decides
    os.environ |= {"LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(size)}
    if sys.platform == "linux":  # nobody else has to reach them
        os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
    import torch
    import torch.distributed as dist

    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(rank % torch.cuda.device_count())
        backend = "nccl"
    dist.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=size, timeout=PATIENCE)
    take_part(task, wire, shard=shard)
    dist.destroy_process_group()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
