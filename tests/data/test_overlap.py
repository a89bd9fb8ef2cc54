"""Near cases: what the index of runs finds is what comparing every pair would find, and contexts tell cases apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.data import overlap, vectors
from gatewheel.data.dividing import divide
from gatewheel.data.overlap import asked, closest, grams, is_near, within
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case, Message

QUESTIONS = st.lists(st.sampled_from("a b c".split()), max_size=16).map(" ".join)
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


class Directions:
    """Vectors that a test names: a text is its own list of numbers."""

    id, dimensions, max_tokens = "directions", 2, 32

    def encode(self, texts: Sequence[str]) -> Any:
        rows = np.array([[float(number) for number in text.split()] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def starts(self, text: str) -> Any:
        raise NotImplementedError


def cases(*questions: str, **said: Any) -> list[Case]:
    return [Case(id=f"c{number}", question=question, **said) for number, question in enumerate(questions)]


def test_runs_are_of_words_without_case_and_punctuation() -> None:
    assert grams("The cat, sat!", 2) == {"the cat", "cat sat"}
    assert grams("ﬁne Straße", 2) == {"fine strasse"}
    assert grams("Too short", 13) == {"too short"}
    assert grams(" ?! ") == set()
    assert len(grams(LONG + " fourteen")) == 2


def test_what_is_asked_is_turns_of_the_user_question_and_choices() -> None:
    history = (Message(role="user", content="Who is Ada?"), Message(role="assistant", content="A countess."))
    one = Case(id="a", question="And when?", history=history, choices=("1815", "1843"), references=("1815",))
    assert asked(one) == "Who is Ada?\nAnd when?\n1815\n1843"


def share(one: str, other: str) -> float:
    """The Jaccard similarity of their 5-word runs, 0 where that is not near."""
    a, b = grams(one, overlap.SHORT), grams(other, overlap.SHORT)
    found = len(a & b) / len(a | b) if a and b else 0.0
    return found if found >= overlap.LEAST_SHARE else 0.0


@settings(max_examples=200)
@given(st.lists(QUESTIONS, max_size=6), st.lists(QUESTIONS, max_size=6))
def test_the_index_finds_what_comparing_every_pair_finds(left: list[str], right: list[str]) -> None:
    found = {hit.a: (hit.b, hit.score) for hit in closest(cases(*left), cases(*right)) if hit.kind == "words"}
    expected = {}
    for a, one in enumerate(left):
        shares = [share(one, other) for other in right]
        if any(shares):
            expected[a] = (shares.index(max(shares)), max(shares))
    assert found == expected


@settings(max_examples=100)
@given(st.lists(QUESTIONS, max_size=6))
def test_pairs_of_one_set_are_those_that_comparing_every_pair_finds(questions: list[str]) -> None:
    found = {(hit.a, hit.b): hit.score for hit in within(cases(*questions)) if hit.kind == "words"}
    every = {(a, b): share(one, other) for b, other in enumerate(questions) for a, one in enumerate(questions[:b])}
    assert found == {pair: much for pair, much in every.items() if much}


def test_a_run_of_thirteen_words_is_found_wherever_it_stands() -> None:
    train = cases(f"Before it, {LONG}; and after it much more that is of no concern here")
    [hit] = closest(cases("Unlike", f"Say: {LONG.upper()}!"), train)
    assert (hit.a, hit.b, hit.kind, hit.score) == (1, 0, "run", 0.5)  # one of the two that the shorter has
    assert is_near(hit)
    assert closest(cases(LONG.rpartition(" ")[0] + " and so on"), train) == []


def test_a_formula_that_many_questions_share_is_no_overlap() -> None:
    form = "Answer the following question about our product as briefly as you can, in one sentence only please"
    some = cases(*(f"{form}: what is {word}?" for word in "abcdefghijkl"))
    other = cases(f"{form}: who was the first one that ever flew over the sea in a balloon of silk?")
    assert closest(other, some) == []
    shared = closest(other, some[:3])
    assert [(hit.b, hit.kind) for hit in shared] == [(0, "run")]
    assert not any(map(is_near, closest(other, cases(f"{form}: {some[0].question[-9:]} {LONG * 2}"))))


def test_a_long_instruction_that_many_share_makes_no_two_of_them_near() -> None:
    form = "You are given a sum and write nothing but its result as a number without any words or signs around it"
    some = cases(*(f"{form} now please tell me what is {a} plus {b}" for a in range(4) for b in range(4)))
    assert len(some) > overlap.FORMULA
    assert not any(map(is_near, within(some)))
    assert {hit.a for hit in closest(some, cases(some[7].question)) if is_near(hit)} == {7}


@pytest.mark.parametrize("copies", [10, 11, 64])
def test_what_was_learned_from_often_is_no_formula(copies: int) -> None:
    """A question with many answers, as for preferences or by epochs; it is one question that is put so often."""
    asked_ = f"Say it: {LONG}, and why it is that number and no other one?"
    train = [Case(id=str(at), question=asked_, references=(str(at),)) for at in range(copies)]
    found = closest(cases("Unlike", asked_.upper()), train)
    assert [(hit.a, hit.b, hit.kind, hit.score) for hit in found] == [(1, 0, "run", 1.0), (1, 0, "words", 1.0)]
    pairs = {(hit.a, hit.b) for hit in within(train[:12])}
    assert pairs == {(a, b) for b in range(min(copies, 12)) for a in range(b)}


def test_the_same_question_is_near_though_all_of_its_runs_are_formulas() -> None:
    form = "Write down the name of the town that you like best of all those that you have ever seen"
    many = cases(*(f"{form}, {word}" for word in "abcdefghijkl"), form)
    [hit] = closest(cases(form), many)
    assert (hit.a, hit.b, hit.kind, hit.score) == (0, 12, "words", 1.0)


def test_what_asks_the_same_but_expects_something_else_stays_together() -> None:
    some = [Case(id=f"{at}{said}", question=f"{at}?", references=(said,)) for at in range(20) for said in ("x", "y")]
    parted = divide(some, train=0.5, known={})
    assert parted.groups == 20
    assert not {case.question for case in parted.train} & {case.question for case in parted.holdout}


def test_the_same_question_about_another_context_is_another_case() -> None:
    questions = ["Summarise the text above in one sentence."]
    left, right = cases(*questions, context="The cat sat on the mat."), cases(*questions, context="Rates fell in May.")
    assert closest(left, right) == []
    assert {hit.kind for hit in closest(left, cases(*questions, context="The cat sat on the mat!"))} == {"run", "words"}
    assert closest(left, cases(*questions))  # a context that is not given could be any


def test_one_question_of_many_contexts_is_compared_once_and_each_context_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as "Is this review positive?": each pair of contexts would be a million pairs of a thousand cases each."""
    read: list[str] = []
    monkeypatch.setattr(overlap, "grams", lambda text, n=overlap.LONG: read.append(text) or grams(text, n))
    reviews = [
        f"The film about {at} was watched by {at} people who said of it that {at} times is enough" for at in range(40)
    ]
    left = [Case(id=f"a{at}", question="1 0", context=text) for at, text in enumerate(reviews)]
    right = [Case(id=f"b{at}", question="1 0.1", context=f"Some {text}.") for at, text in enumerate(reviews[::-1])]
    found = closest(left, right, encoder=Directions())
    assert [(hit.a, hit.b, hit.kind) for hit in found] == [(at, 39 - at, "vector") for at in range(40)]
    assert len(read) <= 8 * 40
    bare = closest(left, cases("1 0"), encoder=Directions())  # of which it is not known what it is about
    assert [(hit.a, hit.b) for hit in bare if hit.kind == "vector"] == [(at, 0) for at in range(40)]
    assert not closest(left[:1], right[:1], encoder=Directions())
    pairs = within([*left, *right], encoder=Directions())
    assert [(hit.a, hit.b) for hit in pairs] == [(at, 79 - at) for at in range(40)]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["1 0", "1 0.1", "0 1"]), QUESTIONS), max_size=8))
