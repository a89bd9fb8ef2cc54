"""JSON-schema validity: 1 when an answer is JSON (RFC 8259) that validates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.errors import ConfigError, ModelError, UserError
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.models.schema import check_schema, fault


class Settings(BaseModel):
    """`[metric.<name>] use = "json-schema"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    file: str = Field(
        "",
        description="The JSON Schema, from the folder of the project. A case's own, under `schema` of its meta, goes "
        "before it; without either, every JSON is valid.",
    )


def create(settings: Settings, *, root: Path | None = None) -> Mean:
    """The metric. It does not apply to abstentions. Raises ConfigError for a schema that cannot be used.

    The metric itself raises UserError where the schema of a case cannot be used.
    """
    schema = _read((root or Path()) / settings.file) if settings.file else {}

    def valid(case: Case, answer: Answer) -> float | None:
        if answer.abstained:
            return None
        own = case.meta.get("schema")
        if own is not None and (wrong := _unusable(own)):
            raise UserError(f"case {case.id!r}: its schema cannot be used: {wrong}", cure="mend the case")
        return float(_is_json(answer.answer) and not fault(answer.answer, schema if own is None else own))

    return Mean(valid)


def files(settings: Settings, *, root: Path | None = None) -> tuple[Path, ...]:
    """The file of the schema, if there is one: it decides the score as much as the settings do."""
    path = (root or Path()) / settings.file
    return (path,) if settings.file and path.is_file() else ()


def _read(path: Path) -> Mapping[str, Any]:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the schema {path} cannot be read: {error.strerror}", cure="mend `file`") from None
    except ValueError as error:
        raise ConfigError(f"the schema {path} is not JSON: {error}", cure="mend it") from None
    if wrong := _unusable(schema):
        raise ConfigError(f"the schema {path} cannot be used: {wrong}", cure="mend it")
    return dict(schema)


def _unusable(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return f"it is no object, got {schema!r:.60}"
    try:
        check_schema(schema)
    except ModelError as error:
        return error.what
    return ""


def _is_json(text: str) -> bool:
    """Python's parser takes NaN and Infinity as well, which are no JSON."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
