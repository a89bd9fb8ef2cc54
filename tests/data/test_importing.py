"""Imports: the columns of public data sets become cases, a bad row is told with file, line and cure, no code is run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.data.importing import gather, read_any
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


def file(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(folder: Path, *records: Any) -> Path:
    return file(folder, "".join(json.dumps(record) + "\n" for record in records), "data.jsonl")


def one(path: Path, **said: Any) -> Case:
    [case] = read_any(path, **said)
    return case


@given(st.lists(st.tuples(TEXT.filter(str.strip), TEXT), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_a_table_gives_back_what_the_csv_module_wrote(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, str]], delimiter: str
) -> None:
    out = io.StringIO(newline="")
    rows = [(number, *row) for number, row in enumerate(written)]
    csv.writer(out, delimiter=delimiter).writerows([("number", "asked", "note"), *rows])
    path = file(tmp_path_factory.mktemp("x"), out.getvalue(), "data.tsv" if delimiter == "\t" else "data.csv")
    gathered = gather(path, fields={"question": "asked", "id": "number"})
    assert not gathered.refusals
    assert len(gathered.cases) + gathered.twins == len(written)
    for case in gathered.cases:
        asked, note = written[int(case.id)]
        assert case.question == asked
        assert gathered.twins or case.meta.get("note", "") == note


def test_columns_are_found_by_the_names_that_public_data_sets_use(tmp_path: Path) -> None:
    case = one(file(tmp_path, "qid,query,answer,passage,topic\n7,Who?,Ada,A text.,people\n"))
    assert (case.id, case.question, case.references, case.context) == ("7", "Who?", ("Ada",), "A text.")
    assert case.meta == {"topic": "people"}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            {"id": "5733", "title": "Rome", "context": "c", "question": "q", "answers": {"text": ["a", "a", "b"]}},
            {"references": ("a", "b"), "context": "c", "meta": {"title": "Rome"}},
        ),
        ({"question": "q", "answers": {"text": [], "answer_start": []}}, {"answerable": False}),
        ({"question": "q", "is_impossible": True}, {"answerable": False}),
        ({"question": "q", "choices": ["x", "y"], "answer": 1}, {"choices": ("x", "y"), "label": "y"}),
        (
            {"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"},
            {"choices": ("x", "y"), "label": "y"},
        ),
        *(
            (
                {"question": "q", "options": {"1": "x", "2": "y", "3": "z"}, "answer": key},
                {"choices": ("x", "y", "z"), "label": said},
            )
            for key, said in ((1, "x"), ("1", "x"), (3, "z"), (" 3 ", "z"), ("y", "y"))
        ),
        (
            {"question": "q", "choices": {"label": [1, 2, 3], "text": ["2", "3", "4"]}, "answerKey": 2},
            {"choices": ("2", "3", "4"), "label": "3"},
        ),
        (
            {"question": "q", "choices": {"label": ["1", "2", "3"], "text": ["2", "3", "4"]}, "answerKey": "2"},
            {"choices": ("2", "3", "4"), "label": "3"},
        ),
        ({"question": "q", "options": {"0": "x", "1": "y"}, "answer": 1}, {"choices": ("x", "y"), "label": "y"}),
        ({"ctx": "q", "endings": ["x", "y"], "label": "0"}, {"choices": ("x", "y"), "label": "x"}),
        ({"question": "q", "options": {"A": "x", "B": "y"}, "answer": "B"}, {"choices": ("x", "y"), "label": "y"}),
        ({"question": "q", "options": ["1", "0"], "label": "1"}, {"choices": ("1", "0"), "label": "1"}),
        ({"question": "q", "options": ["x", "y"], "label": -1}, {"choices": ("x", "y")}),
        ({"text": "q", "label": "card_lost"}, {"label": "card_lost"}),
        ({"instruction": "q", "input": "c", "output": "a"}, {"context": "c", "references": ("a",)}),
        ({"question": "q", "answer": 4}, {"references": ("4",)}),
        ({"question": "q", "doc_ids": ["d1", "d2"], "answers": "a"}, {"sources": ("d1", "d2"), "references": ("a",)}),
        ({"question": "q", "meta": {"a": 1}, "b": 2}, {"meta": {"a": 1, "b": 2}}),
        ({"question": "q", "meta": "m", "evidence": [{"a": 1}]}, {"meta": {"meta": "m", "evidence": [{"a": 1}]}}),
        ({"question": "q", "history": [["a", "b"]]}, {"meta": {"history": [["a", "b"]]}}),
        ({"question": "q", "choices": ["x", "", "x"], "answer": 2}, {"choices": ("x", "", "x"), "label": "x"}),
        ({"question": "q", "choices": '["x", "y"]', "answer": "A"}, {"choices": ("x", "y"), "label": "x"}),
    ],
)
def test_shapes_of_public_data_sets_are_understood(tmp_path: Path, record: Any, said: dict[str, Any]) -> None:
    case = one(lines(tmp_path, record))
    empty = {"references": (), "choices": (), "label": "", "answerable": True, "context": "", "sources": (), "meta": {}}
    assert case.question == "q"
    assert {key: getattr(case, key) for key in empty} == {**empty, **said}


@pytest.mark.parametrize(
    ("written", "in_table"),
    [
        ("[1, 3]", ("[1, 3]",)),
        ('["a", 1]', ('["a", 1]',)),
        ("[]", ("[]",)),
        ("[x] marks it", ("[x] marks it",)),
        ('["a", "b"]', ("a", "b")),
    ],
)
def test_an_answer_in_brackets_is_a_text_unless_a_cell_holds_quoted_texts(
    tmp_path: Path, written: str, in_table: tuple[str, ...]
) -> None:
    assert one(lines(tmp_path, {"question": "q", "answer": written})).references == (written,)
    cells = io.StringIO()
    csv.writer(cells).writerows([["question", "answer"], ["q", written]])
    assert one(file(tmp_path, cells.getvalue())).references == in_table


def test_a_conversation_is_asked_its_last_question(tmp_path: Path) -> None:
    turns = [("system", "Be brief."), ("user", "Who?"), ("assistant", "Ada."), ("user", "When?"), ("assistant", "1843")]
    case = one(lines(tmp_path, {"messages": [{"role": role, "content": text} for role, text in turns], "n": 1}))
    assert (case.question, case.references, case.meta) == ("When?", ("1843",), {"n": 1})
    assert [(turn.role, turn.content) for turn in case.history] == turns[:3]
    case = one(lines(tmp_path, {"messages": [{"role": "user", "content": "Who?"}], "answers": ["Ada"]}))
    assert (case.question, case.references) == ("Who?", ("Ada",))


def test_fields_name_columns_paths_and_several_columns(tmp_path: Path) -> None:
    record = {"q": {"text": "Which?"}, "ans0": "x", "ans1": "y", "right": 1, "big": "z", "docs": [{"i": "d"}]}
    fields = {"question": "q.text", "choices": "ans0, ans1", "label": "right", "sources": "docs.i", "meta": ""}
    case = one(lines(tmp_path, record), fields=fields)
    assert (case.question, case.choices, case.label, case.sources) == ("Which?", ("x", "y"), "y", ("d",))
    assert case.meta == {}
    assert one(lines(tmp_path, record), fields={**fields, "meta": "big"}).meta == {"big": "z"}


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"qestion": "q"}, "'qestion' is no field of a case; did you mean 'question'"),
        ({"question": "quer"}, "data.csv, line 2: there is no column 'quer'; did you mean 'query'"),
        ({"answerable": "query"}, "'query' is neither true nor false, got 'Who?'"),
    ],
)
def test_fields_that_are_not_there_are_told(tmp_path: Path, fields: dict[str, str], what: str) -> None:
    with pytest.raises(UserError) as error:
        read_any(file(tmp_path, "query\nWho?\n"), fields=fields)
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("data.csv", "question,answer\nWho?,Ada\n,Bob\n", "data.csv, line 3: question: is blank"),
        ("data.csv", 'question,answer\n"Who\nis it?",Ada\nWhen?,a,b\n', "data.csv, line 4: 3 cells, but 2 columns"),
        ("data.csv", 'question\n"Who?\n', "data.csv, line 2: unexpected end of data; close the quotes"),
        ("data.csv", "question,question\na,b\n", "data.csv, line 1: a column is named 'question'"),
        ("data.csv", "", "data.csv is empty"),
        ("data.csv", "question\n", "data.csv holds no cases"),
        ("data.csv", b"question\nWho?\ncaf\xe9\n", "data.csv, line 3: byte 0xe9 is not UTF-8"),
        ("data.jsonl", '{"question": "Who?"}\n{"question"\n', "data.jsonl, line 2: no JSON"),
        ("data.json", '[{"question": "Who?"}, 3]', "data.json, record 2: a JSON int, not an object"),
        ("data.json", '[{"question": "Who?"},\n{"a" 3}]', "data.json, line 2: no JSON"),
        ("data.jsonl", '{"question": "q", "options": ["a"], "label": "z"}', "line 1: 'z' is none of the 1 choices"),
        (
            "data.jsonl",
            '{"question": "q", "options": {"1": "a", "2": "b"}, "label": 0}',
            "'0' is none of the 2 choices",
        ),
        ("data.jsonl", f'{{"question": "q", "options": ["a"], "label": "{"1" * 5000}"}}', "is none of the 1 choices"),
        ("data.jsonl", '{"quest": "q"}', "line 1: no column is known for a question: quest; name it: --field question"),
        ("data.jsonl", '{"question": "q", "answers": [{}]}', "line 1: 'answers' holds no text but a dict"),
        ("data.jsonl", '{"question": ["q"]}', "line 1: 'question' holds no text but a list"),
        ("data.jsonl", '{"question": "q", "options": "a, b"}', "line 1: the choices are no list but a str"),
        ("data.yaml", "a: [1", "data.yaml, line 2: no YAML"),
        ("data.yaml", "a: 1", "what data.yaml is cannot be told; say it: --format"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(tmp_path: Path, name: str, text: Any, what: str) -> None:
    with pytest.raises(UserError) as error:
        read_any(file(tmp_path, text, name))
    assert what in str(error.value)


def test_what_is_bad_can_be_left_out_while_the_rest_goes_on(tmp_path: Path) -> None:
    gathered = gather(file(tmp_path, "question,answer\nWho?,Ada\n,Bob\nx,y,z\nWhen?,1843\n"))
    assert [case.question for case in gathered.cases] == ["Who?", "When?"]
    assert [refusal.source for refusal in gathered.refusals] == ["data.csv, line 3", "data.csv, line 4"]
    with pytest.raises(UserError, match=r"line 3.*1 more are at fault"):
        read_any(tmp_path / "data.csv")


def test_json_is_a_list_an_object_with_one_or_an_object_a_line(tmp_path: Path) -> None:
    records = [{"question": "Who?"}, {"question": "When?"}]
    many = [json.dumps(records), json.dumps({"data": records}, indent=1), "\n".join(map(json.dumps, records))]
    for text in many:
        assert [case.question for case in read_any(file(tmp_path, text, "x.json"))] == ["Who?", "When?"]


def test_cases_that_ask_the_same_are_joined_and_ids_stay_apart(tmp_path: Path) -> None:
    gathered = gather(
        lines(
            tmp_path,
            {"id": 1, "question": "Who?", "answers": ["Ada"], "doc_ids": ["a"], "x": 1},
            {"id": 2, "question": "Who? ", "answers": ["Ada"], "doc_ids": ["b"], "y": 2},
            {"id": 1, "question": "When?"},
        )
    )
    first, second = gathered.cases
    assert (gathered.twins, first.sources, first.meta) == (1, ("a", "b"), {"x": 1, "y": 2})
    assert (first.id, len(second.id)) == ("1", 32)


def test_a_table_may_be_excels_unicode(tmp_path: Path) -> None:
    path = file(tmp_path, "question\tanswer\nWho?\tŁukasz\n".encode("utf-16"), "data.tsv")
    assert one(path).references == ("Łukasz",)
