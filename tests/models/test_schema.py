"""A schema may be a stranger's: it opens nothing, ends in time, and whatever is wrong with it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.models import schema


def test_a_schema_reads_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"const": "the-secret"}', encoding="utf-8")
    for key in ("$ref", "$dynamicRef"):
        stranger = {"properties": {"a": {key: secret.as_uri()}}}
        with pytest.raises(ModelError, match="outside of it"):
            schema.check_schema(stranger)
        with pytest.raises(ModelError) as caught:  # nor by whoever forgot to check
            schema.fault('{"a": "x"}', stranger)
        assert "the-secret" not in str(caught.value)
    inside = {"$defs": {"name": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/name"}, "$ref": {}}}
    schema.check_schema(inside)
    assert schema.fault('{"a": "x"}', inside) == ""
    assert "is not of type" in schema.fault('{"a": 1}', inside)


# each two to the next, so that to try it takes 2^40 steps
BRANCHING = {
    "$defs": {f"a{at}": {"allOf": 2 * [{"$ref": f"#/$defs/a{at + 1}"}]} for at in range(40)} | {"a40": {}},
    "$ref": "#/$defs/a0",
}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (BRANCHING, "takes longer"),
        ({"$ref": "#"}, "in a circle"),
        ({"$ref": "#/$defs/none"}, "which it has not"),
        ({"pattern": "^(a+)+$"}, "takes longer"),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, "takes longer"),
        ({"pattern": "a", "$ref": "#"}, "in a circle"),
    ],
)
def test_a_schema_that_leads_nowhere_or_takes_for_ever_is_said(
    wrong: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "SECONDS", 2.0)
    letters = "a" * 40 + "!"
    text = json.dumps({letters: 1} if "patternProperties" in wrong else letters)
    schema.check_schema(wrong)
    with pytest.raises(ModelError, match=said):
        schema.fault(text, wrong)


@pytest.mark.parametrize("named", [{}, 3, "http://["])
def test_a_draft_that_is_none_is_said(named: Any) -> None:
    with pytest.raises(ModelError, match=r"as its \$schema"):
        schema.check_schema({"$schema": named})


def test_patterns_decide_as_ever() -> None:
    dated = {"type": "object", "properties": {"day": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}}}
    assert schema.fault('{"day": "2026-11"}', dated) == ""
    assert "does not match" in schema.fault('{"day": "Änderung \\ud800"}', dated)
    assert schema.fault("{", dated).startswith("not JSON")
    assert schema.fault("[" * 100_000, dated) == "not JSON: nested too deep"
