"""Candidates of a suite: figures, what they took, what they cost, who is on the front, and what is missing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import gatewheel as gw
from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Case, Report, Scored, Usage
from gatewheel.loop import answers, usages
from gatewheel.loop.candidates import Candidate, Choice
from gatewheel.loop.choosing import choice
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.project import Project
from gatewheel.loop.reports import Asked, Kept

CASES = 40
SHARES = {"good": 0.95, "fair": 0.9, "poor": 0.3}
PRICES = {"good": (10.0, 30.0), "fair": (0.1, 0.3), "poor": (0.05, 0.1)}


def rule(question: str) -> str | int:
    return f"answer to {question}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three models of one endpoint that are right as often as SHARES says, one without prices, and one never asked."""
    with examinee(rule) as endpoint:
        more = "".join(table(endpoint, name) for name in SHARES)
        folder = project(tmp_path_factory.mktemp("choosing"), endpoint.url, more=more)
        suite(folder, numbered(CASES), model="good")
        with gw.open(folder) as opened:
            for name in (*SHARES, "chat"):
                share = SHARES.get(name, 0.5)
                endpoint.rule = lambda q, name=name, share=share: (  # type: ignore[misc]
                    rule(q) if random.Random(f"{name} {q}").random() < share else "no"
                )
                opened.evaluate(Wanted(suite="exam", model=name))
        yield folder


def table(endpoint: Examinee, name: str) -> str:
    read, written = PRICES[name]
    return (
        f'\n[model.{name}]\nuse = "openai"\nmodel = "{name}"\nbase_url = "{endpoint.url}"\n'
        "max_retries = 0\nparallel = 2\n"
        f"input_price = {read}\noutput_price = {written}\n"
    )


@pytest.fixture
def opened(home: Path) -> Iterator[Project]:
    with gw.open(home) as it:
        yield it


def by_name(found: Choice) -> dict[str, Candidate]:
    return {one.target.removeprefix("model "): one for one in found.candidates}


def test_the_best_comes_first_and_the_others_are_compared_with_it(opened: Project) -> None:
    found = choice(opened.parts, "exam")
    assert [one.number for one in found.candidates] == [1, 2, 3, 4]
    named = by_name(found)
    assert (found.candidates[0], found.metric, found.cases) == (named["good"], "exact-match", CASES)
    assert named["good"].gap is None
    gap = named["poor"].gap
    assert gap
    assert (gap.to, gap.verdict, gap.cases) == (1, "worse", CASES)
    assert gap.high is not None
    assert gap.difference < gap.high < 0
    assert all(one.current for one in found.candidates)
    assert named["fair"].quality.low is not None
    assert named["fair"].quality.low < (named["fair"].quality.value or 0)


def test_a_price_is_that_of_a_thousand_answers_at_the_prices_of_the_file(opened: Project) -> None:
    named = by_name(choice(opened.parts, "exam"))
    for name, (read, written) in PRICES.items():
        assert named[name].price == pytest.approx(1000 * (5 * read + 2 * written) / 1e6)  # the endpoint says 5 and 2
    assert named["chat"].price is None
    assert "input_price and output_price into [model.chat]" in named["chat"].missing["price"]


def test_dearer_and_not_surely_better_is_on_the_front_and_dearer_and_surely_worse_is_not(opened: Project) -> None:
    named = by_name(choice(opened.parts, "exam"))
    assert (named["good"].front, named["fair"].front, named["poor"].front) == (True, True, True)
    assert named["chat"].front is None  # its price is not known
    quick = by_name(choice(opened.parts, "exam", cost="size"))
    assert {one.front for one in quick.values()} == {None}


def test_what_is_equal_within_the_margin_is_beaten_by_who_is_cheaper(opened: Project) -> None:
    found = choice(opened.parts, "exam", margin=0.3)
    named = by_name(found)
    assert named["good"].front is False
    assert named["good"].beaten_by == [named["fair"].number]
    assert named["poor"].front is True  # nobody is as cheap
    assert found.margin == 0.3


def test_an_expensive_loser_is_beaten_whatever_the_margin(opened: Project) -> None:
    raw = opened.config.raw["model"]
    dear = opened.parts.with_settings("model", "poor", {**raw["poor"], "input_price": 99.0})
    try:
        named = by_name(choice(dear, "exam"))
    finally:
        dear.close()
    assert named["poor"].front is False
    assert set(named["poor"].beaten_by) == {named["good"].number, named["fair"].number}
    assert named["poor"].current  # a price is no part of a variant


