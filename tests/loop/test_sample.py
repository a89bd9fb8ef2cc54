"""The sample project, as `make demo` shows it to whoever sees Gatewheel for the first time."""

from __future__ import annotations

from pathlib import Path

import gatewheel as gw

FIRST = "What does a gate decide?"


def test_the_first_question_is_answered_in_words_and_the_second_is_not(tmp_path: Path) -> None:
    with gw.init(tmp_path, sample=True) as project:
        project.ingest()
        answer = project.ask(FIRST)
        assert "variant" in answer.answer
        assert answer.answer.rstrip("[0123456789] ").endswith("."), "half a sentence"
        assert not set("$`") & set(answer.answer), "an example on the command line is no answer"
        assert {citation.source for citation in answer.citations} <= {"docs/architecture.md", "docs/gate.md"}
        assert project.ask("How many moons does Jupiter have?").abstained


def test_no_page_of_the_sample_spells_the_first_question_out(tmp_path: Path) -> None:
    """It would be found instead of the answer."""
    gw.init(tmp_path, sample=True).close()
    assert [page.name for page in tmp_path.glob("docs/*.md") if FIRST in page.read_text(encoding="utf-8")] == []
