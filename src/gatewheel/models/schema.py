"""JSON that validates: checks a JSON Schema before it is used and a model's text against it afterwards.

Grammars enforce the shape but not every keyword (llama.cpp drops `uniqueItems`, xgrammar some formats), so a
text is validated even when it was written under a grammar. A schema may be a stranger's: it reaches nothing outside of
itself, and what may take for ever is tried where it can be ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from gatewheel.kernel.errors import Malformed, ModelError

SECONDS = 5.0  # in which patterns have to be tried; the child that does it starts in .2
_REFERENCES = {"$ref", "$dynamicRef", "$recursiveRef"}
_PATTERNS = {"pattern", "patternProperties"}
_FEW = 20  # references; those that lead to two others each, forty deep, would never end


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises ModelError when `schema` is not a valid JSON Schema (draft 2020-12 unless it names another).

    So it does when the schema refers to something outside of itself, which is never opened.
    """
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(dict(schema))
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "the top"
        raise ModelError(f"the JSON Schema is not valid at {where}: {error.message}", cure="mend it") from error
    except RecursionError:
        raise ModelError("the JSON Schema is nested too deep", cure="flatten it") from None
    except (AttributeError, TypeError, ValueError):  # jsonschema takes whatever $schema is for an address
        what = f"the JSON Schema names {schema.get('$schema')!r:.80} as its $schema"
        raise ModelError(what, cure="leave it out") from None
    for key, value in _keywords(schema):
        if key in _REFERENCES and isinstance(value, str) and not value.startswith("#"):
            what = f"the JSON Schema refers to {value!r:.80}, which is outside of it"
            raise ModelError(what, cure='write that under $defs, and refer to it by "#/$defs/<name>"')


def fault(text: str, schema: Mapping[str, Any]) -> str:
    """Why `text` is not JSON that validates against `schema`; empty when it is.

    Raises ModelError for a schema that leads nowhere or round in a circle, or takes too long.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"not JSON: {error}"
    except RecursionError:
        return "not JSON: nested too deep"
    keys = [key for key, _ in _keywords(schema)]
    if not _PATTERNS.isdisjoint(keys) or sum(key in _REFERENCES for key in keys) > _FEW:
        return _in_a_child(text, schema)
    return _worst(value, schema)


def require(text: str, schema: Mapping[str, Any], *, finish: str, max_tokens: int) -> None:
    """Raises Malformed unless `text` validates; says so when it was merely cut off."""
    if not (wrong := fault(text, schema)):
        return
    if finish == "length":
        what = f"the JSON was cut off after max_tokens = {max_tokens}"
        raise Malformed(what, cure="raise max_tokens, or bound strings and arrays with maxLength and maxItems")
    raise Malformed(f"the model's JSON does not validate ({wrong})", cure="simplify the schema")


def _worst(value: Any, schema: Mapping[str, Any]) -> str:
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        # without a registry of its own jsonschema opens whatever a $ref names, files too
        worst = best_match(validator_for(schema)(schema, registry=Registry()).iter_errors(value))
    except Unresolvable as error:
        raise ModelError(f"the JSON Schema refers to {error.ref!r}, which it has not", cure="add it") from None
    except RecursionError:
        what = "the JSON Schema leads round in a circle, or the JSON is nested too deep for it"
        raise ModelError(what, cure="mend the $ref that leads to itself") from None
    if worst is None:
        return ""
    where = "/".join(map(str, worst.absolute_path)) or "the top"
    return f"at {where}: {worst.message}"


def _in_a_child(text: str, schema: Mapping[str, Any]) -> str:
    """The same where it can be killed: `(a+)+$` takes a second on 24 letters, doubles with each, and holds the GIL."""
    command = [sys.executable, "-P", "-m", __spec__.name]
    put = json.dumps([text, dict(schema)])
    try:
        done = subprocess.run(command, input=put, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        what = f"the JSON Schema takes longer than {SECONDS:g} s to try"
        cure = "write patterns without a repetition inside of a repetition, and references that branch less"
        raise ModelError(what, cure=cure) from None
    if done.returncode:
        _, _, said = done.stderr.strip().rpartition("\n")[2].partition(": ")
        raise ModelError(f"the JSON Schema cannot be used: {said:.300}", cure="mend it")
    return str(json.loads(done.stdout))


def _keywords(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    left: list[Any] = [schema]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            yield from one.items()
            left += one.values()
        elif isinstance(one, list):
            left += one


if __name__ == "__main__":
    written, given = json.load(sys.stdin)
    print(json.dumps(_worst(json.loads(written), given)))
