"""Tasks of the lm-evaluation-harness as cases, by the meaning that its templates have there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatewheel.data import suites
from gatewheel.data.importing import read_any
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case

ROWS = [{"question": "2 + 2?", "choices": ["3", "4"], "answer": 1, "solution": "4"}]


def task(folder: Path, text: str, rows: Any = ROWS, *, local: bool = True) -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "task.yaml"
    where = "dataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\n" if local else ""
    path.write_text(where + text)
    return path


def one(path: Path, **said: Any) -> Case:
    [case] = read_any(path, **said)
    return case


def test_multiple_choice(tmp_path: Path) -> None:
    text = """
task: arithmetic
output_type: multiple_choice
description: "Answer the question.\\n\\n"
doc_to_text: "Question: {{question.strip()}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc}]
"""
    case = one(task(tmp_path, text))
    assert case.question == "Answer the question.\n\nQuestion: 2 + 2?\nAnswer:"
    assert (case.choices, case.label, case.references, case.tags) == (("3", "4"), "4", (), ("arithmetic",))
    assert case.meta == {"doc": ROWS[0], "target_delimiter": " "}
    settings = suites.beginning([case], "holdout")
    assert (settings.model, settings.answer, settings.prompt, settings.delimiter) == (
        "chat",
        "likelihood",
        "{question}",
        " ",
    )
    assert settings.metrics == ("choice-accuracy", "choice-accuracy-norm")
    bare = one(task(tmp_path, f"{text}target_delimiter: ''\n"))
    assert suites.beginning([bare], "holdout").delimiter == ""


def test_texts_that_are_read_whole(tmp_path: Path) -> None:
    text = "output_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: '{{question}} = {{solution}}'\n"
    case = one(task(tmp_path, text))
    assert (case.question, case.choices, case.references) == ("2 + 2? = 4", (), ())
    settings = suites.beginning([case], "holdout")
    assert (settings.answer, settings.metrics[0]) == ("likelihood", "word-perplexity")


def test_generation(tmp_path: Path) -> None:
    text = "output_type: generate_until\ndoc_to_text: question\ndoc_to_target: ' {{solution}}'\n"
    case = one(task(tmp_path, text))
    assert (case.question, case.references) == ("2 + 2?", (" 4",))


@pytest.mark.parametrize(
    ("text", "choices", "label"),
    [
        ("doc_to_choice: ['no', 'yes']\ndoc_to_target: answer", ("no", "yes"), "yes"),
        ("doc_to_choice: {a: 'no', b: 'yes'}\ndoc_to_target: '{{answer}}'", ("no", "yes"), "yes"),
        ("doc_to_choice: '{{[choices[1], choices[0]]}}'\ndoc_to_target: 0", ("4", "3"), "4"),
        ("doc_to_choice: choices\ndoc_to_target: '{{solution}}'", ("3", "4"), "4"),
        ("doc_to_choice: ['A', 'B']\ndoc_to_target: \"{{['A', 'B'][answer]}}\"", ("A", "B"), "B"),
    ],
)
def test_targets_and_choices_are_columns_lists_and_templates(
    tmp_path: Path, text: str, choices: tuple[str, ...], label: str
) -> None:
    rows = [{**ROWS[0], "solution": "1"}] if "solution" in text else ROWS
    case = one(task(tmp_path, f"output_type: multiple_choice\ndoc_to_text: question\n{text}\n", rows))
    assert (case.choices, case.label) == (choices, label)


@pytest.mark.parametrize("target", ["²", "1" * 5000])
def test_a_target_that_is_no_place_is_told(tmp_path: Path, target: str) -> None:
    text = "output_type: multiple_choice\ndoc_to_text: question\ndoc_to_choice: choices\n"
    text += f"doc_to_target: '{target}{{{{x}}}}'\n"
    with pytest.raises(UserError, match="is none of the 2 choices"):
        one(task(tmp_path, text, [{**ROWS[0], "x": ""}]))


def test_several_targets_are_references(tmp_path: Path) -> None:
    text = "doc_to_text: '{{question | regex_replace(\"2\", \"3\")}}'\ndoc_to_target: '{{choices}}'\n"
    case = one(task(tmp_path, text))
    assert (case.question, case.references) == ("3 + 3?", ("3", "4"))


def test_rows_may_be_named_and_files_include_one_another(tmp_path: Path) -> None:
    (tmp_path / "_default_yaml").write_text("dataset_path: cais/mmlu\ndoc_to_text: x\ndoc_to_target: solution\n")
    path = task(tmp_path, "include: _default_yaml\ndoc_to_text: question\n", local=False)
    assert one(path, data=tmp_path / "rows.jsonl").question == "2 + 2?"
    with pytest.raises(UserError, match=r"the rows of 'cais/mmlu' are not here, and nothing is downloaded.*--data"):
        read_any(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("doc_to_text: !function utils.text\ndoc_to_target: answer", "doc_to_text: is the code utils.text, and an"),
        ("process_docs: !function utils.run\ndoc_to_text: question\ndoc_to_target: answer", "process_docs: is the"),
        ("doc_to_text: question", "doc_to_target: is missing"),
        ("doc_to_text: question\ndoc_to_target: answer\noutput_type: multiple_choice", "doc_to_choice: is missing"),
        (
            "doc_to_text: '{{qestion}}'\ndoc_to_target: answer",
            "rows.jsonl, line 1: the template '{{qestion}}' does not",
        ),
        ("doc_to_text: '{{ ().__class__.__mro__ }}'\ndoc_to_target: answer", "does not render: access to attribute"),
        ("doc_to_text: '{% for x in'\ndoc_to_target: answer", "does not render"),
        ("doc_to_text: answer\ndoc_to_target: question\ndoc_to_choice: choices", "the choices are the questions"),
        ("doc_to_text: question\ndoc_to_target: 7\ndoc_to_choice: choices", "'7' is none of the 2 choices"),
        ("doc_to_text: question\ndoc_to_target: 0\ndoc_to_choice: question", "which is no list"),
        ("doc_to_text: question\ndoc_to_target: 0\ninclude: ../x.yaml", "'../x.yaml' is not in the folder"),
        ("doc_to_text: question\ndoc_to_target: 0\ninclude: task.yaml", "cannot be followed"),
    ],
)
def test_what_cannot_be_taken_is_told(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "utils.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(UserError) as error:
        read_any(task(tmp_path, text))
    assert what in str(error.value)


def test_templates_change_nothing_and_literals_run_nothing(tmp_path: Path) -> None:
    text = "doc_to_text: '{{choices.append(1)}}'\ndoc_to_target: answer\n"
    with pytest.raises(UserError, match="does not render"):
        read_any(task(tmp_path, text))
    text = "doc_to_text: question\ndoc_to_target: \"{{'[__import__(1)]'}}\"\n"
    assert one(task(tmp_path, text)).references == ("[__import__(1)]",)