def test_two_of_one_model_at_other_temperatures_are_two_candidates(tmp_path: Path) -> None:
    with examinee(rule) as endpoint:
        folder = project(tmp_path, endpoint.url)
        for temperature, right in ((0.7, 0), (0.0, 1)):
            endpoint.rule = lambda q, right=right: rule(q) if right else "no"  # type: ignore[misc]
            suite(folder, numbered(8), temperature=temperature)
            with gw.open(folder) as opened:
                opened.evaluate(Wanted(suite="exam"))
        with gw.open(folder) as opened:
            best, other = choice(opened.parts, "exam").candidates
    assert (best.quality.value, other.quality.value) == (1.0, 0.0)
    assert (best.name, best.current, other.current) == ("model chat", True, False)
    assert other.name == f"model chat {other.variant[:8]}"
    assert other.gap
    assert other.gap.difference == -1


def test_a_model_that_told_likelihoods_is_the_one_of_the_file(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    (tmp_path / "gatewheel.toml").write_text('[model.chat]\nuse = "auto"\nthreads = 2\n', encoding="utf-8")
    cases = [Case(id="w", question="A wheel is", choices=("round", "square"), label="round")]
    suite(tmp_path, cases, metrics=["choice-accuracy"], answer="likelihood")
    with gw.open(tmp_path) as opened:
        opened.evaluate(Wanted(suite="exam"))
        found = choice(opened.parts, "exam")
    [one] = found.candidates
    assert (one.current, one.name, one.model, one.price) == (True, "model chat", "chat", 0.0)
    assert found.waiting == []
    assert "no such model" not in str(one.missing)


def test_times_come_from_the_answers_that_were_kept(opened: Project) -> None:
    found = choice(opened.parts, "exam", cost="seconds")
    for one in found.candidates:
        assert one.speed
        assert one.speed.answers == CASES
        assert one.speed.seconds_low is not None
        assert one.speed.seconds_low <= one.speed.seconds
        assert one.speed.first_median is not None
        assert 0 < one.speed.first_median <= (one.speed.first_p95 or 0)
        assert one.speed.tokens_per_second is None  # two tokens tell no pace
        assert one.speed.output_tokens == 2
        assert one.front is not None


def test_what_runs_elsewhere_has_no_memory_and_no_size_and_is_under_the_terms_of_its_service(opened: Project) -> None:
    found = choice(opened.parts, "exam")
    one = by_name(found)["good"]
    assert (one.memory, one.size, one.missing["memory"]) == (None, None, "it runs elsewhere")
    assert one.terms
    assert (one.terms.licence, one.terms.redistribution) == ("LicenseRef-Service-Terms", "no")
    assert "memory of 1, 2, 3, 4: it runs elsewhere" in found.notes


def test_models_without_a_report_are_named_with_the_command(opened: Project) -> None:
    [waiting] = choice(opened.parts, "exam").waiting
    assert (waiting.name, waiting.command) == ("model other", "gatewheel evals run exam --model other")


def test_a_variant_that_the_file_no_longer_makes_stays_and_is_told_apart(opened: Project) -> None:
    changed = opened.parts.with_settings("model", "good", {**opened.config.raw["model"]["good"], "model": "better"})
    try:
        found = choice(changed, "exam")
    finally:
        changed.close()
    one = by_name(found)["good"]
    assert (one.current, one.model, one.name) == (False, "", "model good")
    why = {each.name: each.why for each in found.waiting}
    assert why == {"model good": "it has changed since its report", "model other": ""}


def test_a_suite_that_changed_has_no_candidates_until_it_is_run_again(opened: Project, home: Path) -> None:
    suite(home, numbered(CASES - 1), model="good")
    try:
        found = choice(opened.parts, "exam")
    finally:
        suite(home, numbered(CASES), model="good")
    assert found.candidates == []
    assert "all reports are of an earlier state of the suite" in found.notes[0]
    assert len(found.waiting) == 5


def test_a_suite_whose_files_are_gone_still_has_its_reports(opened: Project, home: Path) -> None:
    (home / "suites" / "exam.toml").rename(home / "suites" / "exam.gone")
    try:
        found = choice(opened.parts, "exam")
    finally:
        (home / "suites" / "exam.gone").rename(home / "suites" / "exam.toml")
    assert (len(found.candidates), found.waiting) == (4, [])


def test_a_run_over_few_cases_does_not_take_the_place_of_a_whole_report(opened: Project) -> None:
    opened.evaluate(Wanted(suite="exam", model="good", limit=5))
    assert by_name(choice(opened.parts, "exam"))["good"].quality.cases == CASES


def test_who_was_asked_only_some_cases_is_ranked_below_all_others_and_says_so(tmp_path: Path) -> None:
    with examinee(rule) as endpoint:
        more = "".join(table(endpoint, name) for name in ("good", "fair"))
        suite(project(tmp_path, endpoint.url, more=more), numbered(CASES), model="good")
        with gw.open(tmp_path) as opened:
            opened.evaluate(Wanted(suite="exam", model="fair", limit=12))
            endpoint.rule = lambda q: rule(q) if random.Random(q).random() < 0.5 else "no"
            opened.evaluate(Wanted(suite="exam", model="good"))
            found = choice(opened.parts, "exam")
    whole, part = found.candidates
    assert (whole.target, whole.cases, whole.front) == ("model good", CASES, True)
    assert (part.target, part.cases, part.front, part.quality.value) == ("model fair", 12, None, 1.0)
    assert part.gap
    assert part.gap.cases == 12
    assert any("of 40 cases only some were asked: model fair 12" in note for note in found.notes)


def test_mistakes_are_named(opened: Project) -> None:
    with pytest.raises(UserError, match=r"no metric 'exact'.*did you mean 'exact-match'"):
        choice(opened.parts, "exam", metric="exact")
    with pytest.raises(UserError, match="no suite"):
        choice(opened.parts, "exma")


def test_a_local_model_costs_nothing_and_says_how_to_measure_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path / "cache"))
    with gw.init(tmp_path / "local") as opened:
        text = '[model.chat]\nuse = "llama.cpp"\ncontext_length = 256\nthreads = 1\nparallel = 1\n'
        (tmp_path / "local" / "gatewheel.toml").write_text(text, encoding="utf-8")
    suite(tmp_path / "local", numbered(2), max_tokens=12)
    with gw.open(tmp_path / "local") as opened:
        opened.evaluate("exam")
        [one] = choice(opened.parts, "exam").candidates
        assert (one.price, one.memory, one.size) == (0.0, None, 98_362_432)
        assert one.missing["memory"] == "not measured: gatewheel evals models exam --measure"
        assert one.terms
        assert (one.terms.licence, one.terms.commercial) == ("Apache-2.0", "yes")
        assert "catalogue" in one.terms.stated
        assert (one.gap, one.front) == (None, True)
        [measured] = choice(opened.parts, "exam", measure=True, cost="memory").candidates
        assert measured.memory
        assert measured.memory > 50e6
        assert choice(opened.parts, "exam").candidates[0].memory == measured.memory


