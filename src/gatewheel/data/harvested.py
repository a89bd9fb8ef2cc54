"""From a trace and what people said of it to a case to learn from, and the little language that says of which traces.

    where     = condition { "and" condition }
    condition = field operator value
    field     = thumb | score | corrected | app | variant | kind

`thumb` is up, down or none; `score` a number in 0..1, the least of those that were given; `corrected` yes or no;
`app` a name, as in `[app.main]`; `variant` the beginning of an id; `kind` ask, chat or completion. Only a score knows
<, <=, > and >=.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from gatewheel.data.cases import identity
from gatewheel.kernel.errors import FilterError, UserError, did_you_mean
from gatewheel.kernel.nouns import Case, Feedback, Message, Role, Thumb, ToolCall, Trace
from gatewheel.kernel.trace import INPUT_MESSAGES, OPERATION, QUERY

MARK = "harvested"  # in `meta`: whose words the references are, a person's (correction) or the answer's
VALUES = {
    "thumb": ("up", "down", "none"),
    "corrected": ("yes", "no"),
    "kind": ("ask", "chat", "completion"),
}
FIELDS = ("thumb", "score", "corrected", "app", "variant", "kind")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_CONDITION = re.compile(r"""\s*([^\s=!<>"']+)\s*(!=|<=|>=|=|<|>)\s*("[^"]*"|'[^']*'|[^\s"']+)\s*""")
_AND = re.compile(r"and\b\s*", re.IGNORECASE)
_MARKERS = re.compile(r"(?<!\s)\s*+\[(?:\d{1,4}|unsupported)\]")  # ours: whoever answers next sets its own
_LONGEST = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """`field operator value`, checked; the value of a score is a number."""

    field: str
    operator: str
    value: str | float


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken:
    """A trace with what was said of it: `thumb` as `kernel.trace.verdicts` has it, `said` all feedback."""

    trace: Trace
    thumb: Thumb | None
    said: tuple[Feedback, ...]


def parse(text: str) -> tuple[Condition, ...]:
    """The conditions of a filter; none when it is blank. Raises FilterError with the place, the value and the cure."""
    if len(text) > _LONGEST:
        raise FilterError(f"the filter has {len(text)} characters", cure=f"keep it under {_LONGEST}")
    found: list[Condition] = []
    at = 0
    while text[at:].strip():
        if found:
            joined = _AND.match(text, at)
            if joined is None:
                raise _wrong(text, at, "and, or the end")
            at = joined.end()
        match = _CONDITION.match(text, at)
        if match is None:
            raise _wrong(text, at, "a field, an operator and a value")
        found.append(_condition(*match.groups()))
        at = match.end()
    return tuple(found)


def holds(conditions: Sequence[Condition], spoken: Spoken) -> bool:
    """Whether all conditions hold of a trace; a score that nobody gave fails every comparison but !=."""
    known: dict[str, Any] = {
        "thumb": spoken.thumb or "none",
        "corrected": "yes" if corrections(spoken.said) else "no",
        "kind": spoken.trace.kind,
        "app": spoken.trace.app,
        "score": score(spoken.said),
    }
    for one in conditions:
        if one.field == "variant":
            begins = spoken.trace.variant.startswith(str(one.value))
            passed = begins is (one.operator == "=")
        elif known[one.field] is None:
            passed = one.operator == "!="
        else:
            passed = _COMPARED[one.operator](known[one.field], one.value)
        if not passed:
            return False
    return True


def takes_answers(conditions: Sequence[Condition]) -> bool:
    """Whether the filter asks for answers that were found good, so that these themselves are to be learned."""
    good = {("thumb", "=", "up")}
    return any(
        (one.field, one.operator, one.value) in good or (one.field == "score" and one.operator in (">", ">=", "="))
        for one in conditions
    )


def newest(said: Sequence[Feedback], holding: Callable[[Feedback], bool]) -> list[Feedback]:
    """Of each author the newest feedback that holds something, the newest of all first."""
    found: dict[str, Feedback] = {}
    for one in sorted(filter(holding, said), key=_time):
        found[one.author] = one
    return sorted(found.values(), key=_time, reverse=True)


def corrections(said: Sequence[Feedback]) -> list[Feedback]:
    """Of each author the newest correction, the newest of all first."""
    return newest(said, lambda one: bool(one.correction.strip()))


def score(said: Sequence[Feedback]) -> float | None:
    """The least of each author's newest score; None when there is none."""
    return min(
        (one.score for one in newest(said, lambda one: one.score is not None) if one.score is not None), default=None
    )


def _time(one: Feedback) -> tuple[float, str]:
    return one.created, one.id


