"""A suite whose cases are scored by log-likelihood: how they are put, by what engine, and what stands in the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
from examinee import suite
from gatewheel.data import cases as case_files
from gatewheel.data import suites
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.nouns import Case, Message, Report
from gatewheel.loop import variants
from gatewheel.loop.evaluate import Wanted, evaluate
from gatewheel.loop.likelihoods import prompted
from gatewheel.loop.reports import answer as answer_of
from gatewheel.loop.reports import recent
from gatewheel.loop.serving import as_served
from listening import as_json, listening


class Endpoint:
    """Reads prompts back: a token is a letter, a vowel is likely (-0.1) and everything else is not (-1)."""

    def __init__(self) -> None:
        self.url = ""
        self.prompts: list[str] = []
        self.failing = ""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path.startswith("/tokenizer_info"):
            return 200, {"bos_token": "\x01"}
        if path == "/tokenize":
            return 200, {"tokens": [ord(letter) for letter in body["prompt"]]}
        texts = ["".join(map(chr, ids)) for ids in body["prompt"]]
        self.prompts += texts
        if self.failing and any(self.failing in text for text in texts):
            return 400, {"error": {"message": "not this one"}}
        choices = []
        for at, text in enumerate(texts):
            own = [None, *(-0.1 if letter in "aeiou" else -1.0 for letter in text[1:]), -0.1]
            top = [None if each is None else {"x": each} for each in own]
            choices.append({"index": at, "text": text, "logprobs": {"token_logprobs": own, "top_logprobs": top}})
        return 200, {"choices": choices}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    one = Endpoint()
    with listening(lambda request: as_json(*one.answer(request.path, request.json())), gets=True) as address:
        one.url = f"{address}/v1"
        yield one


CASES = [
    Case(id="a", question="Which?", choices=("xyz", "aie"), label="aie"),
    Case(id="b", question="Why?", choices=("ou", "bcd"), label="bcd", context="Because."),
]


@pytest.fixture
def folder(tmp_path: Path, endpoint: Endpoint) -> Path:
    gw.init(tmp_path).close()
    model = f'use = "openai"\nmodel = "m"\nbase_url = "{endpoint.url}"\nmax_retries = 0\n'
    toml = (
        f'[model.chat]\n{model}\n[model.both]\nuse = "fallback"\nmodels = ["chat", "own"]\n[model.own]\nuse = "auto"\n'
    )
    (tmp_path / "gatewheel.toml").write_text(toml)
    return tmp_path


def run(folder: Path, wanted: Wanted | str = "exam", **watching: Any) -> Report:
    wanted = Wanted(suite=wanted) if isinstance(wanted, str) else wanted
    with gw.open(folder) as opened:
        return evaluate(opened.parts, wanted, **watching)


def exam(folder: Path, cases: list[Case], **said: Any) -> None:
    suite(folder, cases, **{"answer": "likelihood", "metrics": ["choice-accuracy", "choice-accuracy-norm"], **said})


def test_choices_are_scored_after_the_question_and_nothing_is_written(folder: Path, endpoint: Endpoint) -> None:
    exam(folder, CASES, metrics=["choice-accuracy", "choice-accuracy-norm", "accuracy", "brier"])
    report = run(folder)
    assert sorted(endpoint.prompts) == ["Because.\n\nWhy? bcd", "Because.\n\nWhy? ou", "Which? aie", "Which? xyz"]
    assert [row.values["choice-accuracy"] for row in report.rows] == [(1.0,), (0.0,)]
    assert [row.values["accuracy"] for row in report.rows] == [(1.0,), (0.0,)]  # as if the likeliest were written
    with gw.open(folder) as opened:
        [kept] = recent(opened.parts.engine)
        said = answer_of(opened.parts.engine, kept, "a")
    assert said is not None
    assert said.answer == "aie"
    assert [each.logprob for each in said.likelihoods] == pytest.approx([-4.0, -1.3])  # the space before it counts
    endpoint.prompts.clear()
    assert run(folder) == report
    assert endpoint.prompts == []


def test_what_decides_how_it_is_asked_is_asked_anew_and_compared_with_nothing_else(
    folder: Path, endpoint: Endpoint
) -> None:
    exam(folder, CASES[:1])
    seen = [run(folder)]
    for said in ({"prompt": "Q: {question}\nA:"}, {"prompt": "Q: {question}\nA:", "delimiter": ""}):
        endpoint.prompts.clear()
        exam(folder, CASES[:1], **said)
        seen.append(run(folder))
        assert len(endpoint.prompts) == 2
    assert endpoint.prompts == ["Q: Which?\nA:xyz", "Q: Which?\nA:aie"]
    assert len({each.variant for each in seen}) == len({each.suite_id for each in seen}) == 3


def test_examples_are_shown_with_their_right_answers(folder: Path, endpoint: Endpoint) -> None:
    shown = [
        Case(id="s", question="What?", choices=("x", "oo"), label="oo"),
        Case(id="t", question="Who?", references=("I",)),
    ]
    case_files.write(folder / "suites" / "shown.jsonl", shown)
    exam(folder, CASES[:1], few_shot=2, examples="shown.jsonl")
    run(folder)
    assert endpoint.prompts[0] == "What? oo\n\nWho? I\n\nWhich? xyz"


def test_a_text_without_choices_is_scored_whole(folder: Path, endpoint: Endpoint) -> None:
    exam(folder, [Case(id="t", question="aebb")], metrics=["perplexity", "bits-per-byte"])
    [row] = run(folder).rows
    assert row.values["perplexity"] == pytest.approx((-2.2, 4.0))
    assert endpoint.prompts == ["\x01aebb"]


def test_a_case_that_fails_is_a_row_that_counts_as_wrong_and_is_asked_again(folder: Path, endpoint: Endpoint) -> None:
    endpoint.failing = "Why"
    exam(folder, CASES)
    good, bad = run(folder).rows
    assert not good.error
    assert "not this one" in bad.error
    assert bad.values["choice-accuracy"] == (0.0,)
    endpoint.failing = ""
    endpoint.prompts.clear()
    assert not any(row.error for row in run(folder).rows)
    assert len(endpoint.prompts) == 2


def test_an_application_is_refused_before_anything_is_asked(folder: Path, endpoint: Endpoint) -> None:
    exam(folder, CASES)
    with pytest.raises(ConfigError, match=r'answer: "likelihood" is of given texts, and app main.*--model chat'):
        run(folder, Wanted(suite="exam", app="main"))
    exam(folder, CASES, app="main")
    with pytest.raises(ConfigError, match=r"answer: .* name a model"):
        run(folder)
    assert endpoint.prompts == []


def test_a_prompt_is_filled_once_and_history_and_context_stand_above() -> None:
    told = (Message(role="user", content="Hello {context}"),)
    case = Case(id="c", question="Is {question} it?", context="Text.", history=told)
    plain = suites.Suite(name="x", path=Path("x.toml"), cases=(), metrics=(), id="")
    assert prompted(plain, case) == "Text.\n\nHello {context}\n\nIs {question} it?"
    own = replace(plain, prompt="{context} | {question} | {other}")
    assert prompted(own, case) == "Hello {context}\n\nText. | Is {question} it? | {other}"
    assert prompted(replace(plain, prompt=""), Case(id="c", question="not put")) == ""


def test_who_scores_for_auto_and_for_several_is_told_in_the_variant(folder: Path) -> None:
    with gw.open(folder) as opened, as_served(opened.parts) as served:
        own = served.likelihood_shelf.recipe(served.written, "own")
        assert (own["scores"], own["use"]) == ("openvino, float32", "openvino")
        assert own == opened.parts.likelihood_shelf.recipe(opened.parts.written, "own")
        assert served.config.table("model", "own").use == "llama.cpp"  # which writes, and does not score here
        first = served.likelihood_shelf.recipe(served.written, "both")
        assert first == served.likelihood_shelf.recipe(served.written, "chat")
        assert first["scores"] == "endpoint, echo"
        assert served.likelihoods("both") is served.likelihoods("chat")


def test_the_variant_of_a_report_says_how_it_was_asked(folder: Path) -> None:
    exam(folder, CASES[:1])
    report = run(folder)
    with gw.open(folder) as opened:
        variant = variants.get(opened.parts.engine, report.variant)
        assert variant.recipe["answer"] == "likelihood"
        assert variant.recipe["model"]["scores"] == "endpoint, echo"
        assert json.loads(variants.prompt_of(opened.parts.objects, variant)) == ["{question}", " ", []]


METRIC = """
from gatewheel.evals.metrics.mean import Mean, Settings

def create(settings, *, likelihoods):
    return Mean(lambda case, answer: likelihoods.likelihoods("", [case.question])[0].logprob, bounds=(-1e9, 0.0))
"""


def test_a_metric_that_asks_for_likelihoods_gets_those_of_a_model_and_loads_nothing_before(
    folder: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewheel.kernel import catalog
    from gatewheel.loop.evaluate import metrics_of

    (folder / "surprising.py").write_text(METRIC)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(catalog.CATALOG["metric"], "surprising", "surprising")
    catalog.names.cache_clear()
    try:
        with gw.open(folder) as opened:
            metric = metrics_of(opened.parts, ["surprising"])["surprising"]
            assert endpoint.prompts == []
            assert metric.score(Case(id="x", question="ab"), None) == pytest.approx(-1.1)  # type: ignore[arg-type]
            assert endpoint.prompts == ["\x01ab"]
    finally:
        catalog.names.cache_clear()
