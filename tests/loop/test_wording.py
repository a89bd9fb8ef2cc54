"""A case is learned in the words in which it will be asked: an application's, or those of the model alone."""

from __future__ import annotations

from pathlib import Path

import gatewheel as gw
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.nouns import Case, Message
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
    assert worded[0].case == plain[0].case
