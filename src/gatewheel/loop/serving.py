"""A project as a service opens it: every local model on the engine that answers several requests at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gatewheel.kernel.config import Config, Table, validate
from gatewheel.loop.compose import Parts
from gatewheel.loop.project import Project

SHARED = "llama.cpp"  # the one engine here with continuous batching


def open_for_serving(project: Project) -> Project:
    """The same project with its models as `shared` makes them. Raises ConfigError."""
    config = shared(project.config)
    if config is project.config:
        return project
    parts = Parts(config, say=project.parts.say, written=project.parts.written)
    return Project(config, parts=parts, caller=project.caller)


@contextmanager
def as_served(parts: Parts) -> Iterator[Parts]:
    """The parts that would serve this project, for as long as they are needed: `parts` themselves if they are those."""
    config = shared(parts.config)
    if config is parts.config:
        yield parts
        return
    served = Parts(config, say=parts.say, written=parts.written, payer=parts.payer)
    try:
        yield served
    finally:
        served.close()


def shared(config: Config) -> Config:
    """The same configuration with `[serve] slots` in its models; `config` itself when they are there already.

    A model of `auto` becomes llama.cpp with so many slots, since `auto` measures a single question; one of llama.cpp
    that does not say `parallel` gets them. Both get a prompt cache: answers written side by side vary in their rounding
    anyhow. What names another engine stays as it is. Raises ConfigError.
    """
    models = {name: _shared(config.table("model", name), config.serve.slots) for name in config.names("model")}
    given = {name: dict(body) for name, body in config.raw.get("model", {}).items()}
    changed = {name: body for name, body in models.items() if body}
    if not changed:
        return config
    made = validate({**config.raw, "model": {**given, **changed}}, config.path)
    return config if made == config else made


def _shared(table: Table, slots: int) -> dict[str, Any]:
    """The table as it should be, or nothing when it may stay."""
    if table.use not in ("auto", SHARED):
        return {}
    # as the file said it, since a default may be one thing here and another there
    said = {key: getattr(table.settings, key) for key in table.settings.model_fields_set}
    return {"use": SHARED, "parallel": slots, "prompt_cache": True, **said}
