"""Case files: what is written is read back as it is, and a bad line is told with file, line and cure."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.data import cases
from gatewheel.data.cases import identity, split_key
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case, Message, ToolCall

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
SAID = TEXT.filter(str.strip)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
CALLS = st.lists(st.builds(ToolCall, id=TEXT, name=TEXT, arguments=TEXT), max_size=1).map(tuple)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=TEXT,
    tool_calls=CALLS,
    tool_call_id=TEXT,
)
CASES = st.builds(
    Case,
    id=SAID,
    question=SAID,
    references=TEXTS,
    answerable=st.booleans(),
    history=st.lists(MESSAGES, max_size=2).map(tuple),
    sources=TEXTS,
    evidence=TEXTS,
    label=TEXT,
    context=TEXT,
    tags=TEXTS,
    cluster=TEXT,
    meta=st.dictionaries(TEXT, JSON, max_size=2),
)


def case(**said: object) -> Case:
    return Case(**{"id": "a", "question": "Who?", **said})  # type: ignore[arg-type]


@given(st.lists(CASES, min_size=1, max_size=4, unique_by=lambda one: one.id))
def test_what_is_written_is_read_back_as_it_is(tmp_path_factory: pytest.TempPathFactory, written: list[Case]) -> None:
    path = tmp_path_factory.mktemp("cases") / "x.jsonl"
    cases.write(path, written)
    assert cases.read(path) == written
    assert [one.name for one in path.parent.iterdir()] == ["x.jsonl"]


def test_a_case_needs_no_id(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('\ufeff{"question": "Who?", "references": "Ada"}\n\n{"question": "When?"}\n', encoding="utf-8")
    first, second = cases.read(path)
    assert first.references == ("Ada",)
    assert (first.id, second.id) == (identity(first), identity(second))
    cases.write(path, [first, second])
    assert "id" not in path.read_text()  # so that an edited case does not keep the name of what it was


@pytest.mark.parametrize(
    ("line", "what", "cure"),
    [
        ('{"question": "Who?"', "no JSON", "mend the line"),
        ("[1]", "a JSON list, not an object", "question"),
        ('{"qestion": "Who?"}', "'qestion' is no key of a case", "did you mean 'question'"),
        ('{"references": ["Ada"]}', "question: is missing", '"question"'),
        ('{"question": "  "}', "question: is blank", "ask something"),
        ('{"question": "Who?", "references": [42]}', "references.0: must be a valid string, got 42", "quotes"),
        ('{"question": "Who?", "references": {"a": 1}}', "references: must be a valid tuple", "a list"),
        ('{"question": "Who?", "answerable": "perhaps"}', "answerable: must be a valid boolean", "true or false"),
        ('{"question": "Who?", "history": [{"role": "usr", "content": "x"}]}', "history.0.role", "mend"),
        ('{"question": "Who?", "history": [{"rle": "user"}]}', "history.0.rle", "did you mean 'role'"),
        ('{"question": "Who?", "choices": ["a", "b"], "label": "c"}', 'label: "c" is none', "write the right choice"),
        ('{"question": "Who\\u0000?"}', "U+0000", "stands for"),
        ('{"question": "Who\\ud800?"}', "U+D800", "stands for"),
        ('{"question": "Who?", "meta": {"x": 1e999}}', "inf is no number of JSON", "stands for"),
        ('{"question": "Who?", "meta": {"x": NaN}}', "NaN is no JSON", "mend"),
        ('{"question": ' + "[" * 100_000, "", "mend"),
        ('{"question": "Who?", "meta": ' + '{"a":' * 900 + "1" + "}" * 900 + "}", "", ""),
        ('{"question": "Who?", "id": "first"}', "id of line 1, 'first'", "remove one"),
    ],
)
def test_a_bad_line_is_told_with_file_line_and_cure(tmp_path: Path, line: str, what: str, cure: str) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text('{"question": "Why?", "id": "first"}\n\n' + line + "\n")
    with pytest.raises(UserError) as error:
        cases.read(path)
    assert error.value.what.startswith("suite.jsonl, line 3: ")
    assert what in error.value.what
    assert cure in error.value.cure
    assert len(str(error.value)) < 400


def test_bytes_that_are_no_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"question": "Who?"}\n{"question": "caf\xe9?"}\n')
    with pytest.raises(UserError, match="line 2: byte 0xe9 is not UTF-8; save"):
        cases.read(path)


def test_no_file_and_no_cases_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        cases.read(tmp_path / "none.jsonl")
    (tmp_path / "x.jsonl").write_text("\n \n")
    with pytest.raises(UserError, match="holds no cases"):
        cases.read(tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    "wrong",
    [case(id="b", question=" "), case(), case(id="c", question="\ud800"), case(id="d", meta={"x": float("nan")})],
)
def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, wrong: Case) -> None:
    path = tmp_path / "x.jsonl"
    cases.write(path, [case()])
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"x\.jsonl: case '"):
        cases.write(path, [case(), wrong])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@given(CASES)
def test_identity_is_of_what_is_asked_and_expected(one: Case) -> None:
    key = identity(one)
    assert len(key) == 32
    assert int(key, 16) >= 0
    same = dataclasses.replace(
        one,
        id=one.id + "x",
        question=f" {unicodedata.normalize('NFD', one.question)}\n",
        references=(*reversed(one.references), *one.references),
        sources=("elsewhere.md",),
        evidence=("other words",),
        tags=("new",),
        cluster="c",
        meta={},
    )
    assert identity(same) == key
    for other in (
        dataclasses.replace(one, question=one.question + "x"),
        dataclasses.replace(one, references=(*one.references, "another answer that none of the others is, surely 7")),
        dataclasses.replace(one, answerable=not one.answerable),
        dataclasses.replace(one, context=one.context + "x"),
        dataclasses.replace(one, label=one.label + "x"),
        dataclasses.replace(one, history=(*one.history, Message(role="user", content="x"))),
        dataclasses.replace(one, choices=("x",)),
    ):
        assert identity(other) != key


@given(CASES)
def test_the_split_knows_a_case_by_what_is_asked_alone(one: Case) -> None:
    mended = dataclasses.replace(one, references=("x",), label=f"{one.label}x", answerable=not one.answerable)
    assert split_key(mended) == split_key(dataclasses.replace(one, question=f"\n {one.question} ")) == split_key(one)
    for other in (
        dataclasses.replace(one, question=one.question + "x"),
        dataclasses.replace(one, context=one.context + "x"),
        dataclasses.replace(one, history=(*one.history, Message(role="user", content="x"))),
        dataclasses.replace(one, choices=(*one.choices, "x")),
    ):
        assert split_key(other) != split_key(one)


def test_programs_that_differ_in_indentation_are_two_cases_on_one_side() -> None:
    one, other = (case(question=f"What prints?\nif x:\n    a()\n{indent}b()") for indent in ("", "    "))
    assert identity(one) != identity(other)
    assert split_key(one) == split_key(other)
    spaced = case(question=one.question.replace(" prints?", "  prints? "))
    assert identity(spaced) == identity(one)


def test_what_replaces_a_file_has_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    secret, link = tmp_path / "secret.jsonl", tmp_path / "link.jsonl"
    secret.write_bytes(b"")
    secret.chmod(0o600)
    link.symlink_to(secret)
    cases.replace(link, b"new")
    assert (link.is_symlink(), secret.read_bytes(), secret.stat().st_mode & 0o777) == (True, b"new", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.jsonl", "secret.jsonl"]


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"file/x\.jsonl cannot be written: .*; check its folder"):
        cases.replace(tmp_path / "file" / "x.jsonl", b"new")


def test_identity_stays_as_it_is_in_stores_that_exist() -> None:
    assert identity(case(references=("Ada", "Lovelace"))) == "735c790574cf9231d8aa26d86f1e35f6"


def test_the_json_of_a_case_says_only_what_is_said() -> None:
    assert json.dumps(cases.to_record(case())) == '{"id": "a", "question": "Who?"}'
    assert cases.to_record(case(answerable=False))["answerable"] is False