def test_pairs_by_vectors_are_those_that_comparing_every_pair_finds(said: list[tuple[str, str]]) -> None:
    def alike(one: str, other: str) -> bool:
        return not one or not other or one == other or share(one, other) > 0

    some = [Case(id=f"c{at}", question=asked_, context=context) for at, (asked_, context) in enumerate(said)]
    found = {(hit.a, hit.b) for hit in within(some, encoder=Directions()) if hit.kind == "vector"}
    cosines = Directions().encode([one for one, _ in said]) if said else np.zeros((0, 2))
    near = cosines @ cosines.T >= overlap.LEAST_COSINE
    pairs = [(a, b) for b in range(len(said)) for a in range(b)]
    assert found == {(a, b) for a, b in pairs if near[a, b] and alike(said[a][1], said[b][1])}


def test_signs_of_scripts_without_spaces_are_words() -> None:
    assert grams("iPhone手机，好", 2) == {"iphone 手", "手 机", "机 好"}
    asked_ = "在一九三五年的春天里，是哪一位建筑师为老城的北门设计了那座新的钟楼？"
    [hit, *_] = closest(cases(f"请问{asked_.replace('春', '秋')}"), cases(asked_))
    assert hit.kind == "run"
    assert {hit.kind for hit in closest(cases(f"请问，{asked_}"), cases(asked_))} == {"run", "words"}
    assert closest(cases("老城的北门是谁设计的？"), cases(asked_)) == []
    for one in (
        "どの建築家が旧市街の北門のために新しい時計塔を設計したのですか",
        "สถาปนิกคนใดเป็นผู้ออกแบบหอนาฬิกาใหม่ของเมืองเก่า",
    ):
        assert any(map(is_near, closest(cases(f"{one}?"), cases(f"A: {one}"))))


