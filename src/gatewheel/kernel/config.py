"""gatewheel.toml: `[kind.name]` tables validated against the Settings of the catalog entry that `use` names.

A value may name another table. No interpolation, no expressions, no nesting. Secrets never stand here.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import ConfigError, ProjectError, did_you_mean
from gatewheel.kernel.settings import (
    MODELS,
    AccessSettings,
    ProjectSettings,
    ScaleSettings,
    ServeSettings,
    SourceSettings,
    StoreSettings,
    TraceSettings,
)
from gatewheel.kernel.store.objects import Objects

CONFIG_FILE = "gatewheel.toml"
STATE_FOLDER = ".gatewheel"
OBJECT = "object:"  # before the SHA-256 of what a run of the project made, as in weights = "object:0f3a…"

Single = TypeVar("Single", bound=BaseModel)
SINGLE = tuple(MODELS)

# What a project is made of when its file does not say.
DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "model": {"chat": {"use": "auto"}},
    "encoder": {"main": {"use": "openvino"}},
    "reader": {name: {"use": name} for name in catalog.CATALOG["reader"]},
    "chunker": {"main": {"use": "structure"}},
    "index": {"main": {"use": "exact"}},
    "retriever": {"main": {"use": "hybrid"}},
    "checker": {"main": {"use": "grounding"}},
    "app": {"main": {"use": "answer"}},
    "gate": {},
    "finetune": {"lora": {"use": "lora"}, "qlora": {"use": "qlora"}},
    "metric": {},  # evals/resolve.py finds those of the catalog by name, so that no start imports them all
}
# Kinds whose tables need not say what they use.
USUAL: dict[str, dict[str, Any]] = {"gate": {"use": "margins"}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One validated `[kind.name]` table."""

    kind: str
    name: str
    use: str
    settings: BaseModel

    def plain(self) -> dict[str, Any]:
        """The table as it would stand in the file, every default filled in."""
        return {"use": self.use, **self.settings.model_dump(mode="json")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A whole validated file. `tables` are keyed by (kind, name)."""

    path: Path
    project: ProjectSettings
    sources: SourceSettings
    trace: TraceSettings
    store: StoreSettings
    serve: ServeSettings
    access: AccessSettings
    scale: ScaleSettings
    tables: Mapping[tuple[str, str], Table]
    raw: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)  # as the file says it

    @property
    def root(self) -> Path:
        """The folder of the project."""
        return self.path.parent

    @property
    def state(self) -> Path:
        """The folder of everything that is not in the user's git."""
        return self.root / STATE_FOLDER

    def table(self, kind: str, name: str) -> Table:
        """One table. Raises ConfigError when the file has none of that kind and name."""
        try:
            return self.tables[kind, name]
        except KeyError:
            known = [n for k, n in self.tables if k == kind]
            raise ConfigError(f"{self.path.name}: no [{kind}.{name}]", cure=did_you_mean(name, known)) from None

    def names(self, kind: str) -> list[str]:
        """The names of all tables of a kind."""
        return [name for k, name in self.tables if k == kind]

    def plain(self) -> dict[str, Any]:
        """The whole configuration as nested plain values, every default filled in."""
        out: dict[str, Any] = {name: getattr(self, name).model_dump(mode="json") for name in SINGLE}
        for (kind, name), table in self.tables.items():
            out.setdefault(kind, {})[name] = table.plain()
        return out


def find(start: Path) -> Path:
    """The gatewheel.toml of the nearest folder, upwards from `start`.

    Raises ConfigError when there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_FILE).is_file():
            return folder / CONFIG_FILE
    raise ConfigError(f"no {CONFIG_FILE} in {start} or above", cure="run `gatewheel init` in the project's folder")


def load(path: Path) -> Config:
    """Read and validate a file.

    Raises ConfigError with file, table, key, value and cure for the first thing that is wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    # not only TOMLDecodeError: a number of 5,000 digits is a ValueError, a thousand brackets recurse
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}", cure="mend that line") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", cure="check its permissions") from None
    return validate(raw, path)


def validate(raw: Mapping[str, Any], path: Path) -> Config:
    """Validate already parsed TOML. `path` is where it came from, for messages and relative paths."""
    known = {*SINGLE, *DEFAULTS}
    for key, value in raw.items():
        if key not in known:
            raise ConfigError(f"{path.name}: [{key}] is not a table of Gatewheel", cure=did_you_mean(key, known))
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path.name}: {key}: must be a table, got {value!r}", cure=f"write [{key}]")
    tables: dict[tuple[str, str], Table] = {}
    for kind, default in DEFAULTS.items():
        given = raw.get(kind, {})
        for name, body in (default | dict(given)).items():
            tables[kind, name] = _table(kind, name, body, default.get(name), path)
    singles: dict[str, Any] = {
        name: checked(model, raw.get(name, {}), f"{path.name}: [{name}]") for name, model in MODELS.items()
    }
    config = Config(
        path=path,
        **singles,
        tables=tables,
        raw=raw,
    )
    _check_references(config)
    return config


