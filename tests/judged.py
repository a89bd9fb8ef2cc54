"""A judge for tests: an OpenAI-compatible endpoint that grades by rule, and a project with a golden set for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from examinee import project, suite
from gatewheel.data import cases as case_files
from gatewheel.kernel.nouns import Case

ANSWER = re.compile(r"<answer (\w+)>\n(.*)\n</answer \1>", re.DOTALL)
PAIR = re.compile(r"<answer 1 (\w+)>\n(.*)\n</answer 1 \1>.*<answer 2 \1>\n(.*)\n</answer 2 \1>", re.DOTALL)
Grade = Callable[[str], object]
JUDGE = """[metric.helpful]
use = "judge"
model = "other"
rubric = "helpful.md"
golden = "golden"
scale = "1-4"
samples = 1
"""


def stars(text: str) -> int:
    """What an answer is worth: one more than its stars, at most 4."""
    return min(4, 1 + text.count("*"))


def grading(grade: Grade, answer: Callable[[str], str | int] = lambda question: question) -> Callable[[str], str | int]:
    """A rule for an examinee: it grades what stands between the marks, and answers everything else."""

    def rule(message: str) -> str | int:
        if pair := PAIR.search(message):
            one, other = grade(pair[2]), grade(pair[3])
            better = "tie" if one == other else "1" if str(one) > str(other) else "2"
            return json.dumps({"reason": "by rule", "better": better})
        if found := ANSWER.search(message):
            return json.dumps({"reason": "by rule", "score": grade(found[2])})
        return answer(message)

    return rule


def golden(folder: Path, graded: list[tuple[str, list[float]]], *, each: int = 2) -> None:
    """A golden set: answers with the grades of people, so many answers to each question."""
    cases = [
        Case(
            id=f"g{at}",
            question=f"question {at // each}?",
            cluster=f"question {at // each}",
            references=(f"g{at}",),
            meta={"response": text, "human": {"helpful": grades}},
        )
        for at, (text, grades) in enumerate(graded)
    ]
    case_files.write(folder / "suites" / "golden.jsonl", cases)
    (folder / "suites" / "golden.toml").write_text('metrics = ["inclusion"]\nmodel = "chat"\n', encoding="utf-8")


def agreeing(n: int = 40) -> list[tuple[str, list[float]]]:
    """Answers of every worth with the grades of three people, one of whom is off by one now and then."""
    texts = [f"answer {at} {'*' * (at * 7 % 4)}" for at in range(n)]
    return [(text, [stars(text), stars(text), min(4, stars(text) + (at % 5 == 0))]) for at, text in enumerate(texts)]


def court(folder: Path, url: str, *, more: str = "", judge: str = JUDGE) -> Path:
    """A project with a judge, its rubric and golden set, and a suite of forty questions that it judges."""
    project(folder, url, more=judge + more)
    (folder / "helpful.md").write_text("4: all stars. 1: none.\n", encoding="utf-8")
    golden(folder, agreeing())
    questions = [f"say {'*' * (at % 4)} {at}" for at in range(40)]
    suite(folder, [Case(id=f"c{at}", question=text) for at, text in enumerate(questions)], metrics=["helpful"])
    return folder
