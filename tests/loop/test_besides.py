"""What is known before anybody is asked decides at once: a judge that may not count, a prompt that shows the cases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import gatewheel as gw
from examinee import Examinee, examinee
from gatewheel.cli.gate_files import markdown
from gatewheel.kernel.errors import ConfigError
from gatewheel.loop import releasing
from gatewheel.loop.gating import Decided, decide
from gating import make
from judged import JUDGE, agreeing, golden, grading, stars

OTHER = '\n[model.other]\nuse = "openai"\nmodel = "o"\nbase_url = "{url}"\nmax_retries = 0\n\n'
COACHED = '[app.coached]\nuse = "answer"\nmode = "quote"\nprompt = "coached"\n'
WORDS_ONLY = '[encoder.main]\nuse = "none"\n[retriever.main]\nuse = "bm25"\n'
RULES = "floors = { inclusion = 0.2 }\n"


def decided(folder: Path, candidate: str, *, against: str = "") -> Decided:
    with gw.open(folder) as project:
        return decide(project.parts, candidate, against=against)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Examinee]:
    with examinee(grading(stars)) as one:
        yield one


def court(folder: Path, url: str, rules: str, told: str = JUDGE) -> Path:
    make(folder, gate=rules, more=OTHER.format(url=url) + told, metrics='"helpful", "inclusion"')
    (folder / "helpful.md").write_text("4: all stars. 1: none.\n", encoding="utf-8")
    golden(folder, agreeing())
    return folder


def test_a_judge_on_probation_rejects_before_anybody_is_asked(tmp_path: Path, endpoint: Examinee) -> None:
    home = court(tmp_path, endpoint.url, "better = { inclusion = 0.0, helpful = 0.0 }\nfloors = { helpful = 2.0 }\n")
    endpoint.forget()
    found = decided(home, "main", against="deaf")
    assert (found.decision.outcome, found.cases, found.of, found.reports) == ("reject", 0, 40, ())
    assert [(one.rule, one.metric) for one in found.decision.reasons] == [("better", "helpful"), ("floor", "helpful")]
    assert "it was never measured; run `gatewheel evals judge helpful`" in found.decision.reasons[0].text
    assert endpoint.requests == []
    assert "by 0 of 40 cases" in markdown(found)
    assert "Reports:" not in markdown(found)


def test_a_gate_does_not_ask_the_golden_suite_of_its_judge(tmp_path: Path, endpoint: Examinee) -> None:
    same = JUDGE.replace('golden = "golden"', 'golden = "rooms"')
    home = court(tmp_path, endpoint.url, "floors = { helpful = 2.0 }\n", same)
    with pytest.raises(ConfigError, match="a judge whose golden set is the same suite") as raised:
        decided(home, "main")
    assert "[metric.helpful] golden" in raised.value.cure
    (home / "gatewheel.toml").write_text(
        (home / "gatewheel.toml").read_text(encoding="utf-8").replace("floors = { helpful", "floors = { inclusion")
    )
    assert decided(home, "main").cases == 40, "who does not ask the judge is free to"


@pytest.fixture(scope="module")
def coached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an application whose prompt shows it two cases of the suite."""
    home = make(tmp_path_factory.mktemp("coached"), gate=RULES, more=COACHED + WORDS_ONLY)
    prompt = (home / "prompts" / "answer.md").read_text(encoding="utf-8")
    lines = (home / "suites" / "rooms.jsonl").read_text(encoding="utf-8").splitlines()
    shots = [json.loads(line) for line in lines[:2]]
    shown = "".join(f"Q: {one['question'].upper()}\nA: {one['references'][0]}\n\n" for one in shots)
    (home / "prompts" / "coached.md").write_text(f"{shown}{prompt}", encoding="utf-8")
    return home


def test_a_candidate_whose_prompt_shows_it_cases_does_not_pass(coached: Path) -> None:
    found = decided(coached, "coached")
    assert (found.decision.outcome, found.cases) == ("inconclusive", 0)
    [reason] = found.decision.reasons
    assert reason.rule == "unseen"
    assert reason.text.startswith("2 of 40 cases stand in the candidate's prompt (")
    assert reason.text.endswith("take them out of it.")


def test_nobody_has_to_beat_what_the_incumbents_prompt_shows(coached: Path) -> None:
    with gw.open(coached) as project:
        releasing.promote(project.parts, "main", "coached", override="it was so before anybody looked")
    found = decided(coached, "main")
    assert (found.decision.outcome, found.cases) == ("promote", 40)
    text = found.decision.reasons[0].text
    assert text == "2 of 40 cases are in the training data too (the incumbent's prompt) and left out."
    assert "over 38 of 38 cases" in found.decision.reasons[1].text
    with gw.open(coached) as project:
        assert releasing.promote(project.parts, "main", "main").action == "promote"
