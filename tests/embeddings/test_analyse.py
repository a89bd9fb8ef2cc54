"""Terms find what people type: stems, accents, scripts without spaces, camelCase and identifiers."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewheel.embeddings.analyse import MAX_TERM, Analyser
from gatewheel.kernel.errors import ConfigError

ENGLISH, GERMAN, NONE = Analyser("english"), Analyser("german"), Analyser("none")


def finds(question: str, text: str, analyser: Analyser = ENGLISH) -> bool:
    """Whether every term of the question is in the text."""
    return set(analyser.terms(question)) <= set(analyser.terms(text))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("valve", "Close the VALVES before you begin."),
        ("running", "it runs"),
        ("cafe", "Café"),
        ("café", "CAFE"),
        ("Ångström", "angstrom"),
        ("CVE-2024-1234", "fixed (cve-2024-1234)."),
        ("v1.2.3", "since v1.2.3, not before"),
        ("1.2.3", "version 1.2.3"),
        ("user name", "the method getUserName()"),
        ("getUserName", "the method getUserName()"),
        ("getusername", "the method getUserName()"),
        ("http server", "an HTTPServer2 object"),
        ("max_file_mb", "raise max_file_mb or split"),
        ("file", "raise max_file_mb or split"),
        ("東京", "私は東京に住んでいます"),
        ("京", "京"),
        ("ガス", "ｶﾞｽ"),
        ("ﬁle", "file"),
        ("information", "infor\u00admation"),
        ("Größe", "größe"),
        ("हिन्दी", "यह हिन्दी है"),
        ("كتاب", "كِتَاب"),
        ("שלום", "שָׁלוֹם"),
        ("ภาษา", "ภาษาไทย"),
        ("c3po", "the droid C3PO"),
        ("x86_64", "on x86_64"),
    ],
)
def test_a_question_finds_the_text(question: str, text: str) -> None:
    assert ENGLISH.terms(question)
    assert finds(question, text)


def test_marks_that_are_letters_stay() -> None:
    assert not finds("हिन्दी", "हन्द")
    assert not finds("が", "か")
    assert not finds("京都", "東京")


def test_another_language_has_other_stems() -> None:
    assert finds("Häuser", "haus", GERMAN)
    assert not finds("Häuser", "haus", NONE)
    assert ENGLISH.id != GERMAN.id
    with pytest.raises(ConfigError, match="no stemmer for language 'englisch'; did you mean 'english'"):
        Analyser("englisch")


def test_a_long_run_is_cut() -> None:
    assert ENGLISH.terms("A1b2" * 1000)[0] == ("a1b2" * 1000)[:MAX_TERM]
    assert len(ENGLISH.terms("A1b2" * 1000)) <= MAX_TERM + 1


@given(text=st.text(max_size=200))
@example("İstanbul 'quoted' \"twice\" a\u2028b c\x00d")
@example("ǅ ß ﷺ ㎞ ½ ² \ud800 ͅ")
def test_terms_are_letters_and_digits_only_and_analysing_them_again_changes_nothing(text: str) -> None:
    for analyser in (ENGLISH, NONE):
        terms = analyser.terms(text)
        line = analyser.line(text)
        assert line.split(" ") == (terms or [""])
        assert line.split() == terms
        for term in terms:
            assert 0 < len(term) <= MAX_TERM
            assert not set(term) & set("'\"\\:&|!()*<>\0")
            assert term == term.lower()
    assert NONE.terms(NONE.line(text)) == NONE.terms(text)
