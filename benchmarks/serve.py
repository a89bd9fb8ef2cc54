"""What does the service add to a bare llama.cpp engine, and to the same upstream beside LiteLLM's proxy?

    python benchmarks/serve.py
    python benchmarks/serve.py --requests 200 --rounds 3

Four servers with the same weights and slots: llama.cpp's own HTTP server (xllamacpp), `gatewheel serve` with the engine
in its process, and, both in front of the bare server, `gatewheel serve` and LiteLLM's proxy. Requests of one token show
latency, streams of 64 tokens throughput. Rounds go from server to server, so that all meet the same noise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from report import Table, parser, show

HERE = Path(__file__).parent
SLOTS = 8
TOKENS = 64
PLAIN = "llama.cpp without its prompt cache"  # as Gatewheel runs it: the same question gets the same answer
BARE = """
import sys, time
import xllamacpp
from gatewheel.models.weights import find
p = xllamacpp.CommonParams()
p.model.path = str(find("smollm2-135m-instruct"))
p.n_parallel = int(sys.argv[2]); p.n_ctx = 2048 * p.n_parallel
p.n_batch = p.n_ubatch = 512
for cpu in (p.cpuparams, p.cpuparams_batch):
    cpu.n_threads = 2
    cpu.poll = 0
p.warmup = False; p.verbosity = -1
p.hostnames = ["127.0.0.1"]; p.port = int(sys.argv[1])
s = xllamacpp.Server(p)
while True: time.sleep(60)
"""


def main() -> None:
    """Print latency and throughput of all four."""
    options = parser(__doc__)
    options.add_argument("--requests", type=int, default=160, help="short requests of one round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--clients", type=int, default=16)
    given = options.parse_args()
    with contextlib.ExitStack() as stack:
        servers = _start(stack)
        latencies: dict[tuple[str, int], list[float]] = {}
        speeds: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(given.rounds):
            for clients in (1, given.clients):
                for name, url in servers.items():
                    found = asyncio.run(_short(url, clients, given.requests, cached=name != PLAIN))
                    latencies.setdefault((name, clients), []).extend(found)
            for name, url in servers.items():
                speeds[name].append(asyncio.run(_long(url, SLOTS, cached=name != PLAIN)))
    show(_tables(given, latencies, speeds), as_json=given.json)


def _tables(
    given: argparse.Namespace, latencies: dict[tuple[str, int], list[float]], speeds: dict[str, list[float]]
) -> list[Table]:
    columns = ("server", "clients", "p50 ms", "p99 ms", "added p50 ms", "added p99 ms")
    table = Table(title=f"Answers of one token, {given.rounds} rounds of {given.requests}", columns=columns)
    for (name, clients), found in latencies.items():
        bare = latencies["llama.cpp alone", clients]
        middle, late = _milliseconds(found, 50), _milliseconds(found, 99)
        added = (middle - _milliseconds(bare, 50), late - _milliseconds(bare, 99))
        table.rows.append([name, clients, *(f"{value:.1f}" for value in (middle, late, *added))])
    flow = Table(
        title=f"{SLOTS} streams of {TOKENS} tokens", columns=("server", "tokens/s", "÷ bare", "÷ bare without cache")
    )
    for name, rates in speeds.items():
        middle = statistics.median(rates)
        ratios = (f"{middle / statistics.median(speeds[bare]):.2f}" for bare in ("llama.cpp alone", PLAIN))
        flow.rows.append([name, f"{middle:.1f}", *ratios])
    return [table, flow]


def _milliseconds(seconds: list[float], percentile: int) -> float:
    return 1_000 * statistics.quantiles(seconds, n=100, method="inclusive")[percentile - 1]


def _start(stack: contextlib.ExitStack) -> dict[str, str]:
    """Name → base URL of each server, all of them answering."""
    bare, inside, front, proxy = (_free_port() for _ in range(4))
    upstream = f"http://127.0.0.1:{bare}/v1"
    stack.enter_context(_process([sys.executable, "-c", BARE, str(bare), str(SLOTS)]))
    engine = 'use = "llama.cpp"\ncontext_length = 2048'
    stack.enter_context(_gatewheel(stack, inside, engine))
    stack.enter_context(_gatewheel(stack, front, f'use = "openai"\nmodel = "bare"\nbase_url = "{upstream}"'))
    configuration = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "litellm.yaml"
    told = {"model": "openai/bare", "api_base": upstream, "api_key": "none"}
    configuration.write_text(json.dumps({"model_list": [{"model_name": "chat", "litellm_params": told}]}))
    litellm = str(HERE / ".venv-litellm/bin/litellm")
    stack.enter_context(
        _process([litellm, "--config", str(configuration), "--port", str(proxy), "--host", "127.0.0.1"])
    )
    servers = {
        "llama.cpp alone": bare,
        PLAIN: bare,
        "Gatewheel": inside,
        "Gatewheel in front": front,
        "LiteLLM in front": proxy,
    }
    urls = {name: f"http://127.0.0.1:{port}/v1/chat/completions" for name, port in servers.items()}
    for url in urls.values():
        _wait(url)
    return urls


def _gatewheel(stack: contextlib.ExitStack, port: int, model: str) -> contextlib.AbstractContextManager[None]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    settings = f"[model.chat]\n{model}\n[serve]\nslots = {SLOTS}\nqueue = 64\n[trace]\nstore = false\n"
    (folder / "gatewheel.toml").write_text(settings, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("gatewheel")), "-C", str(folder), "serve", "--port", str(port)]
    return _process(command)


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[None]:
    # LiteLLM refuses to start without a key of its own, even on loopback
    open_proxy = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OPENAI_API_KEY": "none"} | open_proxy
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()


def _wait(url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.post(url, json=_request(1), timeout=20).status_code == 200:
                return
        time.sleep(0.5)
    raise SystemExit(f"{url} does not answer")


def _request(tokens: int, *, stream: bool = False) -> dict[str, Any]:
    return {
        "model": "chat",
        "messages": [{"role": "user", "content": "Count from one to a hundred in words."}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": stream,
    }


async def _short(url: str, clients: int, requests: int, cached: bool) -> list[float]:
    found: list[float] = []
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=clients)) as client:

        async def one_after_another() -> None:
            for _ in range(max(1, requests // clients)):
                began = time.perf_counter()
                reply = await client.post(url, json=_request(1) | ({} if cached else {"cache_prompt": False}))
                reply.raise_for_status()
                found.append(time.perf_counter() - began)

        await asyncio.gather(*(one_after_another() for _ in range(clients)))
    return found


async def _long(url: str, clients: int, cached: bool) -> float:
    """Tokens a second of all streams together."""
    async with httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=clients)) as client:

        async def one() -> int:
            pieces = 0
            async with client.stream(
                "POST", url, json=_request(TOKENS, stream=True) | ({} if cached else {"cache_prompt": False})
            ) as reply:
                reply.raise_for_status()
                async for line in reply.aiter_lines():
                    pieces += line.startswith("data:") and '"content":' in line
            return pieces

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(clients)))
        return clients * TOKENS / (time.perf_counter() - began)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
