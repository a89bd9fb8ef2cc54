"""The same work for lm-evaluation-harness and for Gatewheel: task files of the one, suites of the other."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SEED = 7
SHOTS = 5
LETTERS = "ABCDE"
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One task: `kind` is choice, perplexity or generation; rows have `id`, `text`, and `choices` or `answers`."""

    name: str
    kind: str
    rows: list[Row]
    max_tokens: int = 0


def works(data: Path, share: float) -> list[Work]:
    """All of it; `share` of the usual number of cases."""

    def few(made: Callable[[Path], Iterator[Row]], most: int) -> list[Row]:
        rows = {row["text"]: row for row in made(data)}.values()
        return [row | {"id": f"{at:04}"} for at, row in zip(range(max(1, round(share * most))), rows, strict=False)]

    return [
        Work(name="mmlu", kind="choice", rows=few(_mmlu, 200)),
        Work(name="mmlu-5-shot", kind="choice", rows=few(_mmlu_shots, 100)),
        Work(name="truthfulqa", kind="choice", rows=few(_truthful, 50)),
        Work(name="books", kind="perplexity", rows=few(_chapters, 4)),
        Work(name="squad", kind="generation", rows=few(_passages, 40), max_tokens=48),
    ]


def write_tasks(folder: Path, work: Work) -> None:
    """A task of lm-evaluation-harness: `<folder>/<name>.yaml` with its rows beside it."""
    rows = folder / f"{work.name}.jsonl"
    _write(rows, work.rows)
    task: Row = {
        "task": work.name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(rows)}},
        "test_split": "test",
        "num_fewshot": 0,
        "metadata": {"version": 1},
    }
    match work.kind:
        case "choice":
            metrics = ["acc", "acc_bytes"]
            task |= {"output_type": "multiple_choice", "doc_to_text": "{{text}}", "doc_to_choice": "{{choices}}"}
            task |= {"doc_to_target": "{{answer}}"}
        case "perplexity":
            metrics = ["word_perplexity", "byte_perplexity", "bits_per_byte"]
            task |= {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{text}}"}
        case _:
            metrics = ["exact_match"]
            until = {"until": [], "max_gen_toks": work.max_tokens, "do_sample": False}
            task |= {"output_type": "generate_until", "doc_to_text": "{{text}}", "doc_to_target": "{{answer}}"}
            task |= {"generation_kwargs": until}
    task["metric_list"] = [{"metric": metric} for metric in metrics]
    (folder / f"{work.name}.yaml").write_text(yaml.safe_dump(task, sort_keys=False), encoding="utf-8")


def write_suite(root: Path, work: Work) -> None:
    """A suite of Gatewheel: `<root>/suites/<name>.toml` with its cases beside it."""
    folder = root / "suites"
    folder.mkdir(parents=True, exist_ok=True)
    said = {
        "choice": 'metrics = ["choice-accuracy", "choice-accuracy-norm"]\nanswer = "likelihood"\n',
        "perplexity": 'metrics = ["word-perplexity", "byte-perplexity", "bits-per-byte"]\nanswer = "likelihood"\n',
        "generation": f'metrics = ["token-f1"]\nmax_tokens = {work.max_tokens}\n',
    }
    model = "writer" if work.kind == "generation" else "chat"
    (folder / f"{work.name}.toml").write_text(f'model = "{model}"\n{said[work.kind]}', encoding="utf-8")
    _write(folder / f"{work.name}.jsonl", [_case(row) for row in work.rows])


def _case(row: Row) -> Row:
    case: Row = {"id": row["id"], "question": row["text"]}
    if "choices" in row:
        case |= {"choices": row["choices"], "label": row["choices"][row["answer"]]}
    elif "answer" in row:
        case |= {"references": [row["answer"]]}
    return case


def _write(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _read(data: Path, name: str) -> list[Row]:
    return [json.loads(line) for line in (data / f"{name}.jsonl").open(encoding="utf-8")]


# --- the rows ---


def _mmlu(data: Path) -> Iterator[Row]:
    rows = [row for row in _read(data, "mmlu.mcq") if "/val/" in row["id"]]
    random.Random(SEED).shuffle(rows)
    for row in rows:
        yield _lettered(row, "")


def _mmlu_shots(data: Path) -> Iterator[Row]:
    """As MMLU is asked: five examples of the same subject first. Subject by subject."""
    subjects: dict[str, dict[str, list[Row]]] = {}
    for row in _read(data, "mmlu.mcq"):
        subjects.setdefault(row["meta"]["subject"], {}).setdefault(row["id"].split("/")[2], []).append(row)
    names = [name for name, parts in subjects.items() if len(parts.get("dev", ())) >= SHOTS and "val" in parts]
    random.Random(SEED).shuffle(names)
    for name in names:
        shown = "".join(f"{_question(row)} {LETTERS[row['answer_index']]}\n\n" for row in subjects[name]["dev"][:SHOTS])
        told = f"The following are multiple choice questions (with answers) about {name.replace('_', ' ')}.\n\n{shown}"
        for row in subjects[name]["val"]:
            yield _lettered(row, told)


def _lettered(row: Row, before: str) -> Row:
    choices = list(LETTERS[: len(row["choices"])])
    return {"text": before + _question(row), "choices": choices, "answer": row["answer_index"]}


def _question(row: Row) -> str:
    listed = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, row["choices"], strict=False))
    return f"{row['question'].strip()}{listed}\nAnswer:"


def _truthful(data: Path) -> Iterator[Row]:
    """One true answer among false ones, each a sentence."""
    rows = _read(data, "truthfulqa.qa")
    random.Random(SEED).shuffle(rows)
    for row in rows:
        choices = list(dict.fromkeys([row["best_answer"], *row["incorrect"]]))
        yield {"text": f"Q: {row['question']}\nA:", "choices": choices, "answer": 0}


def _chapters(data: Path) -> Iterator[Row]:
    rows = [row for row in _read(data, "books.docs") if 7_000 < len(row["text"]) < 12_000]
    random.Random(SEED).shuffle(rows)
    for row in rows:
        yield {"text": row["text"]}


def _passages(data: Path) -> Iterator[Row]:
    texts = {row["id"]: row["text"] for row in _read(data, "squad.docs")}
    rows = [row for row in _read(data, "squad.qa") if row["answers"]]
    random.Random(SEED).shuffle(rows)
    for row in rows:
        yield {"text": f"{texts[row['doc_ids'][0]]}\n\n{row['question']}", "answer": row["answers"][0]}
