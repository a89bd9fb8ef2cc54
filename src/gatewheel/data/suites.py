"""Suites: suites/<name>.toml says how the cases of a JSON Lines file are asked and scored.

    metrics = ["token-f1", "citation-recall"]
    app = "main"
    split = "holdout"

    [slices]
    billing = "Questions about invoices"

One for training may say in [freeze] what its versions are made with (preparing.py).

Knows nothing about metrics but their names.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.data import cases as case_files
from gatewheel.data import preparing
from gatewheel.data.cases import folded, identity, split_key
from gatewheel.data.preparing import Freeze
from gatewheel.kernel.config import checked
from gatewheel.kernel.errors import ConfigError, UserError, did_you_mean
from gatewheel.kernel.nouns import Case

FOLDER = "suites"
DRAFTS = ".drafts"  # <suite>.drafts.jsonl are drafts for it, which wait for a person (drafts.py)
_OF_META = {
    "checks": ("instructions-strict", "instructions-loose"),
    "context_condition": ("bbq-ambiguous", "bbq-disambiguated"),
    "stereotypical": ("crows-pairs",),
    "entry_point": ("pass-at-k",),
}
HARNESS = "target_delimiter"  # in `meta` of cases that the lm-evaluation-harness scores by log-likelihood
NAME = re.compile(r"\w[\w.-]{0,63}")
Split = Literal["train", "holdout"]
Kind = Literal["text", "likelihood"]


class Settings(BaseModel):
    """What suites/<name>.toml may say. Files are named from the folder of the suite."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cases: str = Field(default="", description="File of the cases; empty means <name>.jsonl.")
    metrics: tuple[str, ...] = Field(min_length=1, description="Names of [metric.…] tables or of the catalog.")
    app: str = Field(default="", description="The application that answers; main when no model is named either.")
    model: str = Field(default="", description="The model that answers, instead of an application.")
    split: Split = Field(default="holdout", description="What the cases are for; one of both, for ever.")
    repeat: int = Field(default=1, ge=1, le=1_000, description="How often each case is asked, with another seed.")
    few_shot: int = Field(default=0, ge=0, le=100, description="So many examples are shown before each question.")
    examples: str = Field(default="", description="File of the examples, of which the first ones are taken.")
    max_tokens: int = Field(default=256, ge=1, description="Tokens that a model may write; an application has its own.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="Of a model; above 0 it samples, and can repeat.")
    answer: Kind = Field(default="text", description="What is scored: a text, or how likely choices or texts are.")
    prompt: str = Field(default="{question}", description="What stands before a choice whose likelihood is told.")
    delimiter: str = Field(default=" ", description="What stands between that and the choice.")
    slices: dict[str, str] = Field(default={}, description="Tags of cases, with what they mean.")
    trained_on: tuple[str, ...] = Field(
        default=(), description="Files of what models learned from, besides the suites for training: hits are told."
    )
    freeze: Freeze = Field(default=Freeze(), description="What versions to learn from are made with.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """Cases with how they are asked and scored. `path` is of the toml, `target_name` that of the app or model.

    `id` is the digest of all that decides a score but who answers: only reports of one id can be compared.
    """

    name: str
    path: Path
    cases: tuple[Case, ...]
    metrics: tuple[str, ...]
    id: str
    target: Literal["app", "model"] = "app"
    target_name: str = "main"
    split: Split = "holdout"
    repeat: int = 1
    few_shot: tuple[Case, ...] = ()
    max_tokens: int = 256
    temperature: float = 0.0
    answer: Kind = "text"
    prompt: str = "{question}"
    delimiter: str = " "
    slices: Mapping[str, str] = field(default_factory=dict)


def names(root: Path) -> list[str]:
    """The names of a project's suites."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.toml") if NAME.fullmatch(path.stem))


def path_of(root: Path, name: str) -> Path:
    """Where a suite of this name stands or would stand. Raises UserError for what is no name."""
    if not NAME.fullmatch(name):
        what = f"'{name[:80]}' is no name of a suite"
        raise UserError(what, cure="write letters, digits and . - _, at most 64, a letter or digit first")
    if name.casefold().endswith(DRAFTS):
        what = f"'{name}' is no name of a suite: {name}.jsonl holds the drafts for another one"
        raise UserError(what, cure=f"take another name, one that does not end in {DRAFTS}")
    return root / FOLDER / f"{name}.toml"


def load(root: Path, name: str) -> Suite:
    """A suite with its cases. Raises UserError when there is none, ConfigError for its toml, UserError for its cases.

    Two cases that ask and expect the same are a fault: they would count twice. Cases without a cluster that are asked
    about one context are of one cluster.
    """
    path = path_of(root, name)
    settings = settings_of(root, name)
    cases = case_files.read(cases_path(root, path, settings))
    _refuse_twins(cases, path)
    shown = _examples(root, path, settings, cases)
    return Suite(
        name=name,
        path=path,
        cases=tuple(map(clustered, cases)),
        metrics=settings.metrics,
        id=_digest(cases, settings, shown),
        target="model" if settings.model else "app",
        target_name=settings.model or settings.app or "main",
        split=settings.split,
        repeat=settings.repeat,
        few_shot=shown,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        answer=settings.answer,
        prompt=settings.prompt,
        delimiter=settings.delimiter,
        slices=settings.slices,
    )


def cases_path(root: Path, path: Path, settings: Settings) -> Path:
    """The file of a suite's cases. Raises ConfigError when it lies outside of the project."""
    return inside(root, path, "cases", settings.cases or f"{path.stem}.jsonl")


def write(root: Path, name: str, settings: Settings) -> Path:
    """Write suites/<name>.toml, whole or not at all, without what is a default."""
    path = path_of(root, name)
    said = settings.model_dump(exclude_defaults=True)
    slices = said.pop("slices", {})
    freeze = ["", "[freeze]", *preparing.lines(settings.freeze)] if said.pop("freeze", {}) else []
    lines = [f"{key} = {_toml(value)}" for key, value in said.items()]
    lines += ["", "[slices]", *(f"{_toml(key)} = {_toml(value)}" for key, value in slices.items())] if slices else []
    case_files.replace(path, "\n".join([*lines, *freeze, ""]).encode())
    return path


def beginning(cases: Sequence[Case], split: Split) -> Settings:
    """Settings to begin with: what the cases expect allows these metrics, and known probes are asked in their way."""
    said: dict[str, Any] = {}
    if any("checks" in case.meta for case in cases):
        said |= {"max_tokens": 1280}  # of IFEval in the lm-evaluation-harness
    if any("stereotypical" in case.meta for case in cases):
        said |= {"model": "chat", "answer": "likelihood", "prompt": "", "delimiter": ""}
    if delimiters := {str(case.meta[HARNESS]) for case in cases if HARNESS in case.meta}:
        said |= {"model": "chat", "answer": "likelihood", "delimiter": min(delimiters)}
    return Settings(metrics=fitting(cases), split=split, **said)


def fitting(cases: Sequence[Case]) -> tuple[str, ...]:
    """Metrics to begin with: those that what the cases expect allows."""
    found = [name for key, names in _OF_META.items() if any(key in case.meta for case in cases) for name in names]
    if any(HARNESS in case.meta for case in cases):
        whole = ("word-perplexity", "byte-perplexity", "bits-per-byte")
        return ("choice-accuracy", "choice-accuracy-norm") if any(case.choices for case in cases) else whole
    if any((case.choices or not case.references) and case.label for case in cases):
        found.append("accuracy")
    if any(case.references for case in cases):
        found += ["exact-match", "token-f1"]
    if any(case.sources for case in cases):
        found += ["hit", "mrr"]
    if not all(case.answerable for case in cases):
        found.append("abstention")
    return tuple(found or ["faithfulness", "answer-relevance"])


def _toml(value: Any) -> str:
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")  # all that TOML escapes and JSON does not


def settings_of(root: Path, name: str) -> Settings:
    """What the toml of a suite says. Raises UserError when there is none, ConfigError for what it says."""
    path = path_of(root, name)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = f"no suite {FOLDER}/{path.name}"
        raise UserError(what, cure=did_you_mean(path.stem, names(root))) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}", cure="mend that line") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", cure="check its permissions") from None
    settings = checked(Settings, raw, f"{path.name}:")
    if settings.app and settings.model:
        what = f"{path.name}: model: is named beside an app, got '{settings.model}'"
        raise ConfigError(what, cure="remove one of them")
    if settings.answer == "likelihood" and (settings.app or not settings.model):
        what = f'{path.name}: answer: "likelihood" is of given texts, and an application writes its own'
        raise ConfigError(what, cure='name a model: model = "chat"')
    if settings.few_shot and not settings.examples:
        raise ConfigError(f"{path.name}: examples: is missing for few_shot", cure="name a file of cases")
    if len(set(settings.metrics)) < len(settings.metrics):
        twice = next(name for name in settings.metrics if settings.metrics.count(name) > 1)
        raise ConfigError(f"{path.name}: metrics: '{twice}' is named twice", cure="remove it once")
    return settings


