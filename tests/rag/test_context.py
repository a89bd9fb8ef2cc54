"""Passages enter the prompt best first, once each, numbered from 1 and never over the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.kernel.nouns import Hit, Passage
from gatewheel.rag.context import build


def hit(text: str, *, source: str = "a.md", start: int = 0) -> Hit:
    passage = Passage(id=f"{source}{start}", source=source, span=(start, start + len(text)), text=text, heading="Top")
    return Hit(passage=passage, score=1.0)


def words(text: str) -> int:
    return len(text.split())


def characters(text: str) -> int:
    return len(text)


SENTENCES = ["The valve is shut.", "A pump moves water to the upper tank.", "Seals grow old.", "東京は日本の首都です。"]


def test_the_best_come_first_and_are_numbered() -> None:
    hits = [hit(text, source=f"{number}.md") for number, text in enumerate(SENTENCES)]
    context = build(hits, count_tokens=words, budget=100, most=3)
    assert [(one.n, one.text, one.source, one.heading) for one in context.numbered] == [
        (number + 1, text, f"{number}.md", "Top") for number, text in enumerate(SENTENCES[:3])
    ]
    assert (context.tokens, context.duplicates, context.over_budget) == (15, 0, 0)


def test_repeats_are_left_out_and_do_not_count_among_the_most() -> None:
    base = "one two three four five six seven eight nine ten eleven"
    hits = [
        hit(base, start=0),
        hit(base.upper() + " eleven!", source="copy.md"),
        hit(base[5:], start=5),
        hit("something else", start=400),
        hit("another thing", start=500),
    ]
    context = build(hits, count_tokens=words, budget=100, most=2)
    assert [one.text for one in context.numbered] == [base, "something else"]
    assert context.duplicates == 2


def test_a_shorter_passage_takes_the_room_that_a_longer_one_has_not() -> None:
    hits = [hit("one two three"), hit("four " * 50, source="b"), hit("five six", source="c")]
    context = build(hits, count_tokens=words, budget=5, most=3)
    assert [(one.n, one.source) for one in context.numbered] == [(1, "a.md"), (2, "c")]
    assert (context.tokens, context.over_budget) == (5, 1)


def test_a_first_passage_that_is_too_long_is_cut_at_a_sentence() -> None:
    text = "The valve is shut. The pump is off. " + "And then it goes on and on. " * 50
    context = build([hit(text)], count_tokens=words, budget=12, most=3)
    [one] = context.numbered
    assert one.text == "The valve is shut. The pump is off."
    assert one.passage.text == text
    assert build([], count_tokens=words, budget=12, most=3).numbered == ()


@given(
    texts=st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6).map(" ".join) | st.text(), max_size=8),
    starts=st.lists(st.integers(0, 60), min_size=8, max_size=8),
    budget=st.integers(1, 60),
    most=st.integers(1, 5),
)
@pytest.mark.parametrize("count", [words, characters])
def test_whatever_is_found_the_budget_holds(
    count: object, texts: list[str], starts: list[int], budget: int, most: int
) -> None:
    assert callable(count)
    hits = [
        hit(text, source=f"{number % 2}.md", start=start)
        for number, (text, start) in enumerate(zip(texts, starts, strict=False))
    ]
    context = build(hits, count_tokens=count, budget=budget, most=most)
    assert [one.n for one in context.numbered] == list(range(1, len(context.numbered) + 1))
    assert len(context.numbered) <= most
    assert context.tokens == sum(count(one.text) for one in context.numbered) <= budget
    assert all(one.passage.text.startswith(one.text) for one in context.numbered)
    assert all(one.text == one.passage.text for one in context.numbered[1:])
    assert bool(context.numbered) == bool(hits)
    places = {id(found.passage): place for place, found in enumerate(hits)}  # equal passages may be found twice
    order = [places[id(one.passage)] for one in context.numbered]
    assert order == sorted(order)
