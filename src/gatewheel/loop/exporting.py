"""An adapter as what is served: merged into its base as a GGUF file, beside it as one, or as a folder to hand on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.config import OBJECT
from gatewheel.kernel.errors import ProjectError, UserError
from gatewheel.kernel.store.objects import Objects
from gatewheel.loop import artifacts, rounding, tainting
from gatewheel.loop.artifacts import Artifact, Kind
from gatewheel.loop.compose import Parts
from gatewheel.loop.recipes import identity
from gatewheel.loop.rounding import Rounding
from gatewheel.models import weights

if TYPE_CHECKING:
    from gatewheel.models.dense import Dense

ADAPTER_ALONE = "lora"  # beside the base instead of merged into it
USUAL = "Q8_0"  # its perplexity is that of F16, at half the size


def gguf_of(
    parts: Parts, adapter: Artifact, *, kind: str = USUAL, run: str = "", say: Callable[[str], None] | None = None
) -> Artifact:
    """The GGUF file of an adapter, made when there is none yet: `kind` of the merged weights, or "lora" for it alone.

    Its `meta` says what the kind costs in perplexity. Raises UserError for a kind that is none, ProjectError when the
    base is another by now and the file is not whole without it, ModelError, MissingPart.
    """
    from gatewheel.models import exporting
    from gatewheel.models.adapters import read
    from gatewheel.models.lora_gguf import write_lora_gguf

    made: Kind = "lora-gguf" if kind == ADAPTER_ALONE else "gguf"
    for known in artifacts.of(parts.engine, kind=made):
        if known.meta.get("adapter") == adapter.id and known.meta.get("quantisation") == kind:
            if kind == ADAPTER_ALONE:
                base_of(parts, adapter)  # beside other weights of the same shape it would answer wrongly, in silence
            return known
    (say or parts.say)(f"writing {kind} of adapter {adapter.id[:12]}")
    base = base_of(parts, adapter)
    source = artifacts.path(parts.objects, adapter)
    parts.objects.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parts.objects.folder, prefix=".export-") as folder:
        file = Path(folder) / "model.gguf"
        tuned = merged(base, source)
        if kind == ADAPTER_ALONE:
            write_lora_gguf(read(source), tuned.shape, file)
        else:
            exporting.export(tuned, file, kind=kind)
            (say or parts.say)(f"measuring what {kind} costs in perplexity")
        cost = rounding.plain(rounding.measure(parts, adapter, tuned, file, kind=kind))
        meta = {"adapter": adapter.id, "quantisation": kind, "base": dict(adapter.meta["base"]), "perplexity": cost}
        return artifacts.keep(parts.engine, parts.objects, file, kind=made, run=run or adapter.run, meta=meta)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What was written for a user, `bytes` long, and what it cost in perplexity."""

    bytes: int
    rounding: Rounding


def write(parts: Parts, adapter: Artifact, to: Path, *, kind: str) -> Exported:
    """Write the merged weights, or the adapter alone as a PEFT folder, to a place of the user's.

    Raises UserError for a tainted adapter and when something is there already, and what `gguf_of` raises.
    """
    from gatewheel.models import adapters, exporting

    tainting.refuse_artifact(parts.engine, adapter.id)
    if to.exists():
        raise UserError(f"{to} is there already", cure="name another place, or remove it")
    source = artifacts.path(parts.objects, adapter)
    tuned = merged(base_of(parts, adapter), source)
    if kind == ADAPTER_ALONE:
        size = adapters.write(adapters.read(source), to).stat().st_size
    else:
        size = exporting.export(tuned, to, kind=kind).bytes
        parts.say(f"measuring what {kind} costs in perplexity")
    return Exported(bytes=size, rounding=rounding.measure(parts, adapter, tuned, to, kind=kind))


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
