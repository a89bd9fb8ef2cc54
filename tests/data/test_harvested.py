"""What people said of a trace becomes a case, and the filter that says of which."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.data import harvested
from gatewheel.data.harvested import Spoken, case_of, holds, parse
from gatewheel.kernel import trace as traces
from gatewheel.kernel.errors import FilterError, UserError
from gatewheel.kernel.nouns import Feedback, Message, SpanRecord, ToolCall, Trace
from gatewheel.kernel.ports import Decoding

ASKED = Trace(
    id="a" * 32,
    created=1.0,
    kind="ask",
    question="When does it open?",
    answer="At nine [1]. Not on Mondays [unsupported].",
    abstained=False,
    variant="beef" * 16,
    seconds=1.0,
    input_tokens=1,
    output_tokens=1,
    app="main",
)
CONDITIONS = {"thumb": ["up", "down", "none"], "corrected": ["yes", "no"], "kind": ["ask", "chat", "completion"]}


def feedback(number: int = 1, **said: Any) -> Feedback:
    return Feedback(**{"id": f"{number:064x}", "trace": ASKED.id, "created": float(number), **said})


def spoken(*said: Feedback, thumb: Any = None, **changed: Any) -> Spoken:
    return Spoken(trace=replace(ASKED, **changed), thumb=thumb, said=said)


def called(*messages: Message) -> tuple[SpanRecord, ...]:
    return (SpanRecord(name="chat", start=0, seconds=1, attributes=traces.chat_request("m", messages, Decoding())),)


def test_corrections_become_references_the_newest_of_each_author_first() -> None:
    said = (
        feedback(1, author="a", correction="At eight."),
        feedback(2, author="a", correction="At ten."),
        feedback(3, author="b", correction=" At eleven. "),
        feedback(4, author="a", comment="hm"),
    )
    case = case_of(spoken(*said, thumb="down"), answers=False)
    assert (case.question, case.references) == ("When does it open?", ("At eleven.", "At ten."))
    assert case.meta == {"harvested": "correction"}
    assert case_of(spoken(*said, thumb="up"), answers=True).references == case.references


def test_a_good_answer_is_a_reference_only_where_it_is_asked_for() -> None:
    good = spoken(feedback(thumb="up"), thumb="up")
    with pytest.raises(
        UserError, match="nobody wrote what would have been right; write it: gatewheel feedback give aaa"
    ):
        case_of(good, answers=False)
    case = case_of(good, answers=True)
    assert (case.references, case.meta) == (("At nine. Not on Mondays.",), {"harvested": "answer"})
    with pytest.raises(UserError, match="nobody wrote"):
        case_of(replace(good, thumb="down"), answers=True)
    assert case_of(spoken(thumb="up", abstained=True), answers=True).answerable is False
    for changed, what in (
        ({"error": "broke"}, "it failed"),
        ({"answer": "[1]"}, "is empty"),
        ({"question": " "}, "kept"),
    ):
        with pytest.raises(UserError, match=what):
            case_of(spoken(thumb="up", **changed), answers=True)


def test_a_completion_keeps_the_turns_before_its_question() -> None:
    turns = [
        Message(role="system", content="Be brief."),
        Message(role="user", content="Look."),
        Message(role="assistant", content="", tool_calls=(ToolCall(id="c", name="look", arguments="{}"),)),
        Message(role="tool", content="5", tool_call_id="c"),
        Message(role="assistant", content="Five."),
        Message(role="user", content="And now?"),
    ]
    said = feedback(correction="Six.")
    case = case_of(spoken(said, kind="completion", question="And now?", spans=called(*turns)), answers=False)
    assert (case.question, case.history, case.references) == ("And now?", tuple(turns[:-1]), ("Six.",))
    text = case_of(spoken(kind="completion", thumb="up", answer=" See [1]. "), answers=True)
    assert (text.references, text.history) == (("See [1].",), ())  # no marker of ours
    with pytest.raises(UserError, match="builds on what tools gave"):
        case_of(spoken(said, kind="completion", spans=called(*turns[:4])), answers=False)


def test_a_follow_up_is_taken_as_retrieval_understood_it() -> None:
    span = SpanRecord(name="retrieve", start=0, seconds=1, attributes={traces.QUERY: "Who was Ada? When was she born?"})
    said = feedback(correction="In 1815.")
    asked = spoken(said, kind="chat", question="When was she born?", spans=(span,))
    assert case_of(asked, answers=False).question == "Who was Ada? When was she born?"
    assert (
        case_of(replace(asked, trace=replace(asked.trace, kind="ask")), answers=False).question == "When was she born?"
    )


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        ("", True),
        ("thumb=down", True),
        ("thumb=up", False),
        ("thumb!=none AND corrected=yes", True),
        ("corrected=no", False),
        ("corrected = true and kind='ask'", True),
        ("score<0.5", True),
        ("score>=0.5", False),
        ("score=.2", True),
        ("app=main and thumb=down", True),
        ("app != main", False),
        ("variant=beef", True),
        ("variant!=beef", False),
        ("variant=bef", False),
        ('thumb=down and score<=0.2 and kind != "chat"', True),
    ],
)
def test_a_filter_is_as_it_reads(where: str, passes: bool) -> None:
    said = (
        feedback(1, author="a", score=0.9),
        feedback(2, author="a", score=0.2),
        feedback(3, correction="x", score=0.7),
    )
    assert holds(parse(where), spoken(*said, thumb="down")) is passes


def test_what_nobody_said_fails_all_but_unequal() -> None:
    silent = spoken()
    assert not holds(parse("score<1"), silent)
    assert holds(parse("score!=1 and thumb=none and corrected=no"), silent)
    asks = {"thumb=up": True, "score>=.8": True, "thumb!=down": False, "score<1": False, "": False}
    assert {text: harvested.takes_answers(parse(text)) for text in asks} == asks


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("thmb=down", "there is no field 'thmb'; did you mean 'thumb'"),
        ("thumb=dwn", "thumb is 'dwn'; did you mean 'down'"),
        ("thumb<down", "thumb has no <; write thumb=down or thumb!=down"),
        ("score>2", "score is 2; compare it with a number from 0 to 1"),
        ("score>nan", "score is nan; compare"),
        ("score=high", "score is 'high'; compare it with a number"),
        ("variant=XYZ", "variant is 'XYZ'; write the beginning of its id"),
        ("thumb=down or thumb=up", "expected and, or the end, found 'or thumb=up' at 12"),
        ("thumb=down and", "expected a field, an operator and a value, found the end"),
        ("thumb", "expected a field, an operator and a value, found 'thumb' at 1"),
        ("x" * 2_000, "the filter has 2000 characters"),
    ],
)
def test_a_filter_that_is_none_is_told(where: str, what: str) -> None:
    with pytest.raises(FilterError) as error:
        parse(where)
    assert what in str(error.value)


@given(st.text(st.sampled_from("thumb=down score<.5 and 'x\" corrected!>"), max_size=40))
def test_any_text_parses_or_is_told(text: str) -> None:
    try:
        conditions = parse(text)
    except FilterError as error:
        assert error.what and error.cure  # noqa: PT017, PT018
        return
    assert isinstance(holds(conditions, spoken(feedback(score=0.4), thumb="up")), bool)


@given(
    st.lists(
        st.sampled_from(sorted(CONDITIONS)).flatmap(
            lambda field: st.tuples(st.just(field), st.sampled_from(["=", "!="]), st.sampled_from(CONDITIONS[field]))
        ),
        max_size=4,
    ),
    st.sampled_from([None, "up", "down"]),
    st.booleans(),
    st.sampled_from(CONDITIONS["kind"]),
)
def test_conditions_hold_as_python_would_compare(conditions: list[Any], thumb: Any, corrected: bool, kind: str) -> None:
    said = (feedback(correction="x"),) if corrected else ()
    known = {"thumb": thumb or "none", "corrected": "yes" if corrected else "no", "kind": kind}
    wanted = all(
        (operator.eq if sign == "=" else operator.ne)(known[field], value) for field, sign, value in conditions
    )
    text = " and ".join(f"{field}{sign}{value}" for field, sign, value in conditions)
    assert holds(parse(text), spoken(*said, thumb=thumb, kind=kind)) is wanted
