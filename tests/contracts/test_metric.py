"""Every metric of the catalog keeps the promises of the port, whatever the case and the answer are."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answering import answers, cases
from gatewheel.evals import calibration, resolve
from gatewheel.evals.calibration import Calibration
from gatewheel.kernel import catalog
from gatewheel.kernel.config import validate
from gatewheel.kernel.likelihood import Likelihood
from gatewheel.kernel.nouns import Answer, Case, Completion, Message, Usage
from gatewheel.kernel.ports import Metric

SAID: dict[str, dict[str, Any]] = {
    "python": {"use": "python", "function": "test_metric_own:length", "high": math.inf},
    "grounded": {"use": "grounded", "calibration": str(Path(tempfile.gettempdir()) / f"grounded-{os.getpid()}.json")},
}
SAID["judge"] = {"use": "judge", "rubric": "README.md", "golden": "g", "samples": 1}
NAMES = sorted(catalog.CATALOG["metric"])
TAKES_LONG = {"answer-relevance", "token-precision", "grounded", "pass-at-k"}  # an encoder, or a process


@cache
def made(name: str, copy: int = 0) -> Metric:
    """The metric; another `copy` is another object."""
    sys.modules["test_metric_own"] = sys.modules[__name__]
    config = validate({"metric": {name: SAID[name]}} if name in SAID else {}, Path("gatewheel.toml"))
    encoder = part("encoder", "openvino")
    if name == "grounded":
        calibration.write(Path(SAID[name]["calibration"]), replace(CALIBRATED, encoder=encoder.id))
    return resolve.metric(
        config, name, encoder=encoder, checker=checker(), likelihoods=ByLength(), models=lambda _: Grader()
    )


CALIBRATED = Calibration(
    signals=("lexical-grounding", "token-precision"),
    weights=(3.0, 2.0),
    intercept=-2.0,
    answers=60,
    faithful=30,
    auroc=0.8,
    ece=0.1,
)


class Grader:
    """A model that judges by the length of what it reads."""

    parallel = 1

    def chat(self, messages: Sequence[Message], **_: Any) -> Completion:
        text = json.dumps({"reason": "so long", "score": 1 + len(messages[-1].content) % 5})
        return Completion(text=text, finish="stop", usage=Usage(), model="grader")


class ByLength:
    """A long prompt makes a text likelier."""

    def likelihoods(self, prompt: str, continuations: Sequence[str]) -> list[Likelihood]:
        return [
            Likelihood(logprob=-len(text) / (1 + len(prompt)), tokens=1 + len(text), greedy=False)
            for text in continuations
        ]


@cache
def part(kind: str, name: str) -> Any:
    module = catalog.load(kind, name)
    return module.create(module.Settings())


@cache
def checker() -> Any:
    module = catalog.load("checker", "grounding")
    return module.create(module.Settings(), encoder=part("encoder", "none"))


def length(_case: Case, answer: Answer) -> float | None:
    return None if answer.abstained else len(answer.answer)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_which_end_is_good_and_what_can_be(name: str) -> None:
    metric = made(name)
    assert metric.better in ("higher", "lower")
    low, high = metric.bounds
    assert low < high
    assert math.isfinite(low)


@pytest.mark.parametrize("name", NAMES)
def test_the_figure_of_nothing_is_no_number(name: str) -> None:
    for width in (1, 2, 10, 18):
        assert math.isnan(made(name).figure(np.empty((0, width))))


@cache
def drawn() -> list[list[tuple[Case, Answer]]]:
    """Some of all there can be, drawn once for all metrics: to draw takes longer than to score."""
    found: list[list[tuple[Case, Answer]]] = []

    @settings(max_examples=200)
    @given(pairs=st.lists(st.tuples(cases(), answers()), min_size=1, max_size=4))
    def draw(pairs: list[tuple[Case, Answer]]) -> None:
        found.append(pairs)

    draw()
    return found


def scored(metric: Metric, pairs: list[tuple[Case, Answer]]) -> list[tuple[float, ...] | None]:
    found = [metric.score(case, answer) for case, answer in pairs]
    return [numbers if numbers is None or isinstance(numbers, tuple) else (numbers,) for numbers in found]


@pytest.mark.parametrize("name", NAMES)
def test_a_case_gets_none_or_finite_numbers_in_bounds_and_the_same_again(name: str) -> None:
    metric, other = made(name), made(name, 1)
    low, high = metric.bounds
    widths = set()
    for pairs in drawn()[:: 10 if name in TAKES_LONG else 1]:
        found = scored(metric, pairs)
        assert found == scored(other, pairs[::-1])[::-1]  # no memory of what was scored before
        for numbers in filter(None, found):
            assert all(type(number) is float and math.isfinite(number) for number in numbers)
            assert len(numbers) > 1 or low <= numbers[0] <= high
            widths.add(len(numbers))
    assert len(widths) == 1, "every metric applies to some of these cases, and a row always has the same length"


@pytest.mark.parametrize("name", NAMES)
def test_the_figure_is_in_bounds_and_the_order_of_cases_means_nothing(name: str) -> None:
    metric = made(name)
    low, high = metric.bounds
    dice = np.random.default_rng(1)
    for pairs in drawn()[:: 10 if name in TAKES_LONG else 1]:
        rows = np.array([numbers for numbers in scored(metric, pairs) if numbers is not None], np.float64)
        if not len(rows):
            continue
        figure = metric.figure(rows)
        assert type(figure) is float
        assert low <= figure <= high
        assert metric.figure(dice.permutation(rows)) == pytest.approx(figure, abs=1e-9)
        if rows.shape[1] == 1:
            assert figure == pytest.approx(rows.mean(), abs=1e-9)
        if name != "bleu":  # its smoothing weighs an order without a match by the length of the corpus
            assert metric.figure(np.concatenate([rows, rows])) == pytest.approx(figure, abs=1e-9)


def test_importing_them_all_loads_no_reference_library() -> None:
    code = (
        "import importlib, sys\n"
        "from gatewheel.kernel.catalog import CATALOG\n"
        "[importlib.import_module(name) for name in CATALOG['metric'].values()]\n"
        "heavy = {'numpy', 'nltk', 'rouge_score', 'sacrebleu', 'ir_measures', 'Stemmer', 'jsonschema'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
