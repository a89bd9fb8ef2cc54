"""How long until a running service answers with another adapter, and what do those who ask meanwhile notice?

    python benchmarks/hotload.py
    python benchmarks/hotload.py --rounds 5 --clients 8

`gatewheel serve` answers several clients without a pause while a variant is released whose adapter lies beside the
weights that are served already (LoRA-GGUF), rolled back, and released merged into weights of its own (Q8_0). Beside it
llama.cpp's own HTTP server (xllamacpp): `POST /lora-adapters` sets the scale of an adapter that it was started with;
it takes no new file while it runs, so another adapter is a restart.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import httpx

from report import Table, parser, show

SLOTS = 4
TOKENS = 16
CALM = 4.0  # seconds of asking before and after each change
RANK = 16
QUESTION = "Where is my green kettle?"
TOML = f"""
[encoder.main]
use = "none"
[model.chat]
use = "llama.cpp"
context_length = 1024
[app.main]
use = "direct"
prompt = "sort"
max_tokens = {TOKENS}
[serve]
slots = {SLOTS}
queue = 64
"""
BARE = """
import sys, time
import xllamacpp
p = xllamacpp.CommonParams()
p.model.path = sys.argv[2]
p.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(sys.argv[3], float(sys.argv[4]))]
p.n_parallel = int(sys.argv[5]); p.n_ctx = 1024 * p.n_parallel
p.n_batch = p.n_ubatch = 128
for cpu in (p.cpuparams, p.cpuparams_batch):
    cpu.n_threads = 2
    cpu.poll = 0
p.warmup = False; p.verbosity = -1
p.hostnames = ["127.0.0.1"]; p.port = int(sys.argv[1])
s = xllamacpp.Server(p)
while True: time.sleep(60)
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """One request: when it was sent, when its answer was whole, and who answered; "" where it failed."""

    sent: float
    whole: float
    by: str


@dataclass(slots=True)
class Asking:
    """Clients that ask without a pause. `once` sends a request and tells who answered."""

    once: Callable[[httpx.Client], str]
    replies: list[Reply] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """One client."""
        with httpx.Client(timeout=120) as client:
            while not self.stopped.is_set():
                began = time.perf_counter()
                try:
                    by = self.once(client)
                except (httpx.HTTPError, KeyError):
                    by = ""
                self.replies.append(Reply(began, time.perf_counter(), by))
                if not by:
                    time.sleep(0.05)  # a server that is away refuses thousands a second


@dataclass(frozen=True, slots=True)
class Change:
    """A change at `at`, settled at `told`, when whoever asked for it got the answer."""

    name: str
    at: float
    told: float
    to: str