def test_vectors_are_compared_with_an_encoder_only() -> None:
    left, right = cases("1 0", "0 1"), cases("10 1", "1 1")
    assert closest(left, right) == []
    [hit] = closest(left, right, encoder=Directions())
    assert (hit.a, hit.b, hit.kind) == (0, 0, "vector")
    assert hit.score == pytest.approx(10 / 101**0.5, abs=1e-6)
    assert closest([], right, encoder=Directions()) == []
    assert within([], encoder=Directions()) == []


def test_no_text_is_encoded_twice_and_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(Directions):
        texts: ClassVar[list[str]] = []

        def encode(self, texts: Sequence[str]) -> Any:
            self.texts.extend(texts)
            return super().encode(texts)

    monkeypatch.setattr(vectors, "_SLICE", 2)
    told: list[tuple[int, int]] = []
    once = vectors.Once(Counting(), lambda *so_far: told.append(so_far))
    some = ["1 0", "0 1", "1 0", "1 1"]
    assert np.array_equal(once.encode(some), Directions().encode(some))
    assert np.array_equal(once.encode(some[:1]), Directions().encode(some[:1]))
    assert Counting.texts == ["1 0", "0 1", "1 1"]
    assert told == [(2, 3), (3, 3)]
    assert once.encode([]).shape == (0, 2)


def test_blocks_of_vectors_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_ROWS", 3)
    some = cases(*(f"{np.cos(angle)} {np.sin(angle)}" for angle in np.linspace(0, np.pi, 11)))
    pairs = {(hit.a, hit.b) for hit in within(some, encoder=Directions()) if hit.kind == "vector"}
    assert pairs == {(at, at + 1) for at in range(10)}  # neighbours are 18 degrees apart: cosine .951


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(["", "x", "y"]), st.sampled_from(["", "p", "q"])), min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=4),
    st.floats(0, 1),
    st.integers(0, 3),
)
def test_what_hangs_together_stays_together(
    said: list[tuple[str, str]], near: list[tuple[int, int]], train: float, seed: int
) -> None:
    some = [
        Case(id=str(number), question=f"Question {number}?", cluster=cluster, context=context)
        for number, (cluster, context) in enumerate(said)
    ]
    pairs = [(a, b) for a, b in near if max(a, b) < len(some)]
    parted = divide(some, train=train, known={}, near=pairs, seed=seed)
    assert sorted((*parted.train, *parted.holdout), key=lambda one: int(one.id)) == some
    side = {one.id: "train" for one in parted.train} | {one.id: "holdout" for one in parted.holdout}
    for a, b in pairs:
        assert side[str(a)] == side[str(b)]
    for one in some:
        for other in some:
            if (one.cluster and one.cluster == other.cluster) or (one.context and one.context == other.context):
                assert side[one.id] == side[other.id]


def test_the_share_is_met_and_the_seed_draws_others() -> None:
    some = cases(*(f"Question {number}?" for number in range(1_000)))
    first = divide(some, train=0.3, known={}, seed=0)
    assert len(first.train) == 300
    assert first.groups == 1_000
    assert divide(some, train=0.3, known={}, seed=0) == first
    assert divide(some, train=0.3, known={}, seed=1) != first
    more = divide([*some, Case(id="new", question="One more?")], train=0.3, known={}, seed=0)
    moved = {one.id for one in more.train} ^ {one.id for one in first.train}
    assert len(moved) <= 2  # a new case moves hardly any other


def test_what_has_a_side_keeps_it_with_all_that_hangs_on_it() -> None:
    from gatewheel.data.cases import split_key

    some = cases("Who?", "When?", "Where?", "Why?")
    known = {split_key(some[0]): "train", split_key(some[1]): "holdout"}
    parted = divide(some, train=0.9, known=known, near=[(1, 2)])  # type: ignore[arg-type]
    assert parted.train == (some[0], some[3])
    with pytest.raises(UserError, match="2 cases that hang together stand on both sides already, such as 'Who"):
        divide(some, train=0.5, known=known, near=[(0, 1)])  # type: ignore[arg-type]
