"""pass@k: code is found in answers, runs nowhere but in the sandbox, and is counted as Chen et al. (2021) count it."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path

import pytest

import gatewheel as gw
from answering import answer, refusal
from examinee import examinee, project, suite
from gatewheel.data import importing, suites
from gatewheel.evals.metrics import code
from gatewheel.evals.metrics.pass_at_k import PassAtK, Settings, create, estimate
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.ports import OfRepeats
from gatewheel.loop.comparing import figures
from gatewheel.loop.evaluate import Wanted, evaluate, metrics_of

PROMPT = '''import math

SIDES = 4


def area(width: float) -> float:
    """The area of a square with rounded corners.

    >>> round(area(2), 2)
    3.14
    """
'''
TEST = "def check(candidate):\n    assert abs(candidate(2) - math.pi) < 1e-6\n    assert candidate(0) == 0\n"
TASK = Case(id="area", question=PROMPT, meta={"test": TEST, "entry_point": "area"})
BODY = "    half = width / 2\n    if half:\n        return math.pi * half ** 2\n    return 0\n"
WHOLE = PROMPT[PROMPT.index("def") :] + BODY


def score(text: str, task: Case = TASK, **rest: object) -> float | None:
    return create(Settings(seconds=20)).score(task, answer(text.strip(), draft=text, **rest))


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        BODY.strip(),
        BODY + "\n\nprint(area(2))\nassert False\n",
        BODY + "\nThis computes the area.",
        "".join(line[4:] + "\n" for line in BODY.splitlines()),
        f"Certainly! Here it is:\n\n```python\n{WHOLE}```\n\nIt uses `math`.",
        f"```\n{PROMPT}{BODY}```",
        f"~~~py\n{WHOLE}~~~",
        f"```python\n{BODY}```",
        f"1. First:\n   ```python\n{''.join('   ' + line for line in WHOLE.splitlines(True))}   ```",
        f"An example:\n```python\nprint(1)\n```\nThe function:\n```python\n{WHOLE}```\n```python\nassert False\n```",
        f"```python\n{WHOLE}",
        f"```python\n{WHOLE}\nprint(area(",
        f"```python\n{WHOLE}\nif __name__ == '__main__':\n    print(area(float(input())))\n```",
        f"Here is the function:\n{WHOLE}\nIt works.",
        "```python\ndef area(width):\n    return helper(width) ** 2 * math.pi\n\ndef helper(x):\n    return x / 2\n```",
    ],
)
def test_right_code_is_found_however_it_is_written(text: str) -> None:
    assert score(text) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "    return width",
        "    return 0\n",
        "I do not know.",
        "```python\n```",
        "",
        "    raise SystemExit(0)",
        "    import os; os._exit(0)",
        "    pass\nimport sys\nsys.exit()",
        "    while True: pass",
        "    return [0] * 10 ** 12",
        "    import ctypes; ctypes.string_at(0)",
        "(" * 5000,
        "\x00\ud800",
    ],
)
def test_wrong_code_fails(text: str) -> None:
    assert create(Settings(seconds=1)).score(TASK, answer(text, draft=text)) == 0.0


def test_it_applies_to_tasks_alone() -> None:
    assert score(BODY, Case(id="c", question="Who wrote it?")) is None
    assert score(BODY, Case(id="c", question="Who?", meta={"test": ["of", "something", "else"]})) is None
    assert create(Settings()).score(TASK, refusal()) == 0.0
    for meta in ({"test": 1, "entry_point": "area"}, {"test": TEST, "entry_point": "area); import os; ("}):
        with pytest.raises(UserError, match=r"meta\.test must be Python"):
            score(BODY, Case(id="c", question=PROMPT, meta=meta))


def test_a_task_in_words_is_tested_by_its_assertions() -> None:
    task = Case(id="m", question="Write a function to double.", meta={"test": "assert double(2) == 4"})
    assert score("Sure:\n```python\ndef double(x):\n    return 2 * x\n```", task) == 1.0
    assert score("def double(x):\n    return 2 * x\n\nThis doubles.", task) == 1.0
    assert score("def double(x):\n    return x\n", task) == 0.0


def test_code_of_an_answer_touches_nothing(tmp_path: Path) -> None:
    here = tmp_path / "gatewheel.toml"
    here.write_text("kept")
    (tmp_path / "folder").mkdir()
    before = os.environ.copy()
    attack = f"import os, shutil\nos.environ.clear()\nopen({str(here)!r}, 'w')\nshutil.rmtree({str(tmp_path)!r})\n"
    for text in (f"    return 0\n{attack}", f"```python\n{attack}{WHOLE}```", f"{attack}{WHOLE}"):
        assert score(text) in (0.0, 1.0)
        code.program(TASK, answer(text))
    assert here.read_text() == "kept"
    assert (tmp_path / "folder").is_dir()
    assert os.environ == before


def test_the_estimate_is_the_share_of_draws_of_k_with_one_that_passes() -> None:
    for n, passing, k in [(5, 0, 3), (5, 1, 1), (5, 1, 2), (5, 2, 3), (6, 3, 2), (7, 5, 3), (4, 4, 4)]:
        draws = list(itertools.combinations([1] * passing + [0] * (n - passing), k))
        assert estimate(n, passing, k) == pytest.approx(sum(map(any, draws)) / len(draws), abs=1e-12)
    # Chen et al. (2021), figure 3: 1 - prod(1 - k / arange(n - c + 1, n + 1))
    product = 1 - math.prod(1 - 10 / i for i in range(200 - 7 + 1, 201))
    assert estimate(200, 7, 10) == pytest.approx(product, abs=1e-12)
    for n, passing, k in [(5, 6, 1), (5, 1, 6), (5, 1, 0)]:
        with pytest.raises(ValueError, match="pass@"):
            estimate(n, passing, k)


def test_k_above_one_is_made_of_all_answers_to_a_case() -> None:
    metric = create(Settings(k=2))
    assert isinstance(metric, PassAtK)
    assert isinstance(metric, OfRepeats)
    assert not isinstance(create(Settings()), OfRepeats)
    assert metric.together([1.0, 0.0, 0.0, 0.0]) == 0.5


MODELS = '[metric.pass-at-2]\nuse = "pass-at-k"\nk = 2\n'


def test_repeats_of_a_sampled_model_give_pass_at_k(tmp_path: Path) -> None:
    """Each task is answered five times: the first is right twice, the second never, the third always."""
    turns: dict[str, int] = {}

    def rule(question: str) -> str:
        name = question.split("def ")[1].split("(")[0]
        turns[name] = turns.get(name, -1) + 1
        right = {"one": turns[name] in (1, 3), "two": False, "three": True}[name]
        return f"    return {7 if right else 8}"

    def task(name: str) -> Case:
        meta = {"test": "def check(f):\n    assert f() == 7\n", "entry_point": name}
        return Case(id=name, question=f'def {name}():\n    """Seven."""\n', meta=meta)

    with examinee(rule) as one:
        folder = project(tmp_path, one.url, more=MODELS)
        tasks = [task(name) for name in ("one", "two", "three")]
        suite(folder, tasks, metrics=["pass-at-k", "pass-at-2"], temperature=0.8, repeat=5)
        with gw.open(folder) as opened:
            report = evaluate(opened.parts, Wanted(suite="exam"))
            metrics = metrics_of(opened.parts, ["pass-at-k", "pass-at-2"])
        assert {request["temperature"] for request in one.requests} == {0.8}
        assert {request["seed"] for request in one.requests} == set(range(5))
    assert len(report.rows) == 15
    assert sorted(row.values["pass-at-k"] for row in report.rows if row.case == "one") == [(0.0,)] * 3 + [(1.0,)] * 2
    assert {row.values["pass-at-2"] for row in report.rows if row.case == "one"} == {(estimate(5, 2, 2),)}
    at_1, at_2 = figures(report, metrics)
    assert (at_1.n, at_2.n) == (3, 3)
    assert at_1.value == pytest.approx((2 / 5 + 0 + 1) / 3)
    assert at_2.value == pytest.approx((0.7 + 0 + 1) / 3)  # 1 - C(3, 2) / C(5, 2)


def test_too_few_answers_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    with examinee() as one:
        folder = project(tmp_path, one.url, more=MODELS)
        suite(folder, [TASK], metrics=["pass-at-2"], temperature=0.8)
        with gw.open(folder) as opened, pytest.raises(ConfigError) as refusal_:
            evaluate(opened.parts, Wanted(suite="exam"))
        assert "needs 2 answers to each case" in refusal_.value.what
        assert "--repeat 2" in refusal_.value.cure
        suite(folder, [TASK], metrics=["pass-at-2"], repeat=2)
        with gw.open(folder) as opened, pytest.raises(ConfigError) as refusal_:
            evaluate(opened.parts, Wanted(suite="exam"))
        assert "set a temperature" in refusal_.value.cure
        assert not one.requests


def test_humaneval_and_mbpp_are_imported_as_they_are_published(tmp_path: Path) -> None:
    human = (
        '{"task_id": "HumanEval/53", "prompt": "def add(x: int, y: int):\\n    \\"\\"\\"Add.\\"\\"\\"\\n", '
        '"entry_point": "add", "canonical_solution": "    return x + y\\n", '
        '"test": "def check(candidate):\\n    assert candidate(2, 3) == 5\\n"}'
    )
    (tmp_path / "humaneval.jsonl").write_text(human)
    (task,) = importing.read_any(tmp_path / "humaneval.jsonl")
    assert (task.id, task.meta["entry_point"]) == ("HumanEval/53", "add")
    assert score(str(task.meta["canonical_solution"]), task) == 1.0
    mbpp = (
        '{"task_id": 2, "text": "Write a function to find the shared elements.", "code": '
        '"def helper(x):\\n  return set(x)\\ndef shared(a, b):\\n  return tuple(helper(a) & helper(b))", '
        '"test_list": ["assert set(shared((3, 4), (4, 5))) == {4}"], "test_setup_code": "import math", '
        '"challenge_test_list": []}'
    )
    (tmp_path / "mbpp.jsonl").write_text(mbpp)
    (other,) = importing.read_any(tmp_path / "mbpp.jsonl")
    assert (other.id, other.meta["entry_point"]) == ("mbpp/2", "shared")
    assert "assert set(shared((3, 4), (4, 5))) == {4}" in other.question
    assert other.meta["test"].startswith("import math\n")
    assert score(f"```python\n{other.meta['code']}\n```", other) == 1.0
    assert suites.fitting([task]) == suites.fitting([other]) == ("pass-at-k",)
