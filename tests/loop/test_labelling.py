"""What people say is kept once, of the answers that they saw, and comes out as agreement, ranking and preferences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from answered import answered, key, side, variant
from gatewheel.data import cases as case_files
from gatewheel.evals.people import Blind, Label
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case, Message
from gatewheel.kernel.store.schema import labels as table
from gatewheel.loop import label_files, labelling
from gatewheel.loop.label_files import Usual

MAIN, OTHER = "app main", "app quoting"


@pytest.fixture
def both(engine: Engine) -> Engine:
    """q0 was said alike, q1 failed once, q5 was asked of one only: three pairs."""
    first = {f"q{n}": f"main to q{n}" for n in range(5)}
    second = {**{q: f"quoting to {q}" for q in first}, "q0": "main  to\nq0", "q1": None, "q5": "only here"}
    answered(engine, MAIN, first, corpus="now")
    answered(engine, OTHER, second, corpus="now", created=2.0)
    return engine


def sheet(engine: Engine, rater: str = "Ada", *variants: str, **said: Any) -> labelling.Sheet:
    return labelling.sheet(engine, "exam", rater, variants or ("main", "quoting"), **said)


def prefer(blind: Blind, target: str, rater: str = "Ada") -> Label:
    """A label for the answer of this target, wherever it stands."""
    place = [one.variant for one in blind.sides].index(variant(target)) + 1
    return Label(item=blind.item, rater=rater, better=blind.better(place))


def test_pairs_are_of_cases_that_both_answered_differently(both: Engine) -> None:
    found = sheet(both)
    assert {blind.item.case for blind in found.items} == {key("q2"), key("q3"), key("q4")}
    assert found.alike == 1
    for blind in found.items:
        words = {one: labelling.answer(both, blind.item.case, one) for one in blind.sides}
        main = words[side(MAIN, "now")]
        assert main
        assert main.answer.startswith("main to")
    assert sheet(both, "Ada", "quoting", "main") == found, "the order on the command line tells nothing"
    assert sheet(both, " Ada ", variant(MAIN)[:8], "app quoting") == found


def test_the_next_is_what_this_rater_has_not_labelled(both: Engine) -> None:
    found = sheet(both)
    waiting = labelling.waiting(both, found)
    assert waiting == list(found.items)
    labelling.give(both, "exam", prefer(waiting[0], MAIN))
    assert labelling.waiting(both, found) == waiting[1:]
    assert len(labelling.waiting(both, sheet(both, "Bob"))) == 3


def test_saying_it_again_is_saying_it_once_and_something_else_replaces_it(both: Engine) -> None:
    blind = sheet(both).items[0]
    first = labelling.give(both, "exam", prefer(blind, MAIN))
    assert labelling.give(both, "exam", prefer(blind, MAIN)) == first
    assert labelling.give(both, "exam", replace(prefer(blind, OTHER), comment="bad \x00\ud800 sign")) == first
    [kept] = labelling.labels(both, "exam")
    assert kept.better == prefer(blind, OTHER).better
    assert kept.comment == "bad \ufffd\ufffd sign"
    assert kept.item == blind.item
    labelling.take_back(both, first[0])
    assert labelling.labels(both, "exam") == []


def test_labels_stay_with_the_answers_when_the_documents_change(both: Engine) -> None:
    for blind in sheet(both).items:
        labelling.give(both, "exam", prefer(blind, MAIN))
    assert labelling.waiting(both, sheet(both)) == []
    answered(both, MAIN, {"q2": "new from main"}, corpus="later", created=3.0)
    [left] = labelling.waiting(both, sheet(both))
    assert side(MAIN, "later") in left.sides
    assert len(labelling.labels(both, "exam")) == 3


def test_a_rubric_takes_single_answers_of_all_that_are_named(both: Engine) -> None:
    found = sheet(both, "Ada", "main", "quoting", criteria=("faithful",))
    assert len(found.items) == 5 + 5  # quoting failed on q1 and has q5 instead
    assert len(sheet(both, "Ada", "main", criteria=("faithful",)).items) == 5
    blind = found.items[0]
    labelling.give(both, "exam", Label(item=blind.item, rater="Ada", scores={"faithful": 3.0}))
    assert len(labelling.waiting(both, found)) == 9
    [kept] = labelling.labels(both, "exam", rater="Ada")
    assert (kept.better, kept.scores, kept.item.b) == ("", {"faithful": 3.0}, None)


def test_agreement_and_ranking_are_of_all_raters(both: Engine) -> None:
    for rater in ("Ada", "Bob"):
        for blind in sheet(both, rater).items:
            chosen = OTHER if rater == "Bob" and blind.item.case == key("q2") else MAIN
            labelling.give(both, "exam", prefer(blind, chosen, rater))
    [agreed] = labelling.agreement(both, "exam")
    assert (agreed.raters, agreed.units) == (("Ada", "Bob"), 3)
    best, worst = labelling.ranking(both, "exam")
    assert (best.name, worst.name) == (variant(MAIN), variant(OTHER))
    assert best.matches == 6
    assert labelling.known(both, "exam").names == {variant(MAIN): MAIN, variant(OTHER): OTHER}


@pytest.mark.parametrize(
    ("rater", "variants", "wrong"),
    [
        ("", ("main", "quoting"), "'' is no name of a rater"),
        ("x" * 65, ("main", "quoting"), "at most 64 signs"),
        ("Ada\x1b[2J", ("main", "quoting"), "is no name of a rater"),
        ("Ada", (), "no variant is named; name one for a rubric, two to compare"),
        ("Ada", ("main",), "1 variants make no pair; name two, or a rubric"),
        ("Ada", ("main", "main"), "there is nothing to label: of 5 cases both said the same; name two that differ"),
        ("Ada", ("main", "quotin"), "nobody named 'quotin' answered the suite 'exam'; did you mean 'quoting'"),
    ],
)
def test_mistakes_are_told(both: Engine, rater: str, variants: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(UserError) as caught:
        labelling.sheet(both, "exam", rater, variants)
    assert wrong in str(caught.value)


def test_a_suite_that_nobody_answered_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(UserError, match="nobody answered the suite 'exam' yet; run `gatewheel evals run exam`"):
        sheet(engine)


def lines(path: Path, *said: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in said), encoding="utf-8")
    return path


def test_labels_made_elsewhere_mean_what_their_line_says(both: Engine, tmp_path: Path) -> None:
    said = [
        {"case": "q2", "better": "a", "comment": "clear"},
        {"case": "q2", "a": "quoting", "b": "main", "better": "b", "rater": "Bob"},
        {"case": "q3", "better": "tie"},
        {"case": "q4", "a": "quoting", "scores": {"faithful": 2}},
    ]
    path = lines(tmp_path / "labels.jsonl", *said)
    usual = Usual(a="main", b="quoting", rater="Ada")
    assert label_files.take(both, "exam", path, usual=usual) == 4
    assert label_files.take(both, "exam", path, usual=usual) == 4
    kept = labelling.labels(both, "exam")
    assert len(kept) == 4
    on_q2 = [one for one in kept if one.item.case == key("q2")]
    assert {one.rater for one in on_q2} == {"Ada", "Bob"}
    for one in on_q2:
        chosen = one.item.a if one.better == "a" else one.item.b
        assert chosen == side(MAIN, "now")
    assert len(labelling.waiting(both, sheet(both))) == 1
    [graded] = [one for one in kept if one.scores]
    assert (graded.item.a, graded.scores) == (side(OTHER, "now"), {"faithful": 2.0})


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ({"case": "q9", "better": "a"}, "line 2: case: 'q9' was not answered; known: q0"),
        ({"case": "q2", "better": "c"}, "line 2: the label's better: must be"),
        ({"case": "q2"}, "line 2: it says neither or both"),
        ({"case": "q2", "better": "a", "scores": {"x": 1}}, "line 2: it says neither or both"),
        ({"case": "q2", "better": "a", "beter": "b"}, "line 2: the label's beter: is not a setting"),
        ({"case": "q2", "better": "a", "b": "nobody"}, "line 2: nobody named 'nobody'"),
        ({"case": "q2", "better": "a", "b": "main"}, "line 2: a and b gave the same answer"),
        ({"case": "q5", "better": "a"}, "line 2: a: 'main' was not asked this"),
        ({"case": "q2", "better": "a", "rater": " "}, "line 2: ' ' is no name of a rater"),
    ],
)
def test_a_line_that_is_wrong_keeps_none(both: Engine, tmp_path: Path, line: dict[str, Any], wrong: str) -> None:
    path = lines(tmp_path / "labels.jsonl", {"case": "q3", "better": "a"}, line)
    with pytest.raises(UserError) as caught:
        label_files.take(both, "exam", path, usual=Usual(a="main", b="quoting", rater="Ada"))
    assert wrong in str(caught.value)
    with both.connect() as connection:
        assert connection.execute(select(func.count()).select_from(table)).scalar() == 0


def test_preferences_carry_the_conversation_and_both_answers(engine: Engine, tmp_path: Path) -> None:
    history = (Message(role="user", content="before"), Message(role="assistant", content="yes"))
    whole = Case(id="q2", question="q2", context="text", history=history)
    for target in (MAIN, OTHER):
        said = {f"q{n}": f"{target.removeprefix('app ')} to q{n}" for n in range(2, 6)}
        answered(engine, target, said, cases={"q2": whole})
    both = engine
    cases = [whole, Case(id="q3", question="changed"), Case(id="q4", question="q4", context="another text")]
    case_files.write(tmp_path / "suites" / "exam.jsonl", cases)
    (tmp_path / "suites" / "exam.toml").write_text('metrics = ["exact-match"]\n')
    for blind in sheet(both).items:
        labelling.give(both, "exam", prefer(blind, OTHER))
    path = tmp_path / "preferences.jsonl"
    done = label_files.export(both, tmp_path, "exam", path)
    assert (done.written, done.lost) == (1, 3), "q3 asks something else, q4 of another text, and q5 is gone"
    [line] = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "messages": [
            {"role": "user", "content": "before"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "text\n\nq2"},
        ],
        "chosen": "quoting to q2",
        "rejected": "main to q2",
    }