def main() -> None:
    """Print how long each change took and what it did to those who asked."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clients", type=int, default=SLOTS)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = prepared(folder)
        tables = []
        for measure in (ours, switched, restarted):
            tables.append(measure(folder, made, given))
            if not given.json:
                show(tables[-1:], as_json=False)
    if given.json:
        show(tables, as_json=True)


@dataclass(frozen=True, slots=True)
class Made:
    """The variants beside and merged, the file of the adapter, and the weights of the base."""

    beside: str
    merged: str
    adapter: str
    weights: str


def prepared(folder: Path) -> Made:
    """A project with two variants of one adapter, as large as a tuned one, that changes answers a little."""
    import numpy as np

    import gatewheel as gw
    from gatewheel.loop import adding, artifacts
    from gatewheel.models.adapters import Adapter, write
    from gatewheel.models.dense import LINEARS, open_dense, tensor_shapes
    from gatewheel.models.weights import find

    gw.init(folder / "home").close()
    (folder / "home" / "gatewheel.toml").write_text(TOML, encoding="utf-8")
    (folder / "home" / "prompts" / "sort.md").write_text("---\nsystem: Answer in a sentence.\n---\n{{ question }}")
    weights = find("smollm2-135m-instruct")
    draw, pairs = np.random.default_rng(1), {}
    for name, shape in tensor_shapes(open_dense(weights).shape).items():
        module = name.removesuffix(".weight")
        if module.rpartition(".")[2] in LINEARS:
            a, b = draw.normal(size=(RANK, shape[1])) / 30, draw.normal(size=(shape[0], RANK)) / 300
            pairs[module] = (a.astype(np.float32), b.astype(np.float32))
    write(Adapter(rank=RANK, alpha=RANK, pairs=pairs), folder / "peft")
    with gw.open(folder / "home") as project:
        adapter = adding.adopt(project.parts, folder / "peft")
        beside, merged = (adding.add(project.parts, adapter.id, kind=kind) for kind in ("lora", "Q8_0"))
        file = artifacts.path(project.parts.objects, adding.file_of(project.parts, beside))
    return Made(beside=beside.id, merged=merged.id, adapter=str(file), weights=str(weights))


def ours(folder: Path, made: Made, given: argparse.Namespace) -> Table:
    """Releases and roll backs of a running service."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("gatewheel")), "-C", str(folder / "home"), "serve"]

    def once(client: httpx.Client) -> str:
        said = client.post(f"{url}/api/ask", json={"question": QUESTION, "app": "main"})
        said.raise_for_status()
        return str(said.json()["variant"])

    def release(name: str, verb: str, variant: str) -> Change:
        began = time.perf_counter()
        body = {"variant": variant, "override": "a benchmark"} if verb == "promote" else {}
        said = httpx.post(f"{url}/api/releases/main/{verb}", json=body, timeout=60)
        said.raise_for_status()
        return Change(name, began, time.perf_counter(), str(said.json()["variant"]))

    changes: list[Change] = []
    with process([*command, "--port", str(port)]):
        wait(once)
        with asking(once, given.clients) as replies:
            file = once_now(once)
            for _ in range(given.rounds):
                for kind, variant in (("beside its base", made.beside), ("merged, Q8_0", made.merged)):
                    changes.append(release(f"released {kind}", "promote", variant))
                    settle(replies, changes[-1])
                    back = release(f"rolled back from {kind}", "rollback", "")
                    changes.append(Change(back.name, back.at, back.told, file))
                    settle(replies, changes[-1])
    return told(f"Gatewheel, {given.clients} clients, {given.rounds} rounds", replies, changes)


def switched(folder: Path, made: Made, given: argparse.Namespace) -> Table:
    """llama.cpp's server: the scale of an adapter that it was started with is set."""
    del folder
    url, once = _theirs()
    scale, changes = 0.0, []

    def asked(client: httpx.Client) -> str:
        before = scale
        return once(client) and f"scale {before:g}"

    with _server(url, made, given, 0.0), asking(asked, given.clients, when=lambda: wait(once)) as replies:
        for _ in range(given.rounds):
            for wanted in (1.0, 0.0):
                began = time.perf_counter()
                httpx.post(f"{url}/lora-adapters", json=[{"id": 0, "scale": wanted}], timeout=60).raise_for_status()
                scale = wanted
                changes.append(Change(f"scale {wanted:g}", began, time.perf_counter(), f"scale {wanted:g}"))
                settle(replies, changes[-1])
    return told(f"llama.cpp's server, POST /lora-adapters, {given.clients} clients", replies, changes)


def restarted(folder: Path, made: Made, given: argparse.Namespace) -> Table:
    """llama.cpp's server: an adapter that it was not started with."""
    del folder
    url, once = _theirs()
    life, changes = 0, []

    def asked(client: httpx.Client) -> str:
        return once(client) and f"life {life}"

    with contextlib.ExitStack() as server:
        server.enter_context(_server(url, made, given, 0.0))
        with asking(asked, given.clients, when=lambda: wait(once)) as replies:
            for _ in range(given.rounds):
                began = time.perf_counter()
                server.close()
                life += 1
                server.enter_context(_server(url, made, given, 1.0))
                changes.append(Change("restarted with it", began, time.perf_counter(), f"life {life}"))
                settle(replies, changes[-1])
    return told(f"llama.cpp's server, restarted, {given.clients} clients", replies, changes)