def inside(root: Path, path: Path, key: str, named: str) -> Path:
    """A file that the toml at `path` names under `key`. Raises ConfigError when it lies outside of the project."""
    found = Path(normpath(path.parent / named))
    if not found.is_relative_to(normpath(root)):
        what = f"{path.name}: {key}: lies outside of the project, got '{named}'"
        raise ConfigError(what, cure=f"copy the file into {FOLDER}/")
    return found


def _refuse_twins(cases: Sequence[Case], path: Path) -> None:
    seen: dict[str, str] = {}
    for case in cases:
        first = seen.setdefault(identity(case), case.id)
        if first != case.id:
            what = f"{path.name}: the cases '{first[:80]}' and '{case.id[:80]}' ask and expect the same"
            raise UserError(what, cure="remove one of them")


def _examples(root: Path, path: Path, settings: Settings, cases: Sequence[Case]) -> tuple[Case, ...]:
    if not settings.few_shot:
        return ()
    every = case_files.read(inside(root, path, "examples", settings.examples))
    shown = tuple(every[: settings.few_shot])
    if len(shown) < settings.few_shot:
        what = f"{path.name}: few_shot: must be at most the {len(shown)} of {settings.examples}"
        raise ConfigError(f"{what}, got {settings.few_shot}", cure="add examples or lower it")
    asked = set(map(split_key, cases))
    for example in shown:
        if not (example.references or example.label):
            what = f"{path.name}: examples: '{example.id[:80]}' has no answer to show"
            raise ConfigError(what, cure="give it references or a label")
        if split_key(example) in asked:
            what = f"{path.name}: examples: '{example.id[:80]}' is also asked, so its answer would be shown"
            raise ConfigError(what, cure="take it out of the examples or of the cases")
    return shown


def clustered(case: Case) -> Case:
    """The case in the cluster of its context, where it has a context and is in no other."""
    if case.cluster or not case.context:
        return case
    context = hashlib.sha256(folded(case.context).encode("utf-8", "surrogatepass"))
    return replace(case, cluster=f"context {context.hexdigest()[:16]}")


def _digest(cases: Sequence[Case], settings: Settings, shown: Sequence[Case]) -> str:
    scored: dict[str, Any] = {
        "cases": sorted(([identity(case), case_files.to_record(case)] for case in cases), key=lambda pair: pair[0]),
        "metrics": sorted(settings.metrics),
        "few_shot": [identity(case) for case in shown],
        "max_tokens": settings.max_tokens,
    }
    if settings.answer == "likelihood":
        scored |= {"answer": settings.answer, "prompt": settings.prompt, "delimiter": settings.delimiter}
    text = json.dumps(scored, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
