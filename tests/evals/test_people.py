"""Raters are shown all of it once, blind and in their own order; what they say is counted as they meant it."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.evals import people
from gatewheel.evals.people import Better, Item, Label, Side
from gatewheel.kernel.errors import UserError

X, Y, Z = Side("x" * 64), Side("y" * 64), Side("z" * 64, "documents")
CASES = [f"case {n}" for n in range(400)]
sides = st.builds(Side, st.text("xyz", min_size=1, max_size=2), st.text("cd", max_size=1))


def item(case: str, one: Side = X, other: Side = Y) -> Item:
    return people.pair(case, one, other).item


def label(case: str, better: Better, rater: str = "Ada", *, one: Side = X, other: Side = Y) -> Label:
    return Label(item=item(case, one, other), rater=rater, better=better)


@given(sides, sides)
def test_the_order_in_which_two_are_named_changes_the_screen_and_not_the_item(one: Side, other: Side) -> None:
    this, that = people.pair("c", one, other), people.pair("c", other, one)
    assert this.item == that.item
    assert this.sides == (one, other)
    assert that.sides == (other, one)
    for place in (1, 2):
        better = this.better(place)
        preferred = this.item.a if better == "a" else this.item.b
        assert preferred == this.sides[place - 1]
    assert this.better(0) == "tie"


def test_every_rater_has_all_in_an_order_of_their_own_that_stays() -> None:
    items = [item(case) for case in CASES]
    ada = people.lots(items, suite="exam", rater="Ada")
    assert people.lots(items[::-1], suite="exam", rater="Ada") == ada
    assert {blind.item for blind in ada} == set(items)
    orders = [[blind.item.case for blind in people.lots(items, suite="exam", rater=name)] for name in ("Ada", "Bob")]
    assert orders[0] != orders[1] != CASES != orders[0]
    assert [blind.item.case for blind in people.lots(items, suite="other", rater="Ada")] != orders[0]


def test_neither_side_of_the_screen_belongs_to_a_variant() -> None:
    for rater in ("Ada", "Bob"):
        drawn = people.lots([item(case) for case in CASES], suite="exam", rater=rater)
        assert 0.4 < np.mean([blind.swapped for blind in drawn]) < 0.6
        first = [blind.swapped for blind in drawn[:40]]
        assert 0.2 < np.mean(first) < 0.8
    single = people.lots([Item(case=case, a=X) for case in CASES], suite="exam", rater="Ada")
    assert {blind.sides for blind in single} == {(X,)}


def test_both_answers_to_a_case_are_graded_one_after_the_other_and_which_first_is_by_lot() -> None:
    items = [Item(case=case, a=side) for side in (X, Y) for case in CASES]
    drawn = [blind.item for blind in people.lots(items, suite="exam", rater="Ada")]
    cases = [one.case for one in drawn]
    assert cases[::2] == cases[1::2], "a gate wants both answers of ten cases: twenty labels have them"
    assert cases[::2] != sorted(CASES)
    assert 0.3 < np.mean([one.a == X for one in drawn[::2]]) < 0.7


def test_what_is_labelled_is_not_asked_again_of_that_rater_by_those_criteria() -> None:
    drawn = people.lots([item(case) for case in CASES[:3]], suite="exam", rater="Ada")
    said = [label("case 1", "tie")]
    left = people.waiting(drawn, said, rater="Ada")
    assert {blind.item.case for blind in left} == {"case 0", "case 2"}
    assert people.waiting(drawn, said, rater="Bob") == drawn
    single = people.lots([Item(case="case 1", a=X)], suite="exam", rater="Ada")
    graded = Label(item=single[0].item, rater="Ada", scores={"faithful": 3.0})
    assert people.waiting(single, [graded], rater="Ada", criteria=["faithful"]) == []
    assert people.waiting(single, [graded], rater="Ada", criteria=["complete"]) == single


def test_an_id_tells_labels_apart_by_all_but_what_they_say() -> None:
    one = label("case 1", "a")
    assert people.identity("exam", one) == people.identity("exam", replace(one, better="b", comment="no", created=7.0))
    others = [
        people.identity("other", one),
        *(
            people.identity("exam", other)
            for other in (
                replace(one, rater="Bob"),
                replace(one, item=item("case 2")),
                replace(one, item=item("case 1", X, Z)),
                replace(one, item=item("case 1", X, replace(Y, corpus="later"))),
                replace(one, scores={"faithful": 1.0}),
            )
        ),
    ]
    assert len({people.identity("exam", one), *others}) == 7


def test_agreement_of_two_is_worked_by_hand() -> None:
    # observed 3 of 4; by chance (2·3 + 2·1) / 16 = 1/2
    ada = [label("1", "a"), label("2", "a"), label("3", "b"), label("4", "b")]
    bob = [label("1", "a", "Bob"), label("2", "a", "Bob"), label("3", "b", "Bob"), label("4", "a", "Bob")]
    [found] = people.agreement([*ada, *bob, label("5", "a")], {})
    assert (found.question, found.scale, found.raters, found.units) == ("better", "nominal", ("Ada", "Bob"), 4)
    assert found.kappa == pytest.approx(0.5)
    # alpha: 8 ratings, 5 a and 3 b; observed 2/8, expected 2·5·3/(8·7)
    assert found.alpha == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert found.interval.low <= found.alpha <= found.interval.high


def test_three_raters_with_gaps_have_alpha_and_criteria_are_ordered() -> None:
    graded = [
        Label(item=Item(case=case, a=X), rater=rater, scores={"faithful": score, "complete": 2.0})
        for rater, scores in {"Ada": [1, 2, 3, 4], "Bob": [1, 2, 4, 4], "Cyd": [2, 2, 3]}.items()
        for case, score in zip("1234", map(float, scores), strict=False)
    ]
    complete, faithful = people.agreement(graded, {})
    assert (faithful.question, faithful.scale, faithful.units) == ("faithful", "ordinal", 4)
    assert isnan(faithful.kappa)
    assert 0.5 < faithful.alpha < 1
    assert isnan(complete.alpha), "where all say the same, nothing could disagree"


def test_cases_of_one_cluster_are_not_taken_for_independent() -> None:
    said = [label(case, better, rater) for rater in ("Ada", "Bob") for case, better in zip("1234", "abab", strict=True)]
    said[0] = replace(said[0], better="b")
    assert isfinite(people.agreement(said, {})[0].interval.low)
    assert people.agreement(said, dict.fromkeys("1234", "one"))[0].interval.low == -1
    assert isfinite(people.ranking(said, {})[0].interval.low)
    assert not isfinite(people.ranking(said, dict.fromkeys("1234", "one"))[0].interval.low)


def test_one_rater_agrees_with_nobody() -> None:
    assert people.agreement([label("1", "a"), label("2", "b")], {}) == ()
    assert people.agreement([], {}) == ()


def test_the_ranking_is_of_all_that_were_compared() -> None:
    outcomes: list[tuple[str, Better]] = [(case, "b" if n % 5 == 0 else "a") for n, case in enumerate(CASES[:40])]
    said = [label(case, better) for case, better in outcomes]
    said += [label(case, better, one=Y, other=Z) for case, better in reversed(outcomes)]
    said += [Label(item=Item(case="1", a=Z), rater="Ada", scores={"faithful": 1.0})]
    ranked = people.ranking(said, {})
    assert [one.name for one in ranked] == [X.variant, Y.variant, Z.variant]
    assert [one.matches for one in ranked] == [40, 80, 40]
    assert ranked[0].interval.low > 0 > ranked[2].interval.high


def test_preferences_are_what_most_said() -> None:
    votes: dict[str, tuple[Better, ...]] = {
        "most": ("a", "a", "b"),
        "split": ("a", "b", "tie"),
        "tied": ("tie",),
        "other": ("b", "tie"),
        "mostly tied": ("a", "tie", "tie"),
    }
    said = [label(case, better, str(n)) for case, all_ in votes.items() for n, better in enumerate(all_)]
    most, other = people.preferences(said)
    assert (most.case, most.chosen, most.rejected, most.votes, most.against) == ("most", X, Y, 2, 1)
    assert (other.case, other.chosen, other.rejected, other.votes, other.against) == ("other", Y, X, 1, 1)


def test_a_rubric_is_read_and_its_faults_are_told() -> None:
    assert [(one.name, one.low, one.high) for one in people.rubric("faithful=1-4, complete=0-9")] == [
        ("faithful", 1, 4),
        ("complete", 0, 9),
    ]
    for wrong in ("", "faithful", "faithful=4-1", "faithful=1-10", "a=1-2,a=1-3", "=1-2"):
        with pytest.raises(UserError, match="is no criterion; write faithful=1-4"):
            people.rubric(wrong)
