"""How fast each local engine is on this machine, for these weights: measured once in fresh processes, then remembered.

A fresh process per engine, because a cold question pays for the import and the load, and because an engine that
crashes must not take the caller with it.

Other work on the machine only ever makes an engine look slower. So a repeated measurement keeps, figure by figure, the
better of the old and the new; a first one under load stands until it is repeated (`doctor --measure`). New versions,
weights or threads start afresh. A failure may have been the hour's (no memory, no room), so it holds for a day only.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import GatewheelError, ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.places import cache_dir
from gatewheel.kernel.ports import Decoding
from gatewheel.models.cores import available_cores
from gatewheel.models.weights import find, identity, read_json, write_json

ENGINES = {"openvino": "openvino-genai", "llama.cpp": "xllamacpp"}  # catalog name → package that carries it
_PROMPT_TOKENS, _ANSWER_TOKENS = 1000, 48
_METHOD = 2  # raise it when an engine's figures change for another reason than its version
_FAILURE_HOLDS = 86_400.0  # seconds
_LIMIT = 180.0  # seconds for one engine, the conversion of larger weights included
_unwritten: dict[str, Any] = {}  # what a cache that cannot be written would have held, for this process


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """One engine on this machine: seconds to load, tokens per second of prompt and of answer. `error` says why not."""

    engine: str
    version: str
    load: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    error: str = ""


def cold_ask(figures: Figures) -> float:
    """Expected seconds of a first question: load, 1,000 tokens of prompt, 100 of answer; infinite if it fails."""
    if figures.error:
        return float("inf")
    return figures.load + 1000 / figures.prefill + 100 / figures.decode


def choose(
    weights: str,
    *,
    threads: int = 0,
    on_progress: Callable[[str], None] | None = None,
    refresh: bool = False,
) -> tuple[str, dict[str, Figures]]:
    """The engine with the fastest expected cold ask, and the figures of all; what is not known is measured (< 15 s).

    Raises MissingPart when the weights are not here, ModelError with every reason when no engine works.
    """
    known = remembered(weights, threads=threads)
    for engine in ENGINES:
        if refresh or engine not in known:
            if on_progress:
                on_progress(f"measuring {engine} on this machine, once (about 5 s)")
            known[engine] = _better(known.get(engine), _measure(engine, weights, threads))
            _remember(known[engine], weights, threads)
    best = min(known.values(), key=cold_ask)
    if best.error:
        reasons = "; ".join(f"{figures.engine}: {figures.error}" for figures in known.values())
        raise ModelError(f"no local engine can run '{weights}' ({reasons})", cure="see gatewheel doctor")
    return best.engine, known


def _better(old: Figures | None, new: Figures) -> Figures:
    if old is None or old.error or new.error:
        return new
    return replace(
        new, load=min(old.load, new.load), prefill=max(old.prefill, new.prefill), decode=max(old.decode, new.decode)
    )


def remembered(weights: str, *, threads: int = 0) -> dict[str, Figures]:
    """The figures that are known for these weights, these versions and this machine, by engine. Measures nothing."""
    held, known = read_json(_ledger()) | _unwritten, {}
    for engine in ENGINES:
        entry = held.get(_key(engine, find(weights), threads))
        with contextlib.suppress(TypeError):  # another version of Gatewheel wrote other fields
            if isinstance(entry, dict) and not _is_over(entry):
                known[engine] = Figures(**{key: value for key, value in entry.items() if key != "failed"})
    return known


def _is_over(entry: dict[str, Any]) -> bool:
    return bool(entry.get("error")) and abs(time.time() - float(entry.get("failed", 0))) > _FAILURE_HOLDS


def failed(engine: str, weights: str, *, threads: int, error: str) -> None:
    """Take note that an engine could not be used, so that for a day `choose` names another."""
    _remember(Figures(engine=engine, version=_version(engine), error=error[:300]), weights, threads)


def _remember(figures: Figures, weights: str, threads: int) -> None:
    when = {"failed": time.time()} if figures.error else {}
    entry = {_key(figures.engine, find(weights), threads): asdict(figures) | when}
    try:
        write_json(_ledger(), read_json(_ledger()) | entry)
    except OSError:
        _unwritten.update(entry)


def _ledger() -> Path:
    return cache_dir() / "machine.json"


def _key(engine: str, path: Path, threads: int) -> str:
    cores = threads or available_cores()
    return f"{identity(path)}|{engine}|{_version(engine)}|{_cpu()}|{cores}|{_METHOD}"


def _version(engine: str) -> str:
    try:
        return importlib.metadata.version(ENGINES[engine])
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _measure(engine: str, weights: str, threads: int) -> Figures:
    if not (version := _version(engine)):
        return Figures(engine=engine, version="", error=f"the package {ENGINES[engine]} is not installed")
    # -P: a json.py in the folder that the user stands in is not ours
    command = [sys.executable, "-P", "-m", __spec__.name, engine, weights, str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return Figures(engine=engine, version=version, error=f"not done after {_LIMIT:g} s")
    try:
        figures = json.loads(done.stdout.splitlines()[-1])
        return Figures(engine=engine, version=version, **figures)
    except (IndexError, ValueError, TypeError):
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Figures(engine=engine, version=version, error=said[-1][:300])


def main(arguments: Sequence[str]) -> None:
    """The child: measure one engine and print its figures as the last line."""
    engine, weights, threads = arguments
    try:
        figures = _figures(engine, weights, int(threads))
    except GatewheelError as error:
        figures = {"error": str(error)}
    print(json.dumps(figures), flush=True)
    os._exit(0)  # an engine that stumbles while it is taken down has been measured all the same


def _figures(engine: str, weights: str, threads: int) -> dict[str, Any]:
    module, told = catalog.load("model", engine), list[str]()
    settings = module.Settings(weights=weights, threads=threads)
    started = time.perf_counter()
    model = module.create(settings, on_progress=told.append)
    if told:  # it converted the weights, which later loads will not do
        model.close()
        started = time.perf_counter()
        model = module.create(settings, on_progress=told.append)
    load = time.perf_counter() - started
    decoding = Decoding(max_tokens=_ANSWER_TOKENS)
    usage = model.chat(_prompt(model.count_tokens), decoding=decoding).usage
    if usage.output_tokens < 8 or not usage.seconds_to_first_token:
        return {"error": f"it wrote {usage.output_tokens} of {_ANSWER_TOKENS} tokens"}
    writing = usage.seconds - usage.seconds_to_first_token
    return {
        "load": round(load, 3),
        "prefill": round(usage.input_tokens / usage.seconds_to_first_token, 1),
        "decode": round((usage.output_tokens - 1) / writing, 1),
    }


def _prompt(count: Callable[[str], int]) -> list[Message]:
    sentence = "The lighthouse keeper climbs the stairs at dusk, lights the lamp and writes the weather into the log. "
    return [
        Message(role="system", content="You are a storyteller."),
        Message(role="user", content=sentence * (_PROMPT_TOKENS // count(sentence)) + "\nContinue with a long story."),
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