def _theirs() -> tuple[str, Callable[[httpx.Client], str]]:
    """The URL of a server to come, and a request to it."""
    url = f"http://127.0.0.1:{free_port()}"
    turns = [{"role": "system", "content": "Answer in a sentence."}, {"role": "user", "content": QUESTION}]
    body = {"messages": turns, "max_tokens": TOKENS, "temperature": 0}

    def once(client: httpx.Client) -> str:
        said = client.post(f"{url}/v1/chat/completions", json=body)
        said.raise_for_status()
        return "it"

    return url, once


def _server(url: str, made: Made, given: argparse.Namespace, scale: float) -> contextlib.AbstractContextManager[None]:
    words = [url.rpartition(":")[2], made.weights, made.adapter, str(scale), str(given.clients)]
    return process([sys.executable, "-c", BARE, *words])


def told(title: str, replies: list[Reply], changes: list[Change]) -> Table:
    """One row for each kind of change, over its rounds: medians of the times, the latencies of all rounds together."""
    columns = ("change", "asked for, s", "first sent, s", "first answer, s", "failed", *_NAMES)
    table = Table(title=title, columns=columns)
    for name in dict.fromkeys(change.name for change in changes):
        mine = [change for change in changes if change.name == name]
        seen = [_seen(replies, change) for change in mine]
        latencies = [list(chain(*parts)) for parts in zip(*(one[3] for one in seen), strict=True)]
        middle = [sorted(one[at] for one in seen)[len(seen) // 2] for at in range(2)]
        asked = sorted(change.told - change.at for change in mine)[len(mine) // 2]
        cells = [f"{asked:.2f}", *(f"{value:.2f}" for value in middle), sum(one[2] for one in seen)]
        for part in latencies:
            cells += [f"{1e3 * _quantile(part, share):.0f}" for share in (0.5, 0.99)]
        table.rows.append([name, *cells])
    return table


_NAMES = tuple(f"{when} p{share}, ms" for when in ("before", "during", "after") for share in (50, 99))


def _seen(replies: list[Reply], change: Change) -> tuple[float, float, int, tuple[list[float], ...]]:
    """After how long the first request was sent, and answered, that the new one answered; failures; latencies."""
    later = sorted((one for one in replies if one.by == change.to and one.whole > change.told), key=lambda r: r.whole)
    first = later[0]
    settled = first.whole
    near = [one for one in replies if change.at - CALM < one.sent < settled + CALM]
    failed = sum(not one.by for one in near)
    good = [one for one in near if one.by]
    before = [one.whole - one.sent for one in good if one.whole < change.at]
    during = [one.whole - one.sent for one in good if one.whole >= change.at and one.sent <= settled]
    after = [one.whole - one.sent for one in good if one.sent > settled]
    return min(one.sent for one in later) - change.at, first.whole - change.at, failed, (before, during, after)


def _quantile(some: list[float], share: float) -> float:
    return sorted(some)[min(len(some) - 1, math.ceil(share * len(some)) - 1)] if some else math.nan


def settle(replies: list[Reply], change: Change) -> None:
    """Wait until the new one answers, and some calm seconds more. Raises SystemExit where it never does."""
    until = time.perf_counter() + 60
    while not any(one.by == change.to and one.whole > change.told for one in replies[-200:]):
        if time.perf_counter() > until:
            raise SystemExit(f"{change.name}: nobody was answered by {change.to[:12]}")
        time.sleep(0.02)
    time.sleep(CALM)


@contextlib.contextmanager
def asking(
    once: Callable[[httpx.Client], str], clients: int, *, when: Callable[[], None] = lambda: None
) -> Iterator[list[Reply]]:
    """So many clients at work, whose replies are in the list; it begins with some calm seconds."""
    when()
    made = Asking(once)
    threads = [threading.Thread(target=made.run, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(CALM)
    try:
        yield made.replies
    finally:
        made.stopped.set()
        for thread in threads:
            thread.join(30)


def once_now(once: Callable[[httpx.Client], str]) -> str:
    """Who answers at this moment."""
    with httpx.Client(timeout=120) as client:
        return once(client)


def wait(once: Callable[[httpx.Client], str]) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            once_now(once)
            return
        time.sleep(0.2)
    raise SystemExit("the server does not answer")


@contextlib.contextmanager
def process(command: list[str]) -> Iterator[None]:
    """A server for as long as it is needed."""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()
        child.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
