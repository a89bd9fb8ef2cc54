"""Conversations as they are published become cases; what is no conversation is told with its place."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.data import chat
from gatewheel.data.cases import of_record, to_record
from gatewheel.data.importing import Gathered, gather, read_any
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
WORD = TEXT.filter(str.strip)
SPEAKERS = st.sampled_from(sorted(chat.ROLES))
TURN = st.builds(lambda role, text: {"role": role, "content": text}, SPEAKERS, TEXT)
TOLD = st.builds(lambda role, text: {"from": role, "value": text}, SPEAKERS, TEXT)
KEYS = ["role", "from", "content", "value", "tool_calls", "function", "name", "arguments", "type", "text", "weight"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | TEXT, inner, max_size=4),
    max_leaves=12,
)


def file(folder: Path, *records: Any) -> Path:
    path = folder / "chat.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def one(folder: Path, record: Any) -> Case:
    [case] = read_any(file(folder, record))
    return case


def every(folder: Path, *records: Any) -> Gathered:
    return gather(file(folder, *records), every_turn=True)


def said(case: Case) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in case.history]


@pytest.mark.parametrize(
    ("record", "history"),
    [
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, []),
        (
            {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "system": "s"},
            [("system", "s")],
        ),
        (
            {"conversation": [{"role": "User", "content": "q"}, {"role": "ASSISTANT", "content": "a"}], "n": 1},
            [],
        ),
        (
            {"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "q"}, *2 * [
                {"role": "assistant", "content": "a"}]]},
            [("system", "s")],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]},
                          {"role": "assistant", "content": "a"}]},
            [],
        ),
        ({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]}, []),
        ({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}], "completion": "a"},
         [("system", "s")]),
        ({"prompt": [{"role": "user", "content": "q"}], "answer": "a"}, []),
        ({"prompt": "q", "completion": "a"}, []),
        ({"instruction": "q", "output": "a", "system": "s"}, [("system", "s")]),
        ({"system_prompt": "s", "question": "q", "response": "a"}, [("system", "s")]),
        (
            {"instruction": "q", "input": "", "output": "a", "history": [["q0", "a0"]]},
            [("user", "q0"), ("assistant", "a0")],
        ),
    ],
)  # fmt: skip
def test_published_forms_are_understood(tmp_path: Path, record: Any, history: list[Any]) -> None:
    case = one(tmp_path, record)
    assert (case.question, case.references, said(case)) == ("q", ("a",), history)


def test_a_column_called_system_may_be_anything_else(tmp_path: Path) -> None:
    case = one(tmp_path, {"question": "Which bodies turn around it?", "system": "solar", "answer": "Planets."})
    assert (case.history, case.meta) == ((), {"system": "solar"})


def test_calls_of_tools_are_history_and_not_answers(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": {"at": 1}}}
    turns = [
        {"role": "user", "content": "q0"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "5"},
        {"role": "assistant", "content": "Five."},
    ]
    case = one(
        tmp_path, {"messages": [*turns, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    )
    assert (case.question, case.references) == ("q", ("a",))
    assert case.history[1].tool_calls[0].arguments == '{"at": 1}'
    assert case.history[2].tool_call_id == "c1"
    assert one(tmp_path, {"messages": turns}).references == ("Five.",)
    assert of_record(to_record(case)) == case


def test_each_answer_of_a_conversation_is_a_case_of_one_cluster(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "q2"},
        {"role": "assistant", "content": "a2", "weight": 0},
        {"role": "user", "content": "q3"},
        {"role": "assistant", "content": "a3"},
        {"role": "user", "content": "thanks"},
    ]
    gathered = every(tmp_path, {"messages": turns, "id": 7, "topic": "t"}, {"question": "alone"})
    first, last, alone = gathered.cases
    assert [(case.question, case.references) for case in gathered.cases] == [
        ("q1", ("a1",)),
        ("q3", ("a3",)),
        ("alone", ()),
    ]
    assert said(last) == [(turn["role"], turn["content"]) for turn in turns[:4]]
    assert first.cluster == last.cluster != alone.cluster == ""
    assert first.meta == last.meta == {"topic": "t"}
    assert gathered.places == ("chat.jsonl, line 1", "chat.jsonl, line 1", "chat.jsonl, line 2")


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"messages": [{"role": "usr", "content": "q"}]}, "messages.0: role: 'usr' takes no turns; did you mean"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0: content: is no text but a int"),
        ({"messages": [{"role": "user", "content": "q"}, 3]}, "messages.1: is no turn but a int"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages.0: content: has a part that is no text but 'image_url'; take it out",
        ),
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"id": 1}]}]},
            "messages.1: tool_calls: ",
        ),
        ({"messages": [{"role": "system", "content": "q"}]}, "'messages' has no turn of a user"),
        ({"messages": []}, "'messages' has no turn of a user"),
    ],
)  # fmt: skip
def test_what_is_no_conversation_is_told_with_its_place(tmp_path: Path, record: Any, what: str) -> None:
    with pytest.raises(UserError) as error:
        one(tmp_path, record)
    assert "chat.jsonl, line 1: " in str(error.value)
    assert what in str(error.value)


@given(st.lists(TURN | TOLD, max_size=8))
def test_a_conversation_keeps_every_turn_before_its_question(turns: list[dict[str, str]]) -> None:
    row = chat.plain({"messages": turns})
    users = [place for place, turn in enumerate(turns) if chat.ROLES[turn.get("role") or turn["from"]] == "user"]
    if not users:
        with pytest.raises(UserError):
            chat.asked(row["messages"])
        return
    made = chat.asked(row["messages"])
    texts = [turn.get("content", turn.get("value")) for turn in turns]
    assert made["question"] == texts[users[-1]]
    assert [turn["content"] for turn in made["history"]] == texts[: users[-1]]
    assert chat.asked(turns) == made
    for number, each in enumerate(chat.every(row)):
        inner = chat.asked(each["messages"])
        assert len(chat.every(row)) == 1 or inner["references"], number


@given(
    st.dictionaries(st.sampled_from([*chat.COLUMNS, "prompt", "completion", "instruction", "system", "history"]), JSON)
)
def test_any_row_is_read_or_told(row: dict[str, Any]) -> None:
    with suppress(UserError):
        for each in chat.every(chat.plain(row)):
            if "messages" in each:
                chat.asked(each["messages"])
