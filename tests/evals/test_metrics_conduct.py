"""Abstention, refusals, the shape of JSON, and what an answer takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from answering import answer, case, citation, refusal
from gatewheel.kernel import catalog
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Usage

SCHEMA = {"type": "object", "properties": {"wheels": {"type": "integer"}}, "required": ["wheels"]}


def made(name: str, parts: dict[str, Any] | None = None, **values: Any) -> Any:
    module = catalog.load("metric", name)
    return module.create(module.Settings(**values), **(parts or {}))


@pytest.mark.parametrize(
    ("answerable", "abstained", "abstention", "refused"),
    [(True, False, 1, 0), (True, True, 0, 1), (False, True, 1, None), (False, False, 0, None)],
)
def test_abstention_is_right_where_nothing_can_be_answered(
    answerable: bool, abstained: bool, abstention: float, refused: float | None
) -> None:
    said = refusal() if abstained else answer("Two wheels.")
    assert made("abstention").score(case(answerable=answerable), said) == abstention
    assert made("false-refusal").score(case(answerable=answerable), said) == refused
    assert made("false-refusal").better == "lower"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"wheels": 2}', 1),
        (' {"wheels": 2}\n', 1),
        ('{"wheels": "two"}', 0),
        ("{}", 0),
        ('{"wheels": 2} and more', 0),
        ('```json\n{"wheels": 2}\n```', 0),
        ("", 0),
        ("[" * 200_000, 0),
    ],
)
def test_an_answer_validates_or_not(text: str, valid: float, tmp_path: Path) -> None:
    (tmp_path / "wheels.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    metric = made("json-schema", {"root": tmp_path}, file="wheels.json")
    assert metric.score(case(), answer(text)) == valid
    assert made("json-schema").score(case(meta={"schema": SCHEMA}), answer(text)) == valid
    other = case(meta={"schema": {"type": "array"}})
    assert metric.score(other, answer("[1]", citations=(citation(1, "a.md"),))) == 1  # no marker, but an array


def test_without_a_schema_every_json_is_valid_and_nothing_else() -> None:
    metric = made("json-schema")
    for text in ("1", "[]", '"a"', "null"):
        assert metric.score(case(), answer(text)) == 1
    for text in ("NaN", "[Infinity]", "two wheels", "{'a': 1}"):
        assert metric.score(case(), answer(text)) == 0
    assert metric.score(case(), refusal()) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"schema .*wheels.json cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[]", r"cannot be used: it is no object, got \[\]"),
        ('{"type": "wheel"}', "not valid at type"),
    ],
)
def test_a_schema_that_cannot_be_used_is_said_at_the_start(content: str | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "wheels.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        made("json-schema", {"root": tmp_path}, file="wheels.json")


@pytest.mark.parametrize("schema", [{"type": "wheel"}, "object", 3])
def test_a_schema_of_a_case_that_cannot_be_used_names_the_case(schema: Any) -> None:
    with pytest.raises(UserError, match="case 'case': its schema cannot be used"):
        made("json-schema").score(case(meta={"schema": schema}), answer("{}"))


def test_what_an_answer_takes() -> None:
    said = answer(
        "Two wheels.",
        seconds=1.5,
        usage=Usage(input_tokens=100, output_tokens=5, seconds=1.2, seconds_to_first_token=0.25, cost=0.002),
    )
    wanted = {"seconds": 1.5, "first-token": 0.25, "tokens": 105, "cost": 0.002}
    for name, value in wanted.items():
        assert made(name).score(case(), said) == value
        assert made(name).better == "lower"
    assert made("tokens", of="input").score(case(), said) == 100
    assert made("tokens", of="output").score(case(), said) == 5


def test_what_was_not_measured_does_not_count_as_nothing() -> None:
    called = Usage(input_tokens=9, output_tokens=3, seconds=0.4)
    assert made("cost").score(case(), answer("Two wheels.", usage=called)) is None  # the price is not known
    assert made("cost").score(case(), refusal()) == 0  # no model was asked
    priced = made("cost", {"prices": {"v": (10.0, 30.0)}.get})
    assert priced.score(case(), answer("Two wheels.", usage=called)) == pytest.approx((9 * 10 + 3 * 30) / 1e6)
    assert priced.score(case(), answer("Two wheels.", usage=called, variant="w")) is None
    assert priced.score(case(), answer("Two wheels.", usage=Usage(seconds=0.4))) is None  # its tokens were not counted
    assert priced.score(case(), refusal()) == 0
    assert made("first-token").score(case(), refusal()) is None  # no model was asked
    assert made("tokens").score(case(), refusal()) == 0
    assert made("seconds").score(case(), refusal()) == 0.5
