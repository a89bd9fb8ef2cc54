"""An adapter as what is served: merged into its base as a GGUF file, beside it as one, or as a folder to hand on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.config import OBJECT
from gatewheel.kernel.errors import ProjectError, UserError
from gatewheel.kernel.store.objects import Objects
from gatewheel.loop import artifacts
from gatewheel.loop.artifacts import Artifact, Kind
from gatewheel.loop.compose import Parts
from gatewheel.loop.recipes import identity
from gatewheel.models import weights

if TYPE_CHECKING:
    from gatewheel.models.dense import Dense

ADAPTER_ALONE = "lora"  # beside the base instead of merged into it
USUAL = "Q8_0"  # its perplexity is that of F16, at half the size


def gguf_of(
    parts: Parts, adapter: Artifact, *, kind: str = USUAL, run: str = "", say: Callable[[str], None] | None = None
) -> Artifact:
    """The GGUF file of an adapter, made when there is none yet: `kind` of the merged weights, or "lora" for it alone.

    Raises UserError for a kind that is none, ProjectError when the base is another by now, ModelError, MissingPart.
    """
    from gatewheel.models import exporting
    from gatewheel.models.adapters import read
    from gatewheel.models.dense import open_dense
    from gatewheel.models.lora_gguf import write_lora_gguf

    made: Kind = "lora-gguf" if kind == ADAPTER_ALONE else "gguf"
    for known in artifacts.of(parts.engine, kind=made):
        if known.meta.get("adapter") == adapter.id and known.meta.get("quantisation") == kind:
            return known
    (say or parts.say)(f"writing {kind} of adapter {adapter.id[:12]}")
    base = base_of(parts, adapter)
    source = artifacts.path(parts.objects, adapter)
    parts.objects.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parts.objects.folder, prefix=".export-") as folder:
        file = Path(folder) / "model.gguf"
        if kind == ADAPTER_ALONE:
            write_lora_gguf(read(source), open_dense(base).shape, file)
        else:
            exporting.export(merged(base, source), file, kind=kind)
        meta = {"adapter": adapter.id, "quantisation": kind, "base": dict(adapter.meta["base"])}
        return artifacts.keep(parts.engine, parts.objects, file, kind=made, run=run or adapter.run, meta=meta)


def write(parts: Parts, adapter: Artifact, to: Path, *, kind: str) -> int:
    """The merged weights, or the adapter alone as a PEFT folder, at a place of the user's; the bytes that it took.

    Raises UserError when something is there already, and what `gguf_of` raises.
    """
    from gatewheel.models import adapters, exporting

    if to.exists():
        raise UserError(f"{to} is there already", cure="name another place, or remove it")
    source = artifacts.path(parts.objects, adapter)
    if kind == ADAPTER_ALONE:
        return adapters.write(adapters.read(source), to).stat().st_size
    return exporting.export(merged(base_of(parts, adapter), source), to, kind=kind).bytes


def merged(base: Path, adapter: Path) -> Dense:
    """The weights of a base with an adapter in them, read matrix by matrix."""
    from gatewheel.models.adapters import read
    from gatewheel.models.dense import open_dense
    from gatewheel.models.merging import Merged

    return Merged(open_dense(base), read(adapter))


def base_of(parts: Parts, adapter: Artifact) -> Path:
    """The weights that an adapter was trained on. Raises MissingPart, ProjectError when they are others by now."""
    said: Mapping[str, Any] = adapter.meta["base"]
    named = str(said["weights"])
    path = place_of(parts.objects, named)
    if (now := identity(str(path))) != said["sha256"]:
        what = f"the weights {named} are {now[:12]}, and adapter {adapter.id[:12]} was trained on {said['sha256'][:12]}"
        raise ProjectError(what, cure="restore them, or tune again")
    return path


def place_of(objects: Objects, named: str) -> Path:
    """Where weights lie: a packaged name, a path, a Hugging Face folder or an object. Raises MissingPart."""
    if named.startswith(OBJECT):
        return objects.path(named.removeprefix(OBJECT))
    folder = Path(named).expanduser()
    return folder.resolve() if folder.is_dir() else weights.find(named)
