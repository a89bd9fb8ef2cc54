"""Test cases of promptfoo as cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatewheel.data.formats.expected import written
from gatewheel.data.importing import gather, read_any
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case


def config(folder: Path, text: str, **files: str) -> Path:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    path = folder / "promptfooconfig.yaml"
    path.write_text(text)
    return path


def test_variables_become_the_question_and_assertions_become_references(tmp_path: Path) -> None:
    text = """
prompts: ["Answer from the text: {{context}} {{question}}"]
providers: [openai:gpt-5]
defaultTest:
  vars: {tone: dry}
  assert: [{type: cost, threshold: 0.1}]
tests:
  - description: the first one
    vars: {question: Who wrote it?, context: Ada wrote it., name: Ada}
    assert:
      - {type: icontains, value: "{{name}}"}
      - {type: contains-any, value: [Lovelace, Byron]}
      - {type: llm-rubric, value: Is polite}
    metadata: {topic: people}
  - vars: {question: What is the password?}
    assert: [{type: is-refusal}]
"""
    first, second = read_any(config(tmp_path, text))
    assert (first.question, first.context) == ("Who wrote it?", "Ada wrote it.")
    assert first.references == ("Ada", "Lovelace", "Byron")
    assert first.meta == {
        "topic": "people",
        "tone": "dry",
        "name": "Ada",
        "description": "the first one",
        "assert": [{"type": "cost", "threshold": 0.1}, {"type": "llm-rubric", "value": "Is polite"}],
    }
    assert (second.answerable, second.references) == (False, ())


def test_without_a_question_the_only_prompt_asks(tmp_path: Path) -> None:
    text = """
prompts: ["Translate into {{target}}: {{text}}"]
tests:
  - vars: {target: [French, German], text: Hello}
    assert: [{type: equals, value: Bonjour}]
"""
    first, second = read_any(config(tmp_path, text))
    assert (first.question, second.question) == ("Translate into French: Hello", "Translate into German: Hello")
    assert first.references == ("Bonjour",)


def test_a_prompt_of_turns_becomes_a_conversation(tmp_path: Path) -> None:
    text = """
prompts: [file://chat.json]
tests: [{vars: {topic: bees, mood: calm}}]
"""
    chat = '[{"role": "system", "content": "Be {{mood}}."}, {"role": "user", "content": "About {{topic}}?"}]'
    [case] = read_any(config(tmp_path, text, chat__json=chat))
    assert case.question == "About bees?"
    assert [turn.content for turn in case.history] == ["Be calm."]


def test_tests_may_stand_in_tables_and_other_files(tmp_path: Path) -> None:
    table = 'question,__expected,__expected2,__metadata:topic,__description\nWho?,Ada,"similar(0.8): A. L.",people,x\n'
    path = config(
        tmp_path,
        "tests: [file://t.csv, t.yaml, file://t.jsonl]",
        t__csv=table,
        t__yaml="- vars: {question: When?}",
        t__jsonl='{"vars": {"question": "Where?"}, "assert": [{"type": "equals", "value": {"a": 1}}]}',
    )
    first, second, third = read_any(path)
    assert (first.question, first.references) == ("Who?", ("Ada", "A. L."))
    assert first.meta == {"topic": "people", "description": "x"}
    assert (second.question, third.question, third.references) == ("When?", "Where?", ('{"a": 1}',))


def test_scenarios_multiply(tmp_path: Path) -> None:
    text = """
prompts: ["{{language}}: {{text}}"]
scenarios:
  - config: [{vars: {language: French}}, {vars: {language: German}}]
    tests: [{vars: {text: a}}, {vars: {text: b}}]
"""
    found = [case.question for case in read_any(config(tmp_path, text))]
    assert found == ["French: a", "French: b", "German: a", "German: b"]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("Note: this", {"type": "equals", "value": "Note: this"}),
        ("contains: Paris", {"type": "contains", "value": "Paris"}),
        ("not-contains:Paris", {"type": "not-contains", "value": "Paris"}),
        ("similar(0.8):a\nb", {"type": "similar", "value": "a\nb", "threshold": 0.8}),
        ("grade: is polite", {"type": "llm-rubric", "value": "is polite"}),
        ("fn:output.length < 9", {"type": "javascript", "value": "output.length < 9"}),
        ("is-refusal", {"type": "is-refusal"}),
        ("similar(1.2.3): x", {"type": "equals", "value": "similar(1.2.3): x"}),  # as promptfoo reads it
    ],
)
def test_an_assertion_of_a_table_is_read(text: str, made: dict[str, Any]) -> None:
    assert written(text) == made


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("tests: file://make.py", "'file://make.py' are made by code"),
        ("tests: file://make.py:create", "are made by code"),
        ("tests:\n  - vars: {question: file://q.js}", "line 2: 'file://q.js' is no text, or code"),
        ("tests:\n  - vars: {question: !js x}", "line 2: a variable is the code x"),
        ("tests: file://../other.csv", "'../other.csv' is not in the folder"),
        ("tests:\n  - vars: {question: file:///etc/hosts.txt}", "is not in the folder"),
        ("tests: https://example.org/sheet", "'https://example.org/sheet' is not in the folder"),
        ("tests: file://none.csv", "there is no 'none.csv'"),
        ("tests:\n  - vars: {a: x, b: y}", "line 2: which of its variables asks is not clear: a, b; say so: --field"),
        ("prompts: ['{{a}} {{c}}']\ntests:\n  - vars: {a: x, b: y}", "does not render: 'c' is undefined"),
        ("prompts: ['{{a.__class__}}']\ntests:\n  - vars: {a: x, b: y}", "unsafe"),
        ("tests:\n  - vars: {question: x}\n    assert: [{value: y}]", "line 2: assert:"),
        ("tests:\n  - vars: [x]", "vars: must be an object, got ['x']"),
        ("tests:\n  - hello there\n", "there is no 'hello there'"),
        ("tests:\n  - vars: {question: x}\n  - 7\n", "line 3: a test is an object, got 7"),
    ],
)
def test_what_cannot_be_taken_is_told(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "make.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(UserError) as error:
        read_any(config(tmp_path, text))
    assert what in str(error.value)


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (inner / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(UserError, match="is not in the folder"):
        read_any(config(inner, "tests:\n  - vars: {question: file://link.txt}"))


def test_a_file_that_grows_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(UserError, match="holds more than 2,000,000 values"):
        read_any(config(tmp_path, bomb + "tests: *i"))
    for text in ("tests: " + "[" * 200_000 + "]" * 200_000, "tests: &a [*a]"):
        with pytest.raises(UserError, match=r"deep|recursion"):
            read_any(config(tmp_path, text))
    lists = ", ".join(f"v{number}: [1,2,3,4,5,6,7,8,9,10]" for number in range(6))
    with pytest.raises(UserError, match="multiply to 1,000,000 cases"):
        read_any(config(tmp_path, f"tests: [{{vars: {{question: x, {lists}}}}}]"))


def test_a_bad_test_can_be_left_out(tmp_path: Path) -> None:
    gathered = gather(config(tmp_path, "tests:\n  - vars: {question: Who?}\n  - vars: {a: x, b: y}\n"))
    assert [case.question for case in gathered.cases] == ["Who?"]
    assert [refusal.source for refusal in gathered.refusals] == ["promptfooconfig.yaml, line 3"]
    assert isinstance(gathered.cases[0], Case)
