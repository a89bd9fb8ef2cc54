"""What a model's name in a request stands for.

`[app.main]` is `app`, any other `[app.<name>]` is `app/<name>`, `[model.<name>]` is `<name>`, and the encoder is
`encoder`. Where two share a name, the application comes before the encoder and the encoder before the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gatewheel.kernel.config import Config
from gatewheel.kernel.errors import did_you_mean
from gatewheel.serve.fault import Fault

Kind = Literal["app", "model", "encoder"]
ENCODER = "encoder"


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A table of the project by the name that clients use for it."""

    name: str
    kind: Kind
    table: str


def known(config: Config) -> Mapping[str, Named]:
    """Every name that a client may use."""
    named = [Named(name=name, kind="model", table=name) for name in config.names("model")]
    if config.table("encoder", "main").use != "none":
        named.append(Named(name=ENCODER, kind="encoder", table="main"))
    for name in config.names("app"):
        named.append(Named(name="app" if name == "main" else f"app/{name}", kind="app", table=name))
    return {one.name: one for one in named}


def writer(config: Config, name: str) -> Named:
    """An application or a model. Raises Fault 404 for an unknown name, 400 for the encoder's."""
    found = find(config, name)
    if found.kind == "encoder":
        raise Fault(400, f"'{name}' makes vectors and writes nothing; use 'app' or a model", param="model")
    return found


def encoder(config: Config, name: str) -> Named:
    """The encoder. Raises Fault 404 for an unknown name, 400 for one that makes no vectors."""
    found = find(config, name)
    if found.kind != "encoder":
        raise Fault(400, f"'{name}' makes no vectors; use '{ENCODER}'", param="model")
    return found


def find(config: Config, name: str) -> Named:
    """Whatever has this name. Raises Fault 404."""
    names = known(config)
    if name not in names:
        message = f"no model named '{name}'; {did_you_mean(name, names)}"
        raise Fault(404, message, code="model_not_found", param="model")
    return names[name]