def case_of(spoken: Spoken, *, answers: bool) -> Case:
    """What is to be learned: what people wrote instead of an answer, else with `answers` the answer that they found
    good. An abstention that was found good is one to learn.

    Raises UserError, with the cure, when nobody said what is right.
    """
    trace, right = spoken.trace, corrections(spoken.said)
    asked = _asked(trace)
    if right:
        told = tuple(dict.fromkeys(one.correction.strip() for one in right))
        return _case(replace(asked, references=told, meta={MARK: "correction"}))
    if not answers or spoken.thumb == "down":
        cure = f'write it: gatewheel feedback give {trace.id[:12]} --correction "…"'
        raise UserError("nobody wrote what would have been right", cure=cure)
    if trace.error:
        raise UserError("it failed", cure="nothing can be learned from it")
    if trace.abstained:
        return _case(replace(asked, answerable=False, meta={MARK: "answer"}))
    text = _MARKERS.sub("", trace.answer).strip() if trace.kind != "completion" else trace.answer.strip()
    if not text:
        raise UserError("its answer is empty", cure="nothing can be learned from it")
    return _case(replace(asked, references=(text,), meta={MARK: "answer"}))


def _case(case: Case) -> Case:
    if not case.question.strip():
        raise UserError("its question was not kept", cure="nothing can be learned from it")
    return replace(case, id=identity(case))


def _asked(trace: Trace) -> Case:
    """The question with what went before it. Raises UserError where that was not recorded.

    A question to an application inside of a conversation is taken as retrieval understood it, with those that it
    follows: the turns themselves stand in no trace.
    """
    if trace.kind == "completion":
        return _of_messages(trace)
    query = next((span.attributes[QUERY] for span in trace.spans if QUERY in span.attributes), "")
    return Case(id="", question=str(query) if trace.kind == "chat" and query else trace.question)


def _of_messages(trace: Trace) -> Case:
    calls = [span.attributes for span in trace.spans if span.attributes.get(OPERATION) == "chat"]
    said = [_message(one) for one in (calls[0].get(INPUT_MESSAGES) or () if calls else ())]
    places = [place for place, turn in enumerate(said) if turn.role == "user"]
    if not places:
        return Case(id="", question=trace.question)
    if places[-1] != len(said) - 1:
        what = "its answer builds on what tools gave, which a case cannot hold"
        raise UserError(what, cure="learn from the turns before it")
    return Case(id="", question=said[-1].content, history=tuple(said[:-1]))


def _message(told: Mapping[str, Any]) -> Message:
    """A message as a span has it, in the conventions' JSON (kernel/trace.py)."""
    parts = [part for part in told.get("parts", ()) if isinstance(part, Mapping)]
    texts = [
        str(part.get("content") or part.get("response") or "") for part in parts if part.get("type") != "tool_call"
    ]
    calls = [part for part in parts if part.get("type") == "tool_call"]
    role: Role = told["role"]
    return Message(
        role=role,
        content="\n".join(texts),
        tool_calls=tuple(
            ToolCall(
                id=str(call.get("id", "")), name=str(call.get("name", "")), arguments=str(call.get("arguments", ""))
            )
            for call in calls
        ),
        tool_call_id=str(next((part["id"] for part in parts if part.get("type") == "tool_call_response"), "")),
    )


def _condition(field: str, operator: str, value: str) -> Condition:
    name, value = field.lower(), value[1:-1] if value[0] in "\"'" else value
    if name not in FIELDS:
        raise FilterError(f"there is no field '{field[:40]}'", cure=did_you_mean(name, FIELDS))
    if name == "score":
        try:
            number = float(value)
        except ValueError:
            raise FilterError(f"score is '{value[:40]}'", cure="compare it with a number from 0 to 1") from None
        if not 0 <= number <= 1:
            raise FilterError(f"score is {value[:40]}", cure="compare it with a number from 0 to 1")
        return Condition(field=name, operator=operator, value=number)
    if operator not in ("=", "!="):
        raise FilterError(f"{name} has no {operator}", cure=f"write {name}={value[:40]} or {name}!={value[:40]}")
    if name == "app":
        return Condition(field=name, operator=operator, value=value)
    if name == "variant":
        if not re.fullmatch(r"[0-9a-f]{1,64}", value):
            raise FilterError(
                f"variant is '{value[:40]}'", cure="write the beginning of its id, as `variants list` has it"
            )
        return Condition(field=name, operator=operator, value=value)
    word = {"true": "yes", "false": "no"}.get(value.lower(), value.lower())
    if word not in VALUES[name]:
        raise FilterError(f"{name} is '{value[:40]}'", cure=did_you_mean(word, VALUES[name]))
    return Condition(field=name, operator=operator, value=word)


def _wrong(text: str, at: int, expected: str) -> FilterError:
    rest = text[at:].strip()
    found = f"'{rest[:20]}' at {len(text) - len(text[at:].lstrip()) + 1}" if rest else "the end"
    cure = 'write e.g. --where "thumb=down and corrected=yes"'
    return FilterError(f"the filter {text!r}: expected {expected}, found {found}", cure=cure)
