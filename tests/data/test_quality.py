"""What is left out of what is learned from, and the figures by which people see why."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from answering import cases as any_case
from gatewheel.data import cards, quality, stats
from gatewheel.data.blackening import black_out
from gatewheel.data.cases import identity
from gatewheel.data.datasets import Dataset
from gatewheel.data.formats import folder
from gatewheel.data.importing import gather
from gatewheel.data.quality import Filters, sift
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case, Message


def case(question: str, *references: str, **rest: Any) -> Case:
    return Case(**{"id": question, "question": question, "references": references, **rest})


@pytest.mark.parametrize(
    ("one", "filters", "kind", "reason"),
    [
        (case("q"), {}, "silent", "nothing is to be learned: it has no reference and no label"),
        (case("q", " "), {}, "silent", "nothing is to be learned"),
        (case("q", "one two"), {"min_words": 3}, "short", "the reply has 2 words, fewer than 3"),
        (case("q", "one two"), {"max_words": 1}, "long", "the reply has 2 words, more than 1"),
        (case("q", "我們去"), {"max_words": 2}, "long", "the reply has 3 words"),
        (case("q", "a b c d e f " * 5), {"repeated": 0.5}, "repeated", "80% of the reply was said before"),
        (case("q", "r"), {"languages": ("de", "nl")}, "language", "it is in 'en', not in de, nl"),
        (case("q", "r", cluster="a.md"), {"apart": True}, "apart", "a case of 'a.md' is held out"),
        (case("q", label="x"), {"max_words": 1, "repeated": 0.0, "languages": ("en",)}, "", ""),
        (case("q", answerable=False), {"min_words": 5}, "", ""),
        (case("q", "r", cluster="b.md"), {"apart": True}, "", ""),
    ],
)
def test_each_filter_says_why(one: Case, filters: dict[str, Any], kind: str, reason: str) -> None:
    found = sift([one], Filters(**filters), detect=lambda _: "en", held={"a.md"})
    assert [left.kind for left in found.left_out] == ([kind] if kind else [])
    assert (found.kept == (one,)) is not bool(kind)
    assert reason in "".join(left.reason for left in found.left_out)
    assert found.counts() == ({kind: 1} if kind else {})


def test_of_near_ones_with_the_same_reply_the_first_stays() -> None:
    text = "How do I reset the password of my account on the website of the bank"
    some = [case(text, "So."), case(f"{text}?", "so."), case(f"{text}!", "Otherwise."), case("Why?", "So.")]
    found = sift(some, Filters(no_near=True))
    assert found.kept == (some[0], some[2], some[3])
    assert [left.reason for left in found.left_out] == [f"nearly the same as '{text}'"]
    assert quality.contradictions(some) == [(0, 2)]
    assert sift(some, Filters()).kept == tuple(some)


@given(st.lists(any_case(), max_size=6), st.booleans())
def test_every_case_is_kept_or_told(some: list[Case], near: bool) -> None:
    found = sift(some, Filters(min_words=2, repeated=0.3, no_near=near))
    assert sorted(map(id, [*found.kept, *(left.case for left in found.left_out)])) == sorted(map(id, some))
    assert all(map(quality.teaches, found.kept))
    assert all(left.reason and left.kind in cards.WHY for left in found.left_out)


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=60), st.integers(2, 4))
def test_what_is_said_again_raises_the_share(said: list[str], times: int) -> None:
    share = quality.repetition(" ".join(said))
    assert 0 <= share < 1
    again = quality.repetition(" ".join(said * times))
    assert len(said) < quality.FEWEST or again >= (times - 1) / times


@given(st.lists(st.integers(1, 99), min_size=1, max_size=8))
def test_evenness_is_one_where_all_are_equal_and_less_elsewhere(counts: list[int]) -> None:
    found = stats.evenness(counts)
    if len(counts) < 2:
        assert found is None
        return
    assert found is not None
    assert 0 <= found <= 1
    assert (found == 1) or len(set(counts)) > 1


@given(st.lists(st.text(max_size=20), max_size=20))
def test_lengths_are_of_the_texts_that_are_not_empty(texts: list[str]) -> None:
    found = stats.lengths(texts, len)
    sizes = sorted(len(text) for text in texts if text)
    assert (found.texts, found.total) == (len(sizes), sum(sizes))
    if sizes:
        assert found.median in sizes
        assert sum(size <= found.p95 for size in sizes) >= math.ceil(0.95 * len(sizes))
        assert found.longest == sizes[-1]


def test_statistics_count_what_there_is_to_learn() -> None:
    some = [
        case("Who?", "Ada", tags=("people",), cluster="a.md"),
        case("When?", "1843", cluster="a.md", history=(Message(role="user", content="Who?"),)),
        case("Which?", label="x"),
        case("Which one?", label="y"),
        case("Whose?", label="x", id="again"),
        case("Whither?", answerable=False),
        case("Wherefore?"),
        case("Wherefore?", "so", id="twice"),
    ]
    found = stats.of_cases(some, detect=lambda text: "en" if "W" in text else "")
    assert (found.replies, found.labelled, found.abstentions, found.silent) == (3, 3, 1, 1)
    assert (found.same, found.contradictions, found.clusters, found.largest_cluster) == (1, 1, 1, 2)
    assert (found.labels, found.evenness) == ({"x": 2, "y": 1}, pytest.approx(0.9183))
    assert (found.languages, found.tags) == ({"en": 8}, {"people": 1})
    assert (found.history.texts, found.history.total, found.unit) == (1, 4, "characters")
    assert stats.of_cases([]).languages == {}


@given(any_case(), st.sampled_from(["a", "wheels", "two"]))
def test_what_is_blacked_out_stands_nowhere_in_a_case(one: Case, word: str) -> None:
    assume(one.question.strip() and not any("\0" in text for text in all_texts(one)))
    one = dataclasses.replace(one, id=identity(one))
    made = black_out(one, lambda text: text.replace(word, "#"))
    texts = [made.question, *made.references, *made.evidence, *made.choices, made.label, made.context]
    assert not any(word in text for text in texts)
    assert made.sources == one.sources
    assert (made is one) is (not any(word in text for text in all_texts(one)))


def all_texts(one: Case) -> list[str]:
    texts = [one.question, *one.references, *one.evidence, *one.choices, one.label, one.context]
    return [*texts, *strings(dict(one.meta))]


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    return [text for inner in value for text in strings(inner)] if isinstance(value, list | tuple) else []


def test_an_id_is_that_of_the_words_that_are_left() -> None:
    def black(text: str) -> str:
        return text.replace("bob", "[name]")

    made = black_out(case("Who is bob?", "bob"), black)
    assert (made.question, made.references, made.id) == ("Who is [name]?", ("[name]",), identity(made))
    assert black_out(case("Who is bob?", id="7"), black).id == "7"
    assert black_out(case("Why?", "r"), black).id == "Why?"


def test_a_card_opens_nothing_and_names_no_folder_of_this_machine() -> None:
    some = [case("Who?", label="`x`|<b>")]
    card = {
        "stats": dataclasses.asdict(stats.of_cases(some)),
        "origins": {"files": [{"ref": "/home/me/data.csv", "cases": 1, "licence": "cc-by-4.0"}], "unknown": 2},
        "left_out": {"leak": 3},
        "redacted": {"kinds": ["email"], "cases": 1},
        "leaks": {"suites": ["faq"], "vectors": False, "clusters": 2},
    }  # fmt: skip
    made = Dataset(id="f" * 64, name="study", created=0.0, cases=1, card=card, tainted=("a.md was forgotten",))
    text = cards.markdown(made)
    for piece in ("Tainted: a.md was forgotten", "file `data.csv`: 1 cases, licence cc-by-4.0", "email, in 1 cases"):
        assert piece in text
    for piece in ("left out: 3 (nearly the same as a held-out case)", "held out are `faq`; by words alone", "2 of its"):
        assert piece in text
    assert "/home/me" not in text
    assert "<b>" not in text
    assert cards.markdown(Dataset(id="f" * 64, name="bare", created=0.0, cases=0)).startswith("# bare\n")


def test_a_folder_of_a_hub_is_read_with_its_licence(tmp_path: Path) -> None:
    home = tmp_path / "set"
    (home / "data").mkdir(parents=True)
    rows = [json.dumps({"question": f"q{number}", "answer": "a"}) for number in range(3)]
    for number, row in enumerate(rows):
        (home / "data" / f"train-0000{number}-of-00003.jsonl").write_text(row + "\n")
    (home / "dataset_infos.json").write_text("{}")
    (home / "README.md").write_text("---\nlicense:\n- cc-by-4.0\n---\n# A set\n")
    gathered = gather(home)
    assert [one.question for one in gathered.cases] == ["q0", "q1", "q2"]
    assert gathered.places[2] == "set, train-00002-of-00003.jsonl, line 1"
    assert folder.licence(home) == folder.licence(home / "x.jsonl") == "cc-by-4.0"
    (home / "data" / "test.csv").write_text("question\nq9\n")
    with pytest.raises(UserError, match=r"holds data/test\.csv, data/train-00000.*name one of them, such as"):
        gather(home)
    assert folder.licence(tmp_path / "none.jsonl") == ""
    (home / "README.md").write_text("---\n[1\n---\n")
    assert folder.licence(home) == ""
    (home / "dataset_info.json").write_text('{"license": "mit"}')
    assert folder.licence(home) == "mit"
    (home / "README.md").write_text("---\nlicense: 'apache-2.0'\npretty_name: x\n---\n")
    assert folder.licence(home) == "apache-2.0"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("license: -\n[]mit'{&*"), max_size=60), st.binary(max_size=40))
def test_any_card_names_a_licence_or_none(tmp_path: Path, front: str, info: bytes) -> None:
    (tmp_path / "README.md").write_text(f"---\n{front}\n---\n")
    (tmp_path / "dataset_info.json").write_bytes(info)
    assert "\n" not in folder.licence(tmp_path)
