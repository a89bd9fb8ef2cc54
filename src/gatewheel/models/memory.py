"""How much memory a local model takes: measured in a process of its own, then remembered.

It is what the process grows by, from before the engine is imported to after a first answer: weights, the context of
every slot, and the engine. Weights that are mapped from a file count as far as they were read.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.places import cache_dir
from gatewheel.kernel.ports import Decoding
from gatewheel.models.cores import available_cores
from gatewheel.models.measure import ENGINES
from gatewheel.models.weights import read_json, write_json

LOCAL = ("llama.cpp", "openvino", "hf")  # what runs in the process that asks, or in one that it starts
_METHOD = 2  # raise it when figures change for another reason than the engine
_LIMIT = 300.0  # seconds, the conversion of larger weights included
_unwritten: dict[str, Any] = {}  # what a cache that cannot be written would have held, for this process


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Bytes that a model takes once it has answered, and at most until then. `error` says why there is no figure."""

    answering: int = 0
    peak: int = 0
    error: str = ""


def remembered(use: str, settings: Mapping[str, Any], weights: str) -> Memory | None:
    """What is known of a model with these settings and weights of this SHA-256, on this machine. Measures nothing."""
    held = (read_json(_ledger()) | _unwritten).get(_key(use, settings, weights))
    with contextlib.suppress(TypeError):  # another version of Gatewheel wrote other fields
        return Memory(**held) if isinstance(held, dict) else None
    return None


def measure(use: str, settings: Mapping[str, Any], weights: str) -> Memory:
    """Load the model in a process of its own, let it answer, and keep what that took (seconds; failures are not kept).

    `use` is one of LOCAL.
    """
    found = _in_a_child(use, settings)
    if found.pop("converted", False):  # later loads find the conversion, and so does what is measured
        found = _in_a_child(use, settings)
        found.pop("converted", None)
    memory = Memory(**found)
    if not memory.error:
        entry = {_key(use, settings, weights): asdict(memory)}
        try:
            write_json(_ledger(), read_json(_ledger()) | entry)
        except OSError:
            _unwritten.update(entry)
    return memory


def _in_a_child(use: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    # -P: a json.py in the folder that the user stands in is not ours
    command = [sys.executable, "-P", "-m", __spec__.name, use, json.dumps(dict(settings))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {_LIMIT:g} s"}
    try:
        found = json.loads(done.stdout.splitlines()[-1])
        return dict(found)
    except (IndexError, ValueError, TypeError):
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"error": said[-1][:300]}


def _ledger() -> Path:
    return cache_dir() / "memory.json"


def _key(use: str, settings: Mapping[str, Any], weights: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version(ENGINES.get(use, "transformers"))
        rest = {key: value for key, value in settings.items() if key != "weights"}
        said = [use, version, weights, rest, settings.get("threads") or available_cores(), _METHOD]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return ""


def main(arguments: Sequence[str]) -> None:
    """The child: load one model, let it answer, and print what it took as the last line."""
    use, settings = arguments
    try:
        found = _figures(use, json.loads(settings))
    except GatewheelError as error:
        found = {"error": str(error)}
    print(json.dumps(found), flush=True)
    os._exit(0)  # an engine that stumbles while it is taken down has been measured all the same


def _figures(use: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    before, told = _resident("VmRSS"), list[str]()
    if not before:
        return {"error": "this system does not tell how much memory a process has (/proc/self/status)"}
    module = catalog.load("model", use)
    model = module.create(module.Settings(**settings), on_progress=told.append)
    model.chat([Message(role="user", content="Name a harbour.")], decoding=Decoding(max_tokens=8))
    return {
        "answering": max(0, _resident("VmRSS") - before),
        "peak": max(0, _resident("VmHWM") - before),
        "converted": any(line.startswith("converting") for line in told),
    }


def _resident(field: str) -> int:
    """Bytes of this process and those that it started, of proc_pid_status(5); 0 where there is no /proc."""
    own = str(os.getpid())
    found = [_status(folder) for folder in Path("/proc").glob("[0-9]*")]
    mine = (told for told in found if own in (told.get("Pid"), told.get("PPid")))
    return sum(1024 * int(told.get(field, "0").split()[0]) for told in mine)


def _status(process: Path) -> dict[str, str]:
    try:
        lines = (process / "status").read_text(encoding="utf-8").splitlines()
    except OSError:  # it ended meanwhile
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


if __name__ == "__main__":
    main(sys.argv[1:])
