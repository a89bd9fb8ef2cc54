"""A file that is written of tuned weights says what that costs, on what text, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_llama

import gatewheel as gw
from gatewheel.loop import rounding
from gatewheel.loop.artifacts import Artifact
from gatewheel.loop.rounding import Rounding
from gatewheel.models.dense import open_dense
from gatewheel.models.exporting import export
from gatewheel.models.merging import Merged
from letters import written


def test_an_adapter_of_elsewhere_is_measured_on_the_documentation(tmp_path: Path) -> None:
    base = open_dense(tiny_llama.folder(tmp_path / "model"))
    exact = Merged(base, tiny_llama.adapter(base.shape))
    given = Artifact(id="a" * 64, kind="adapter", created=0.0, run="", bytes=1, meta={"method": "given"})
    with gw.open(written(tmp_path / "home")) as project:
        found = {
            kind: rounding.measure(
                project.parts, given, exact, export(exact, tmp_path / kind, kind=kind).path, kind=kind
            )
            for kind in ("F16", "Q8_0", "folder")
        }
    assert found["F16"] == Rounding(difference=0.0, of="the same weights")
    assert rounding.told(found["F16"]) == "perplexity as trained: the same weights"
    for kind in ("Q8_0", "folder"):
        assert (found[kind].tokens, found[kind].of) == (1497, "Gatewheel's documentation")
        assert abs(found[kind].difference or 1) < 0.05
        assert "on 1,497 tokens of" in rounding.told(found[kind])
        assert rounding.read({"perplexity": rounding.plain(found[kind])}) == found[kind]


def test_an_adapter_of_another_drawing_is_not_said_to_be_measured_on_what_it_never_learned() -> None:
    assert rounding._kind({"dataset": "a", "shown": []}) == "validation examples"
    assert rounding._kind({"dataset": "a", "validation": "b"}) == "validation examples"
    assert rounding._kind({"dataset": "a"}) == "examples"


@pytest.mark.parametrize(
    ("difference", "margin", "kind", "told"),
    [
        (0.23, 0.02, "Q4_0", "Q4_0 costs this model more than 2%: write Q6_K or Q8_0 or F16, or lora beside its base"),
        (0.05, 0.01, "Q8_0", "write F16"),
        (0.03, 0.02, "Q4_0", ""),
        (-0.01, 0.0, "Q4_0", ""),
        (None, 0.0, "Q4_0", ""),
    ],
)
def test_what_costs_too_much_names_the_finer_kinds(
    difference: float | None, margin: float, kind: str, told: str
) -> None:
    found = rounding.advice(Rounding(difference=difference, margin=margin, tokens=900, of="x"), kind)
    assert (told in found) if told else found == ""
