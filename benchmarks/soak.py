"""Does the service stand ten minutes of twice its capacity: no 5xx, no leak, waits bounded by the queue?

    python benchmarks/soak.py
    python benchmarks/soak.py --minutes 1

Mixed load on `gatewheel serve`: chat streams, answers from documents, searches, embeddings, feedback, clients that
leave in the middle. First as many clients as the slots can serve, to learn its capacity, then a flow of twice that many
requests a second, whether or not earlier ones have ended.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from report import Table, parser, show
from serve import _free_port

SLOTS, QUEUE = 2, 8
KB = 1024 / 1e6
WORDS = "gate wheel variant document passage citation trace feedback release index encoder prompt".split()


def main() -> None:
    """Print what came back and the memory."""
    options = parser(__doc__)
    options.add_argument("--minutes", type=float, default=10)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _project(folder)
        port = _free_port()
        gatewheel = str(Path(sys.executable).with_name("gatewheel"))
        subprocess.run([gatewheel, "-C", str(folder), "ingest"], check=True, stdout=subprocess.DEVNULL)
        command = [gatewheel, "-C", str(folder), "serve", "--port", str(port)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            tables = asyncio.run(_load(f"http://127.0.0.1:{port}", child.pid, given))
        finally:
            child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(40)
            child.kill()
    show(tables, as_json=given.json)


def _project(folder: Path) -> None:
    settings = f'[model.chat]\nuse = "llama.cpp"\ncontext_length = 2048\n[serve]\nslots = {SLOTS}\nqueue = {QUEUE}\n'
    (folder / "gatewheel.toml").write_text(settings, encoding="utf-8")
    prompts = folder / "prompts"
    prompts.mkdir()
    source = Path(__file__).parents[1] / "src/gatewheel/sample/answer.md"
    (prompts / "answer.md").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    for page in (Path(__file__).parents[1] / "docs").glob("*.md"):
        (folder / page.name).write_text(page.read_text(encoding="utf-8"), encoding="utf-8")


async def _load(url: str, pid: int, given: argparse.Namespace) -> list[Table]:
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=httpx.Limits(max_connections=500)) as client:
        await _ready(client)
        capacity, slowest = await _capacity(client)
        counts: Counter[str] = Counter()
        seconds: list[float] = []
        memory = [_memory(pid)]
        draw, under_way = random.Random(0), set()
        began = last = time.monotonic()
        while (now := time.monotonic()) - began < 60 * given.minutes:
            task = asyncio.create_task(_one(client, draw.random(), counts, seconds))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            if now - last > 60 * given.minutes / 10:
                memory.append(_memory(pid))
                last = now
            await asyncio.sleep(draw.expovariate(2 * capacity))
        await asyncio.gather(*under_way)
        memory.append(_memory(pid))
    title = f"{given.minutes} minutes of twice the capacity ({capacity:.2f} requests/s), {SLOTS} slots, queue {QUEUE}"
    answers = Table(title=title, columns=("status", "requests"), rows=[[k, v] for k, v in sorted(counts.items())])
    ordered = sorted(seconds)
    figures = [["p50", statistics.median(ordered)], ["p99", ordered[int(0.99 * (len(ordered) - 1))]]]
    figures.append(["a full queue of calls as slow as the slowest when nobody waited", (QUEUE / SLOTS + 1) * slowest])
    late = Table(title="Accepted calls of a model, seconds", columns=("figure", "value"), rows=figures)
    points = [[f"{10 * at} %", f"{value:.0f}"] for at, value in enumerate(memory)]
    curve = Table(title="Resident set, MB", columns=("at", "MB"), rows=points)
    return [answers, late, curve]


async def _ready(client: httpx.AsyncClient) -> None:
    for _ in range(240):
        with contextlib.suppress(httpx.HTTPError):
            if (await client.get("/readyz")).status_code == 200:
                return
        await asyncio.sleep(0.5)
    raise SystemExit("the service did not become ready")


async def _capacity(client: httpx.AsyncClient) -> tuple[float, float]:
    """Requests a second with as many clients as slots, of the same mixture; seconds of the slowest call of a model."""
    counts: Counter[str] = Counter()
    seconds: list[float] = []
    draw, began = random.Random(1), time.monotonic()

    async def clients() -> None:
        while time.monotonic() - began < 40:
            await _one(client, draw.random(), counts, seconds)

    await asyncio.gather(*(clients() for _ in range(SLOTS)))
    return sum(counts.values()) / (time.monotonic() - began), max(seconds)


async def _one(client: httpx.AsyncClient, kind: float, counts: Counter[str], seconds: list[float]) -> None:
    words = " ".join(random.choices(WORDS, k=6))
    message = [{"role": "user", "content": f"Say something about {words}."}]
    chat: dict[str, Any] = {"model": "chat", "messages": message, "max_tokens": 24, "stream": True}
    began = time.monotonic()
    try:
        if kind < 0.1:  # leaves in the middle
            async with client.stream("POST", "/v1/chat/completions", json=chat) as reply:
                async for _ in reply.aiter_lines():
                    break
                counts[f"{reply.status_code} left"] += 1
            return
        if kind < 0.5:
            reply = await client.post("/v1/chat/completions", json=chat)
        elif kind < 0.7:
            reply = await client.post("/api/ask", json={"question": f"What is a {random.choice(WORDS)}?"})
        elif kind < 0.85:
            reply = await client.get("/api/search", params={"q": words})
        elif kind < 0.95:
            reply = await client.post("/v1/embeddings", json={"model": "encoder", "input": [words]})
        else:
            reply = await client.post("/api/feedback", json={"trace": "0" * 32, "thumb": "up"})
    except httpx.HTTPError as error:
        counts[type(error).__name__] += 1
        return
    counts[str(reply.status_code)] += 1
    if kind < 0.7 and reply.status_code == 200:
        seconds.append(time.monotonic() - began)


def _memory(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * KB if found else 0.0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
