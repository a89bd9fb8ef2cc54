"""The development sets: documents, questions with their gold documents, and projects that hold them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import gatewheel as gw
from gatewheel.loop.project import Project

SETS = (
    "squad",
    "nq",
    "hotpot",
    "musique",
    "clapnq",
    "scifact",
    "mtrag",
    "lihua",
    "docs_18f",
    "docs_kubernetes",
)
PROMPT = resources.files("gatewheel") / "sample" / "answer.md"  # what `gatewheel init` writes
MARKDOWN = ("docs_18f", "docs_kubernetes")
SEED = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question. `gold` are ids of documents, empty when the documents do not answer it."""

    id: str
    group: str
    text: str
    answers: tuple[str, ...]
    gold: tuple[str, ...]
    answerable: bool


def documents(data: Path, name: str) -> list[dict[str, Any]]:
    """The rows of `<name>.docs.jsonl`: id, title, text and more."""
    return list(_rows(data / f"{name}.docs.jsonl"))


def questions(data: Path, name: str, *, most: int = 0) -> list[Question]:
    """The questions of a set, at most `most` of them drawn with a fixed seed (0: all), in the order of the file."""
    path = data / f"{name}.qa.jsonl"
    rows = _rows(path if path.exists() else data / f"{name}.claims.jsonl")
    found = [
        Question(
            id=row["id"],
            group=row["group"],
            text=row["question"],
            answers=tuple(row.get("answers", ())),
            gold=tuple(row.get("doc_ids", ())),
            answerable=row.get("answerable", True),
        )
        for row in rows
    ]
    return sample(found, most)


def with_gold(asked: Sequence[Question]) -> list[Question]:
    """Those that some document answers: the others say nothing about retrieval."""
    return [question for question in asked if question.answerable and question.gold]


def sample(asked: Sequence[Question], most: int) -> list[Question]:
    """At most `most`, the same ones at every run."""
    if not most or len(asked) <= most:
        return list(asked)
    return [asked[at] for at in sorted(random.Random(SEED).sample(range(len(asked)), most))]


def project(data: Path, name: str, folder: Path, *, tables: str = "") -> Project:
    """A project under `folder` that holds a set, made at the first call. `tables` is added to its gatewheel.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    style = "markdown" if name in MARKDOWN else "text"
    head = f'[sources]\npaths = ["{name}.docs.jsonl"]\n[reader.jsonl]\nuse = "jsonl"\nformat = "{style}"\n'
    (folder / "gatewheel.toml").write_text(f"{head}[trace]\nstore = false\n{tables}", encoding="utf-8")
    (folder / "prompts").mkdir(exist_ok=True)
    (folder / "prompts" / "answer.md").write_text(PROMPT.read_text(encoding="utf-8"), encoding="utf-8")
    corpus = folder / f"{name}.docs.jsonl"
    if not corpus.exists():
        corpus.write_bytes((data / corpus.name).read_bytes())
    found = gw.open(folder)
    found.ingest()
    return found


def document_of(source: str) -> str:
    """The id of a document from the source that the JSON Lines reader gives it."""
    return source.partition("#")[2]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
