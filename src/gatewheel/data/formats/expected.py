"""What promptfoo's assertions expect, as references. What they would run or ask a judge is kept as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewheel.data.formats.template import fill
from gatewheel.kernel.errors import UserError

# assertions whose value is a right answer, or what one contains
ONE = {
    *(
        "equals",
        "contains",
        "icontains",
        "starts-with",
        "similar",
        "similar:cosine",
        "similar:dot",
        "similar:euclidean",
    ),
    *("levenshtein", "rouge-n", "bleu", "gleu", "meteor", "factuality", "model-graded-factuality"),
}
ANY = {"contains-any", "icontains-any"}
ALL = {"contains-all", "icontains-all"}  # one of these alone is no right answer, unless it is the only one
REFUSAL = "is-refusal"
_OTHERS = {
    *("javascript", "python", "ruby", "llm-rubric", "regex", "is-json", "contains-json", "cost", "latency", "webhook"),
    *("model-graded-closedqa", "answer-relevance", "context-recall", "context-relevance", "context-faithfulness"),
    *(
        "is-sql",
        "contains-sql",
        "is-xml",
        "contains-xml",
        "moderation",
        "classifier",
        "perplexity",
        "g-eval",
        "select-best",
    ),
}
_PREFIXES = {"grade": "llm-rubric", "fn": "javascript", "eval": "javascript"}
_WRITTEN = re.compile(r"(?P<type>[\w:-]+?)(?:\((?P<threshold>\d+(?:\.\d+)?)\))?:\s*(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """Right answers, whether a refusal is right, and the assertions that are neither."""

    references: tuple[str, ...] = ()
    refusal: bool = False
    kept: tuple[Any, ...] = ()


def of_asserts(asserts: Sequence[Any], values: Mapping[str, Any]) -> Expected:
    """What the assertions of a test expect, with its variables filled in. Raises UserError for one that is none."""
    references: list[str] = []
    kept: list[Any] = []
    refusal = False
    for each in asserts:
        if not isinstance(each, Mapping) or not isinstance(each.get("type"), str):
            raise UserError(f"assert: {str(each)[:80]!r} has no type", cure="write type: and value:")
        found = _right(each, values)
        references += found
        refusal = refusal or each["type"] == REFUSAL
        if not found and each["type"] != REFUSAL:
            kept.append(json.loads(json.dumps(each, default=str)))
    return Expected(references=tuple(references), refusal=refusal, kept=tuple(kept))


def of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A test from a row of a table, whose columns are variables but for those that begin with two underscores."""
    test: dict[str, Any] = {"vars": {}, "metadata": {}, "assert": []}
    for name, cell in row.items():
        if not name.startswith("__"):
            test["vars"][name] = cell
        elif name.startswith("__metadata:") and cell:
            test["metadata"][name.partition(":")[2]] = cell
        elif name == "__description":
            test["description"] = cell
        elif name.startswith("__expected") and cell.strip():
            test["assert"].append(written(cell.strip()))
    return test


def written(text: str) -> dict[str, Any]:
    """An assertion as a table has it, "similar(0.8): a text"; a text without a known type must be equalled."""
    match = _WRITTEN.fullmatch(text)
    kind = _PREFIXES.get(match["type"], match["type"]) if match else ""
    if not match or kind.removeprefix("not-") not in ONE | ANY | ALL | _OTHERS:
        return {"type": REFUSAL} if text == REFUSAL else {"type": "equals", "value": text}
    threshold = {"threshold": float(match["threshold"])} if match["threshold"] else {}
    return {"type": kind, "value": match["value"], **threshold}


def _right(each: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    kind, value = each["type"], each.get("value")
    if kind in ANY | ALL:
        several = value if isinstance(value, list) else str(value).split(",")
        found = [fill(str(one), values).strip() for one in several]
        return found if kind in ANY or len(found) == 1 else []
    if kind not in ONE or value is None or (isinstance(value, str) and value.startswith("file://")):
        return []
    return [fill(value, values)] if isinstance(value, str) else [json.dumps(value, ensure_ascii=False, default=str)]
