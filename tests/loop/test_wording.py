"""A case is learned in the words in which it will be asked: an application's, or those of the model alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gatewheel as gw
from gatewheel.data import cases as case_files
from gatewheel.data import datasets
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.nouns import Case, Message
from gatewheel.loop import freezing, wording
from gatewheel.loop.wording import examples_of

TOML = """
[encoder.main]
use = "none"
[app.main]
use = "direct"
prompt = "sort"
"""
BEFORE = (Message(role="system", content="Sort it."), Message(role="user", content="hi"))
CASES = [
    Case(id="1", question="Where is it?", history=BEFORE, references=("delivery",)),
    Case(id="2", question="Which?", choices=("a", "b"), label="b", context="A text."),
    Case(id="3", question="Says nothing."),
]


def test_without_an_application_the_model_is_told_the_turns_as_they_stand(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    (tmp_path / CONFIG_FILE).write_text(TOML)
    (tmp_path / "prompts" / "sort.md").write_text("---\nsystem: Answer.\n---\n{{ question }}")
    with gw.open(tmp_path) as project:
        plain = examples_of(project.parts, "", CASES)
        worded = examples_of(project.parts, "main", CASES[:1])
    assert plain[0].prompt == (*BEFORE, Message(role="user", content="Where is it?"))
    assert [one.reply for one in plain] == ["delivery", "B. b"]
    assert plain[1].prompt == (Message(role="user", content="A text.\n\nWhich?\nA. a\nB. b"),)
    assert worded[0].prompt[0].content == "Answer."
    assert worded[0].group == plain[0].group


DOCUMENTS = """
[sources]
paths = ["docs/"]
[encoder.main]
use = "none"
[retriever.main]
use = "bm25"
[model.chat]
use = "llama.cpp"
[app.main]
mode = "draft"
passages = 1
[checker.sure]
use = "grounding"
answerability = 1.0
[app.sure]
use = "answer"
checker = "sure"
passages = 1
"""
KETTLE = Case(id="k", question="What does the kettle hold?", references=("1.7 litres",), sources=("docs/kettle.md",))


def test_what_the_model_is_not_shown_it_does_not_learn_to_say(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    (tmp_path / CONFIG_FILE).write_text(DOCUMENTS)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "kettle.md").write_text("The kettle of the office holds 1.7 litres of water, the cups less.")
    (tmp_path / "docs" / "lamp.md").write_text("The lamp of the office has a green shade.")
    cut = "It is long known that the kettle of the office holds 1.7 litres"
    cases = [
        KETTLE,
        replace(KETTLE, id="its words", evidence=(cut,), sources=()),
        replace(KETTLE, id="another document", sources=("docs/lamp.md",)),
        replace(KETTLE, id="other words", evidence=("It is descaled on Mondays, by Ada.",)),
        replace(KETTLE, id="names none", question="Which shade has the lamp?", sources=()),
        replace(KETTLE, id="brings a text", sources=("far.md",), context="The kettle of the firm holds 1.7 litres."),
        replace(KETTLE, id="abstains", answerable=False, references=(), sources=("docs/lamp.md",)),
        replace(KETTLE, id="silent", references=()),
    ]
    with gw.open(tmp_path) as project:
        project.ingest()
        found = wording.worded(project.parts, "main", cases)
        sure = wording.worded(project.parts, "sure", [cases[0], cases[4]])
        alone = wording.worded(project.parts, "", cases[2:3])
    assert found.reasons == {wording.UNSEEN: 2, wording.SILENT: 1}
    assert [one.reply for one in found.examples] == ["1.7 litres"] * 4 + ["Your documents do not say."]
    assert "1.7 litres of water" in found.examples[0].prompt[-1].content
    assert found.shown == ("docs/kettle.md", "docs/lamp.md")
    assert (len(sure.examples), sure.reasons, sure.shown) == (1, {wording.REFUSED: 1}, ("docs/lamp.md",))
    assert (len(alone.examples), alone.shown) == (1, ())


def test_a_tuning_freezes_a_suite_as_it_was_frozen_before(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    (tmp_path / CONFIG_FILE).write_text(TOML)
    suite = tmp_path / "suites" / "study.toml"
    suite.write_text('metrics = ["inclusion"]\nsplit = "train"  # for ever\n\n[slices]\nmail = "Post"\n')
    told = Case(id="", question="Who knows?", references=("Write to ada@example.com about it.",))
    case_files.write(suite.with_suffix(".jsonl"), [told, Case(id="", question="Is it so?", references=("Yes.",))])
    said = list[str]()
    with gw.open(tmp_path, say=said.append) as project:
        parts = project.parts
        first = freezing.freeze(parts, freezing.asked(tmp_path, "study", redact=True, min_words=3), encoder=None)
        assert freezing.stand(tmp_path, freezing.asked(tmp_path, "study", redact=True, min_words=3))
        assert suite.read_text().startswith('metrics = ["inclusion"]\nsplit = "train"  # for ever\n\n[slices]\n')
        assert suite.read_text().endswith('mail = "Post"\n\n[freeze]\nmin_words = 3\nredact = true\n')
        assert not freezing.stand(tmp_path, freezing.asked(tmp_path, "study", redact=True))
        dataset, cases = wording.read(parts, "study", said.append)
        assert (dataset.id, said[0]) == (
            first.dataset.id,
            "study is frozen as suites/study.toml says: min_words = 3, redact = true",
        )
        assert [one.references for one in cases] == [("Write to [email] about it.",)]
        assert "email" in (tmp_path / "suites" / "study.card.md").read_text()
        assert "ada@example.com" not in str(
            [datasets.load(parts.objects, one.id) for one in datasets.versions(parts.engine)]
        )
        assert freezing.stand(tmp_path, freezing.asked(tmp_path, "study", redact=False, min_words=0))
        assert "freeze" not in suite.read_text()
        assert len(wording.read(parts, "study", said.append)[1]) == 2
