"""JSON that validates: checks a JSON Schema before it is used and a model's text against it afterwards.

Grammars enforce the shape but not every keyword (llama.cpp drops `uniqueItems`, xgrammar some formats), so a
text is validated even when it was written under a grammar.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gatewheel.kernel.errors import Malformed, ModelError


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises ModelError when `schema` is not a valid JSON Schema (draft 2020-12 unless it names another)."""
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(dict(schema))
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "the top"
        raise ModelError(f"the JSON Schema is not valid at {where}: {error.message}", cure="mend it") from error


def fault(text: str, schema: Mapping[str, Any]) -> str:
    """Why `text` is not JSON that validates against `schema`; empty when it is."""
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    try:
        value = json.loads(text)
    except ValueError as error:
        return f"not JSON: {error}"
    worst = best_match(validator_for(schema)(schema).iter_errors(value))
    if worst is None:
        return ""
    where = "/".join(map(str, worst.absolute_path)) or "the top"
    return f"at {where}: {worst.message}"


def require(text: str, schema: Mapping[str, Any], *, finish: str, max_tokens: int) -> None:
    """Raises Malformed unless `text` validates; says so when it was merely cut off."""
    if not (wrong := fault(text, schema)):
        return
    if finish == "length":
        what = f"the JSON was cut off after max_tokens = {max_tokens}"
        raise Malformed(what, cure="raise max_tokens, or bound strings and arrays with maxLength and maxItems")
    raise Malformed(f"the model's JSON does not validate ({wrong})", cure="simplify the schema")
