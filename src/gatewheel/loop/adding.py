"""What a tuning made becomes a variant: the recipe of an application with tuned weights in its model."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatewheel.kernel import runs
from gatewheel.kernel.config import OBJECT, Config, validate
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Variant
from gatewheel.loop import artifacts, tainting
from gatewheel.loop.artifacts import Artifact
from gatewheel.loop.compose import Parts
from gatewheel.loop.exporting import ADAPTER_ALONE, USUAL, gguf_of, place_of
from gatewheel.loop.recipes import identity, words
from gatewheel.loop.serving import shared

LOCAL = ("auto", "openvino", "llama.cpp", "hf")


def adapter_named(parts: Parts, named: str) -> Artifact:
    """The adapter of a run, by the beginning of the run's id or of its own. Raises UserError.

    Of a run that learned word for word what another had, it is that of the other.
    """
    made = [one for one in artifacts.of(parts.engine, kind="adapter") if named and one.run.startswith(named)]
    if len({one.run for one in made}) == 1:
        return made[0]
    found = artifacts.get(parts.engine, _came_to(parts, named) or named)
    if found.kind != "adapter":
        raise UserError(f"artifact {found.id[:12]} is a {found.kind}", cure="name an adapter, or the run that made it")
    return found


def _came_to(parts: Parts, named: str) -> str:
    """The adapter that a run ended with, by the whole id of it; empty where there is none."""
    with suppress(UserError):
        run = runs.get(parts.engine, named)
        return str(run.result.get("adapter", "")) if run.id == named and run.state == "done" else ""
    return ""


def add(parts: Parts, named: str, *, app: str = "main", kind: str = USUAL) -> Variant:
    """Keep the variant that `[app.<app>]` is with an adapter: merged as GGUF `kind`, or with "lora" beside its base.

    The files are those that will be served. Raises UserError for what is no adapter or a tainted one, ConfigError for
    an application that there is not, and what `gguf_of` raises.
    """
    adapter = adapter_named(parts, named)
    tainting.refuse_artifact(parts.engine, adapter.id)
    made = Parts(tuned(parts, adapter, app=app, kind=kind), say=parts.say, lender=parts)
    return made.keep_variant(app)


def file_of(parts: Parts, variant: Variant) -> Artifact:
    """The file of a variant that `add` kept: its merged weights, or the adapter beside them."""
    model = variant.recipe["model"]
    return artifacts.get(parts.engine, str(model.get("adapter_sha256") or model["weights_sha256"]))


def tuned(parts: Parts, adapter: Artifact, *, app: str, kind: str) -> Config:
    """The project with an adapter in the model of an application, as it would be served."""
    settings: Any = parts.config.table("app", app).settings
    return with_adapter(parts, adapter, model=settings.model, kind=kind)


def with_adapter(parts: Parts, adapter: Artifact, *, model: str, kind: str, name: str = "") -> Config:
    """The project with an adapter in `[model.<model>]`, or with both of them as a model of another name."""
    table = parts.config.table("model", model)
    file = gguf_of(parts, adapter, kind=kind)
    said = dict(parts.written.raw.get("model", {}).get(model, {}))
    use = str(said.get("use", table.use)) if table.use in LOCAL else "auto"
    kept = {key: value for key, value in said.items() if key not in ("use", "weights", "adapter")}
    if table.use not in LOCAL:
        kept = {}
    if kind == ADAPTER_ALONE:
        if use not in ("auto", "llama.cpp"):
            where = f"{parts.config.path.name}: [model.{model}] use"
            raise ConfigError(f"{where}: '{use}' takes no adapter beside its weights", cure="merge it: --kind Q8_0")
        body = {"use": "llama.cpp", **kept, "weights": adapter.meta["base"]["weights"], "adapter": OBJECT + file.id}
    else:
        body = {"use": use, **kept, "weights": OBJECT + file.id}
    raw = {**parts.written.raw, "model": {**parts.written.raw.get("model", {}), name or model: body}}
    return shared(validate(raw, parts.config.path))


def adopt(parts: Parts, folder: Path, *, app: str = "main", base: str = "") -> Artifact:
    """Keep an adapter that was trained elsewhere on the weights of an application's model, or of `[model.<base>]`.

    For other weights it is another artifact: which they are stands in its bytes, as in those of what was trained here.
    Raises MissingPart where there is none, ModelError for one that is damaged or does not fit the weights, ConfigError
    for a model that runs elsewhere.
    """
    from gatewheel.loop import tuning
    from gatewheel.models import adapters
    from gatewheel.models.dense import open_dense
    from gatewheel.models.weights import base_identity

    table = tuning.base_table(parts, tuning.Wanted(data="", app=app, base=base))
    settings: Any = table.settings
    weights = place_of(parts.objects, str(settings.weights))
    read = adapters.read(folder)
    adapters.refuse_misfit(read, open_dense(weights).shape)
    meta = {
        "base": {"weights": words(table)["weights"], "sha256": identity(str(weights))},
        "app": app,
        "method": "given",
        "trained_on": read.base,  # by its own words; whether it was these weights can be told by their shapes alone
    }
    with tempfile.TemporaryDirectory() as made:
        file = adapters.write(replace(read, base=base_identity(weights)), Path(made))
        return artifacts.keep(parts.engine, parts.objects, file, kind="adapter", run="", meta=meta)
