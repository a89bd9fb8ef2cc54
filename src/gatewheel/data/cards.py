"""Data cards: what is known of a dataset version, as Markdown for people. After Gebru et al. (2021), Datasheets.

The card of a version is kept as JSON beside it; its text is made of that. No text of a case stands in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from gatewheel.data.datasets import Dataset

WHY = {
    "silent": "nothing to learn",
    "short": "reply too short",
    "long": "reply too long",
    "language": "other language",
    "repeated": "repeats itself",
    "near": "nearly the same as another",
    "apart": "of a document or conversation that is held out",
    "held out": "held out already",
    "leak": "nearly the same as a held-out case",
}
_SIZES = ("question", "context", "history", "reply")


def markdown(dataset: Dataset) -> str:
    """The card of a version. What is not known of it is not said."""
    return "\n".join(_lines(dataset)) + "\n"


def _lines(dataset: Dataset) -> Iterator[str]:
    card = dataset.card
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(dataset.created))
    yield f"# {dataset.name}"
    yield ""
    yield f"{dataset.cases} cases for training, frozen on {made} as version `{dataset.id}`."
    for reason in dataset.tainted:
        yield f"\n**Tainted: {_inline(reason)}.** Nothing should learn from this version."
    if stats := card.get("stats"):
        yield from _made_of(stats)
    yield from _come_from(card.get("origins", {}))
    yield from _prepared(card)
    yield from _apart(card.get("leaks", {}))


def _made_of(stats: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## What is in it\n"
    yield f"| | texts | {stats['unit']} | mean | median | 95 % | longest |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name in _SIZES:
        size = stats[name]
        if size["texts"]:
            cells = (size["texts"], size["total"], size["mean"], size["median"], size["p95"], size["longest"])
            yield f"| {name} | {' | '.join(map(str, cells))} |"
    yield ""
    yield f"- to learn: {stats['replies']} references, {stats['labelled']} labels, {stats['abstentions']} abstentions"
    yield f"- {stats['near']} nearly the same as another with the same reply, {stats['contradictions']} contradict one"
    if stats["labels"]:
        yield f"- labels: {_counted(stats['labels'])}; evenness {stats['evenness']}"
    if stats["languages"]:
        yield f"- languages: {_counted(stats['languages'])}"
    if stats["clusters"]:
        most = stats["largest_cluster"]
        yield f"- clusters (documents, conversations): {stats['clusters']}, at most {most} cases each"
    if stats["tags"]:
        yield f"- tags: {_counted(stats['tags'])}"


def _come_from(origins: Mapping[str, Any]) -> Iterator[str]:
    if not origins:
        return
    yield "\n## Where it comes from\n"
    for one in origins.get("files", ()):
        licence = f", licence {_inline(one['licence'])}" if one.get("licence") else ""
        yield f"- file `{_inline(_name(one['ref']))}`: {one['cases']} cases{licence}"
    for one in origins.get("documents", ()):
        yield f"- document `{_inline(one['ref'])}`: {one['cases']} cases"
    for key, what in (("traces", "asked in production"), ("feedback", "by what people said of answers")):
        if origins.get(key):
            yield f"- {what}: {origins[key]} cases"
    if origins.get("unknown"):
        yield f"- written by hand, or of unknown origin: {origins['unknown']} cases"


def _prepared(card: Mapping[str, Any]) -> Iterator[str]:
    left, redacted = card.get("left_out", {}), card.get("redacted", {})
    yield "\n## What was done to it\n"
    kinds = ", ".join(redacted.get("kinds", ())) or "nothing"
    changed = f", in {redacted['cases']} cases" if redacted.get("kinds") else ""
    yield f"- blacked out when it was frozen: {kinds}{changed}"
    for kind, count in left.items():
        yield f"- left out: {count} ({WHY.get(kind, kind)})"
    if not left:
        yield "- nothing was left out"


def _apart(leaks: Mapping[str, Any]) -> Iterator[str]:
    if not leaks:
        return
    yield "\n## What it must not know\n"
    suites = ", ".join(f"`{_inline(name)}`" for name in leaks["suites"])
    how = "words and vectors" if leaks["vectors"] else "words alone"
    yield (
        f"- held out are {suites}; by {how} nothing in this version is near to them"
        if suites
        else ("- no suite was held out when this was frozen")
    )
    if leaks.get("clusters"):
        yield f"- {leaks['clusters']} of its cases are of documents or conversations of which others are held out"


def _name(ref: str) -> str:
    """A file as others may know it: where it lies on this machine is nobody's business."""
    return PurePath(ref).name if PurePath(ref).is_absolute() else ref


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_inline(name)} {count}" for name, count in counts.items())


def _inline(text: str) -> str:
    """A text that opens nothing in Markdown and stays on its line."""
    return " ".join(str(text).split()).replace("`", "'").replace("|", "/").replace("<", "‹")[:120]