def _table(kind: str, name: str, body: Any, default: Mapping[str, Any] | None, path: Path) -> Table:
    where = f"{path.name}: [{kind}.{name}]"
    if not isinstance(body, Mapping):
        raise ConfigError(f"{where}: must be a table, got {body!r}", cure=f"write [{kind}.{name}]")
    use = body.get("use", (default or USUAL.get(kind, {})).get("use"))
    if use is None:
        raise ConfigError(f"{where} use: is missing", cure=f"one of: {', '.join(sorted(catalog.names(kind)))}")
    try:
        module = catalog.load(kind, str(use))
    except ConfigError as error:
        raise ConfigError(f"{where} use: {error.what}", cure=error.cure) from None
    rest = {key: _here(value, path, f"{where} {key}") for key, value in body.items() if key != "use"}
    return Table(kind=kind, name=name, use=str(use), settings=checked(module.Settings, rest, where))


def _here(value: Any, path: Path, where: str) -> Any:
    """What a run of this project made is named by its digest, wherever the project lies."""
    if not isinstance(value, str) or not value.startswith(OBJECT):
        return value
    try:
        return str(Objects(path.parent.resolve() / STATE_FOLDER / "objects").path(value.removeprefix(OBJECT)))
    except ProjectError as error:
        raise ConfigError(f"{where}: {error.what}", cure=error.cure) from None


def checked(model: type[Single], values: Any, where: str) -> Single:
    """Values as settings. Raises ConfigError; `where` says in it which file and table they come from."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _readable(error, model, where) from None


def _readable(error: ValidationError, model: type[BaseModel], where: str) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return ConfigError(f"{where} {key}: is not a setting", cure=did_you_mean(key, model.model_fields))
    message = first["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "must be").replace("greater than or equal to", "at least")
    message = message.replace("less than or equal to", "at most")
    label = f"{where} {key}:" if key else f"{where}:"
    value = "" if first["type"] == "secret" else f", got {first['input']!r}"  # a message must not repeat a secret
    cure = first.get("ctx", {}).get("cure") or _cure(key, model)
    return ConfigError(f"{label} {message}{value}", cure=cure)


def _cure(key: str, model: type[BaseModel]) -> str:
    field = model.model_fields.get(key.split(".")[0])
    if field is None or field.is_required():
        return "give it a value"
    return f"remove the line for the default, {field.get_default(call_default_factory=True)!r}"


def references(settings: BaseModel) -> dict[str, str]:
    """The keys of a Settings that name other tables: key → kind. Marked by `json_schema_extra={"names": kind}`.

    The value of such a key is one name, a tuple of names, or empty.
    """
    found = {}
    for key, field in type(settings).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and isinstance(kind := extra.get("names"), str):
            found[key] = kind
    return found


def _check_references(config: Config) -> None:
    for (kind, name), table in config.tables.items():
        for key, other in references(table.settings).items():
            for value in named(table.settings, key):
                if (other, value) not in config.tables:
                    known = config.names(other)
                    raise ConfigError(
                        f"{config.path.name}: [{kind}.{name}] {key}: no [{other}.{value}]",
                        cure=did_you_mean(value, known),
                    )
    for table in config.tables.values():
        _refuse_circle(config, [table])


def named(settings: BaseModel, key: str) -> tuple[str, ...]:
    """The names that stand under a key of `references`."""
    value = getattr(settings, key)
    return (value,) if value and isinstance(value, str) else tuple(value or ())


def _refuse_circle(config: Config, way: list[Table]) -> None:
    """Raises ConfigError when a table, through those that it names, comes to itself."""
    for key, kind in references(way[-1].settings).items():
        for name in named(way[-1].settings, key):
            following = config.tables[kind, name]
            if following in way:
                what = f"{config.path.name}: [{kind}.{name}] {key}: names itself"
                through = " and ".join(f"[{table.kind}.{table.name}]" for table in way[way.index(following) + 1 :])
                raise ConfigError(f"{what}{through and f' through {through}'}", cure="take it out of the list")
            _refuse_circle(config, [*way, following])
