"""Rows of public probes that say what is expected in a form of their own: IFEval, BBQ, CrowS-Pairs.

They become rows with the names that `data/fields.py` knows, and with what their metrics need as further columns. BBQ's
row names the groups of its answers and those stereotyped, from which the answer that the stereotype targets follows;
`target_loc` of BBQ's additional_metadata.csv, where a row has it, goes before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gatewheel.kernel.errors import UserError

Row = Mapping[str, Any]
_ANSWERS = ("ans0", "ans1", "ans2")
_PAIRS = (("sent_more", "sent_less"), ("more_stereotypical", "less_stereotypical"))
_SAME = {"woman": "f", "girl": "f", "female": "f", "man": "m", "boy": "m", "male": "m"}
_PUBLISHED = "import the file as its authors publish it, as JSON Lines"
_NOT_LETTERS = re.compile(r"[^a-z]")


def plain(row: Row) -> Row:
    """The row in columns that are known; as it is, when it is of none of these probes. Raises UserError."""
    if isinstance(row.get("instruction_id_list"), list):
        return _ifeval(row)
    if {*_ANSWERS, "question_polarity"} <= row.keys():
        return _bbq(row)
    meta = row.get("meta")
    if isinstance(meta, Mapping) and {"answer_groups", "stereotyped_groups", "polarity"} <= meta.keys():
        return _grouped(row, meta)
    pair = next((pair for pair in _PAIRS if pair[0] in row and pair[1] in row), None)
    return _crows(row, *pair) if pair else row


def _ifeval(row: Row) -> Row:
    named, given = row["instruction_id_list"], row.get("kwargs")
    if not isinstance(given, list) or len(given) != len(named):
        what = f"kwargs: must hold one object for each of the {len(named)} instructions"
        raise UserError(what, cure=_PUBLISHED)
    # the hub's copy gives every instruction every key
    checks = [
        {"id": name, "kwargs": {key: value for key, value in _mapping(each, "kwargs").items() if value is not None}}
        for name, each in zip(named, given, strict=True)
    ]
    rest = {key: value for key, value in row.items() if key not in ("instruction_id_list", "kwargs", "key")}
    return {"id": f"ifeval/{row['key']}" if "key" in row else "", **rest, "checks": checks}


def _bbq(row: Row) -> Row:
    choices = [str(row[answer]) for answer in _ANSWERS]
    info = _mapping(row.get("answer_info"), "answer_info")
    groups = [_several(info.get(answer)) for answer in _ANSWERS]
    further = _mapping(row.get("additional_metadata"), "additional_metadata")
    stereotyped = _several(further.get("stereotyped_groups"))
    loc = row.get("target_loc", row.get("target_label"))
    condition, category = str(row.get("context_condition")), str(row.get("category", ""))
    made = {
        "id": f"bbq/{category}/{row['example_id']}" if "example_id" in row else "",
        "question": row.get("question"),
        "context": row.get("context"),
        "choices": choices,
        "label": row.get("label", row.get("answer_label")),
        "tags": _tags(condition, category),
        "cluster": f"{category}/{row['question_index']}" if "question_index" in row else "",
    }
    return made | {
        "meta": _expected(choices, groups, stereotyped, loc) | _conditions(condition, row["question_polarity"])
    }


def _grouped(row: Row, meta: Row) -> Row:
    choices = _several(row.get("choices"))
    groups = [_several(group) for group in _listed(meta["answer_groups"], "answer_groups")]
    condition = str(meta.get("condition"))
    found = _expected(choices, groups, _several(meta["stereotyped_groups"]), None)
    tags = _tags(condition, str(meta.get("category", "")))
    rest = {key: value for key, value in row.items() if key not in ("meta", "source", "task")}
    return {**rest, "tags": tags, "meta": _conditions(condition, meta["polarity"]) | found}


def _crows(row: Row, more: str, less: str) -> Row:
    """The sentences are the choices; the suite puts nothing before them (`prompt = ""`)."""
    kept = ("id", "group", "stereo_antistereo")
    rest = {key: row[key] for key in kept if key in row}
    return {
        **rest,
        "question": "Which sentence is likelier?",
        "choices": [row[more], row[less]],
        "tags": [row["bias_type"]] if row.get("bias_type") else [],
        "meta": {"stereotypical": row[more]},
    }


def _tags(condition: str, category: str) -> list[str]:
    said = {"ambig": "ambiguous", "disambig": "disambiguated"}.get(condition, condition)
    return [tag for tag in (said, category) if tag]


def _conditions(condition: str, polarity: Any) -> dict[str, Any]:
    return {"context_condition": condition, "question_polarity": polarity}


def _expected(
    choices: Sequence[str], groups: Sequence[Sequence[str]], stereotyped: Sequence[str], loc: Any
) -> dict[str, Any]:
    """The choice that says it is not known, and the one that the stereotype targets, if exactly one is."""
    if len(groups) != len(choices):
        raise UserError(f"{len(groups)} groups for {len(choices)} answers", cure="give each answer its groups")
    unknown = [choice for choice, named in zip(choices, groups, strict=True) if "unknown" in map(_key, named)]
    if isinstance(loc, int | float) and 0 <= loc < len(choices):
        hit = [choices[int(loc)]]
    else:
        known = {_SAME.get(key, key) for key in map(_key, stereotyped)}
        hit = [choice for choice, named in zip(choices, groups, strict=True) if known & set(_keys(named))]
        # of nationalities the groups are continents, and only the wording of an answer names the nation
        hit = hit or [choice for choice in choices if any(_stands_in(group, choice) for group in stereotyped)]
    found = {"unknown": unknown[0]} if len(unknown) == 1 else {}
    return found | ({"target": hit[0]} if len(hit) == 1 and hit != unknown else {})


def _keys(groups: Iterable[str]) -> Iterable[str]:
    """A group such as F-Black as a whole and in its parts."""
    for group in groups:
        for part in (group, *re.split(r"[-_]", group)):
            key = _key(part)
            yield _SAME.get(key, key)


def _stands_in(group: str, choice: str) -> bool:
    return re.search(rf"\b{re.escape(group)}\b", choice, re.IGNORECASE) is not None


def _key(group: str) -> str:
    return _NOT_LETTERS.sub("", group.lower())


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    """The object of a column, empty where there is none; a table can hold it only as text, which it is not."""
    if value and not isinstance(value, Mapping):
        raise UserError(f"{key}: must be an object, got {str(value)[:80]!r}", cure=_PUBLISHED)
    return value or {}


def _listed(value: Any, key: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{key}: must be a list, got {str(value)[:80]!r}", cure="give each answer its groups")
    return value


def _several(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(each) for each in value] if isinstance(value, list | tuple) else []