def test_an_application_that_quotes_calls_no_model_and_takes_none(tmp_path: Path) -> None:
    import gating

    with gw.open(gating.make(tmp_path / "rooms")) as opened:
        opened.evaluate(Wanted(suite="rooms", app="main", limit=12))
        found = choice(opened.parts, "rooms", cost="memory")
    [one] = found.candidates
    assert (one.price, one.memory, one.size, one.terms, one.front) == (0.0, 0, 0, None, True)
    assert one.missing == {"speed": "no model is called"}
    assert {each.name for each in found.waiting} == {"app deaf", "app same"}


def answer(**usage: Any) -> Answer:
    return Answer(
        answer="x",
        abstained=False,
        citations=(),
        passages=(),
        sentences=(),
        usage=Usage(**usage),
        seconds=3.0,
        variant="v",
        trace=None,
    )


def test_what_answers_took_is_read_from_either_store(engine: Engine) -> None:
    kept = Kept(
        report=Report(
            id="r",
            created=0.0,
            suite="s",
            suite_id="i",
            variant="v",
            corpus="",
            rows=tuple(Scored(case=case, values={}) for case in ("a", "b", "c")),
        ),
        target="model x",
        run="",
        cases={case: Asked(question=case, expected=(), key=f"key {case}", corpus="") for case in ("a", "b", "c")},
    )
    first = answers.Key(variant="v", corpus="", case="key a")
    answers.keep(engine, first, answer(input_tokens=7, output_tokens=21, seconds=2.5, seconds_to_first_token=0.5))
    answers.keep(engine, replace(first, case="key b"), answer(cost=0.25, output_tokens=1, seconds=1.0))
    answers.keep(engine, replace(first, case="key c"), None, error="refused")
    found = usages.took(engine, kept)
    assert set(found) == {("a", 0), ("b", 0)}
    one = found["a", 0]
    assert (one.seconds, one.writing, one.first, one.input_tokens, one.output_tokens, one.cost) == (
        3.0,
        2.5,
        0.5,
        7,
        21,
        None,
    )
    speed = usages.speed(found, {})
    assert speed
    assert speed.tokens_per_second == pytest.approx(10.0)
    assert usages.price([one], (1.0, 2.0)) == pytest.approx(1000 * (7 + 42) / 1e6)
    assert usages.price([one], None) is None
    assert usages.price([found["b", 0]], None) == pytest.approx(250.0)
    assert usages.price([], (1.0, 1.0)) is None
