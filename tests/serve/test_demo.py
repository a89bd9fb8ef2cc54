"""`gatewheel serve --demo`: a folder of its own, what a reader would say, and nothing asked twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatewheel.kernel.errors import UserError
from gatewheel.loop import starting
from gatewheel.serve import demo

RIGHT = {"abstained": False, "answer": "A variant [1].", "citations": [{"n": 1, "source": "docs/architecture.md"}]}
ABSTAINED: dict[str, Any] = {"abstained": True, "answer": "Your documents do not say.", "citations": []}


def silent(_: str) -> None:
    pass


def test_the_sample_is_made_where_nothing_is_and_beside_what_is_there(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    (full / "diary.md").write_text("Nobody may read this.\n")
    assert demo.prepare(empty, say=silent) == empty
    assert demo.prepare(full, say=silent) == full / demo.FOLDER
    assert demo.prepare(full, say=silent) == full / demo.FOLDER, "the second start takes what the first made"
    assert (empty / "gatewheel.toml").exists()
    assert not (full / "gatewheel.toml").exists()


def test_another_project_is_left_alone(tmp_path: Path) -> None:
    starting.init(tmp_path)
    with pytest.raises(UserError, match="not the sample") as refused:
        demo.prepare(tmp_path, say=silent)
    assert "empty folder" in refused.value.cure


def test_questions_are_distinct_and_their_answers_stand_in_the_sample(tmp_path: Path) -> None:
    starting.init(tmp_path, sample=True)
    cases = demo.cases()
    assert 24 <= len(cases) == len({case.question for case in cases})
    assert any(not case.expects for case in cases)
    for case in cases:
        assert bool(case.expects) == bool(case.source) == bool(case.correction), case
        if case.source:
            text = (tmp_path / case.source).read_text(encoding="utf-8").casefold()
            assert all(word in text for word in case.expects), case


def test_what_is_said_follows_from_the_answer() -> None:
    case = demo.Case(question="?", expects=("variant",), source="docs/architecture.md", correction="A variant.")
    none = demo.Case(question="?", expects=(), source="", correction="")
    wrong = {**RIGHT, "answer": "A wheel [1].", "citations": [{"n": 1, "source": "docs/rag.md"}]}
    assert demo.feedback_on(case, 1, RIGHT) == {"thumb": "up"}
    assert demo.feedback_on(case, 3, RIGHT) == {}, "not everybody says something"
    assert demo.feedback_on(case, 1, wrong) == {"thumb": "down", "correction": "A variant.", "wrong_citations": [1]}
    assert demo.feedback_on(case, 1, ABSTAINED)["thumb"] == "down"
    assert demo.feedback_on(none, 1, ABSTAINED)["thumb"] == "up"
    assert demo.feedback_on(none, 1, RIGHT) == {
        "thumb": "down",
        "comment": "The documents do not say this.",
        "wrong_citations": [1],
    }


def test_what_was_asked_is_not_asked_again(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve()
    questions = ["How many litres does the kettle hold?", "Who won the war of the roses?"]
    cases = [demo.Case(question=one, expects=("1.7",), source="kettle.md", correction="1.7") for one in questions]
    monkeypatch.setattr(demo, "cases", lambda: cases)
    told: list[str] = []
    for _ in range(2):
        demo.fill(served.service, served.base_url, say=told.append)
        traces = served.project.traces(limit=100)
        assert sorted(trace.question for trace in traces) == sorted(questions)
    assert len(served.project.feedback()) >= 1
    assert "2 questions asked" in told[-1]
