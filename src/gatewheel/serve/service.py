"""What every endpoint may use: the project, the line before the engine, the threads, the figures."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar, cast

from fastapi import Request

from gatewheel.kernel.nouns import Caller, Usage
from gatewheel.loop.project import Project
from gatewheel.loop.running import Background
from gatewheel.ops import spending
from gatewheel.serve.lately import Lately
from gatewheel.serve.line import Line
from gatewheel.serve.lookup import Lookup
from gatewheel.serve.metrics import Metrics

log = logging.getLogger("gatewheel.serve")
Result = TypeVar("Result")
COMPARED = 128  # comparisons of reports that are remembered, some 20 kB each
DESKS = 32  # sheets of raters, some MB each where a suite has thousands of cases
LOOKUPS = 2  # at once; each may keep the encoder busy for minutes
LAST_WORDS = 3.0  # seconds for threads that were told to stop; engines ask twice a second


@dataclass(frozen=True, kw_only=True)
class Service:
    """What every endpoint may use. `line` and `speakers` are for calls of a model, `quick` for all else that blocks,
    `lookup` for what may take minutes.

    `asked` says when somebody last asked for what is looked up, by what it is, on the clock `time.monotonic`.
    `ready` is set when the parts are loaded, `closing` when the service is to stop and takes nothing new, `stopping`
    when its time is over and every call under way is to end, `hung` when one did not. `compared` and `desks` hold what
    was worked out of reports, which never change.
    """

    project: Project
    line: Line
    speakers: ThreadPoolExecutor
    quick: ThreadPoolExecutor
    metrics: Metrics
    background: Background
    compared: Lately = field(default_factory=lambda: Lately(COMPARED))
    desks: Lately = field(default_factory=lambda: Lately(DESKS))
    lookup: Lookup = field(default_factory=lambda: Lookup(LOOKUPS))
    asked: dict[Hashable, float] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)
    tried: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    hung: threading.Event = field(default_factory=threading.Event)

    async def quickly(self, call: Callable[[], Result]) -> Result:
        """What a call returns that blocks but needs no model."""
        return await asyncio.get_running_loop().run_in_executor(self.quick, call)

    def account(self, caller: Caller, model: str, usage: Usage, *, abstained: bool = False) -> None:
        """What every answer leaves behind: figures, and what its key has spent. Blocks; call it in a thread."""
        self.metrics.answered(model, usage, abstained=abstained)
        spending.spend(self.project.parts.engine, caller.key, usage)

    def close(self) -> None:
        """Tell all calls to stop and wait some seconds; what hears nothing loses its model's connection."""
        self.stopping.set()
        ended = _within(LAST_WORDS, self.speakers.shutdown)
        self.background.close()
        if not ended:
            log.warning("an answer under way does not stop; its model is closed")
            if not (_within(LAST_WORDS, self.project.close) and _within(LAST_WORDS, self.speakers.shutdown)):
                self.hung.set()
        elif self.project.tuned:
            _within(LAST_WORDS, self.project.tuned.close)  # the others are the opened project's
        _within(LAST_WORDS, self.lookup.close)
        _within(LAST_WORDS, self.quick.shutdown)


def _within(seconds: float, call: Callable[[], object]) -> bool:
    """Whether a call ended in this time; else it goes on in a thread that holds nobody up."""
    calling = threading.Thread(target=call, name="closing", daemon=True)
    calling.start()
    calling.join(seconds)
    return not calling.is_alive()


async def service(request: Request) -> Service:
    """The service that a request came to: `Depends(service)`. Not sync, or FastAPI would call it in a thread."""
    return cast(Service, request.app.state.service)
