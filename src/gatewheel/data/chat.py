"""Conversations and instructions as they are published: OpenAI's messages, ShareGPT's conversations, TRL's prompt and
completion, Alpaca's instruction.

A case asks one turn of a user. What the assistant said to it is the reference, what was said before it the history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gatewheel.kernel.errors import UserError, did_you_mean

Row = Mapping[str, Any]
ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model", "bot", "bing", "bard", "function_call"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "function_response"), "tool"),
}
COLUMNS = ("messages", "conversations", "conversation")  # of a list of turns
_SYSTEM = ("system", "system_prompt")
_ASKED = {"system": ("instruction", "prompt"), "system_prompt": ("instruction", "prompt", "question")}
_TEXTS = ("text", "input_text", "output_text")  # types of parts


def plain(row: Row) -> Row:
    """The row with its conversation as `messages`, or with the turns before its instruction as `history`.

    As it is when it has neither. Raises UserError, with column and turn, for what is no turn.
    """
    column = next((name for name in COLUMNS if _is_turns(row.get(name))), "")
    if column:
        said, used = turns(row[column], column), {column}
    elif _is_turns(row.get("prompt")):
        said, used = turns(row["prompt"], "prompt"), {"prompt"}
        if isinstance(told := row.get("completion"), str):
            said, used = [*said, {"role": "assistant", "content": told}], {*used, "completion"}
        elif _is_turns(told):
            said, used = [*said, *turns(told, "completion")], {*used, "completion"}
    else:
        return _instructed(row)
    if (name := _system(row)) and not any(turn["role"] == "system" for turn in said):
        said, used = [{"role": "system", "content": row[name]}, *said], {*used, name}
    return {**{key: value for key, value in row.items() if key not in used}, "messages": said}


def every(row: Row) -> list[Row]:
    """A conversation up to each answer in it, so that each is learned; they are of one cluster. Another row alone.

    An answer of the weight 0 is none to learn, as OpenAI has it.
    """
    if not _is_turns(row.get("messages")):
        return [row]
    said = row["messages"]
    asked, ends = False, []
    for place, turn in enumerate(said):
        if turn["role"] == "user":
            asked = True
        elif asked and turn["role"] == "assistant" and turn["content"].strip():
            asked = False
            ends += [place + 1] if turn.get("weight") != 0 else []
    if len(ends) < 2:
        return [row]
    told = json.dumps(said, ensure_ascii=False, sort_keys=True)
    whole = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    rest = {key: value for key, value in row.items() if key not in ("id", "messages")}
    return [{"cluster": f"conversation {whole}", **rest, "messages": said[:end]} for end in ends]


def asked(messages: Any, column: str = "messages") -> dict[str, Any]:
    """Question, history and references of a conversation: its last turn of a user is asked.

    Of what was said to it the first text counts; calls of tools between the two are left out.
    Raises UserError when no user takes a turn.
    """
    said = turns(messages, column)
    places = [place for place, turn in enumerate(said) if turn["role"] == "user"]
    if not places:
        what = f"'{column}' has no turn of a user with role and content"
        raise UserError(what, cure="name the column of the question: --field question=…")
    last = places[-1]
    answers = [turn for turn in said[last + 1 :] if turn["role"] == "assistant" and turn["content"].strip()]
    told = [turn["content"] for turn in answers[:1] if turn.get("weight") != 0]
    history = [{key: value for key, value in turn.items() if key != "weight"} for turn in said[:last]]
    return {"question": said[last]["content"], "history": history, "references": tuple(told)}


def turns(messages: Any, column: str) -> list[dict[str, Any]]:
    """Turns as a case has them, whoever wrote them down. Raises UserError with the place of the first that is none."""
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise UserError(f"'{column}' holds no turns but a {type(messages).__name__}", cure=_CURE)
    return [_turn(one, f"{column}.{place}") for place, one in enumerate(messages)]


_CURE = 'write [{"role": "user", "content": "…"}, …]'


def _is_turns(value: Any) -> bool:
    """Whether a value is meant to be turns; what is wrong with one of them is told later."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return isinstance(value[0], Mapping) and bool({"role", "from"} & value[0].keys())


def _turn(one: Any, place: str) -> dict[str, Any]:
    if not isinstance(one, Mapping):
        raise UserError(f"{place}: is no turn but a {type(one).__name__}", cure=_CURE)
    said = _first(one, "role", "from")
    role = ROLES.get(said.strip().lower()) if isinstance(said, str) else None
    if role is None:
        raise UserError(f"{place}: role: {str(said)[:80]!r} takes no turns", cure=did_you_mean(str(said), ROLES))
    turn: dict[str, Any] = {"role": role, "content": _content(_first(one, "content", "value"), place)}
    if calls := one.get("tool_calls"):
        turn["tool_calls"] = _calls(calls, place)
    if isinstance(id_ := one.get("tool_call_id"), str) and id_:
        turn["tool_call_id"] = id_
    return turn | ({"weight": 0} if one.get("weight") == 0 else {})


def _first(turn: Row, *names: str) -> Any:
    """The value of the first of these keys that has one: Arrow gives every turn every key."""
    return next((turn[name] for name in names if turn.get(name) is not None), None)


def _content(value: Any, place: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list | tuple):
        raise UserError(f"{place}: content: is no text but a {type(value).__name__}", cure="write it in quotes")
    texts = []
    for part in value:
        kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
        text = part.get("text") if isinstance(part, Mapping) else part
        if not isinstance(text, str) or (isinstance(part, Mapping) and kind not in _TEXTS):
            raise UserError(f"{place}: content: has a part that is no text but {str(kind)[:40]!r}", cure="take it out")
        texts.append(text)
    return "".join(texts)


def _calls(value: Any, place: str) -> list[dict[str, str]]:
    made = []
    for call in value if isinstance(value, list | tuple) else [value]:
        inner = call.get("function", call) if isinstance(call, Mapping) else None
        if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
            what = f"{place}: tool_calls: {str(call)[:80]!r} names no function"
            raise UserError(what, cure='write {"id": …, "function": {"name": …, "arguments": …}}')
        told = inner.get("arguments", "")
        arguments = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
        made.append({"id": str(call.get("id") or ""), "name": inner["name"], "arguments": arguments})
    return made


def _instructed(row: Row) -> Row:
    """A row that asks without turns: its system text and Alpaca's pairs of earlier turns become its history."""
    name, pairs = _system(row), row.get("history")
    if name and not any(isinstance(row.get(asked), str) for asked in _ASKED[name]):
        name = ""  # beside a question a "system" may be anything
    told = pairs if "instruction" in row and _is_pairs(pairs) else None
    if not name and told is None:
        return row
    if pairs and told is None:  # turns as a case has them, or something else that is kept as it is
        return row
    said = [{"role": "system", "content": row[name]}] if name else []
    for question, answer in told or ():
        said += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    used = {name, "history"}
    return {**{key: value for key, value in row.items() if key not in used}, "history": said}


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(one, list | tuple) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in value
    )


def _system(row: Row) -> str:
    """The column of a system text that says something."""
    return next((name for name in _SYSTEM if isinstance(row.get(name), str) and row[name].strip()), "")
