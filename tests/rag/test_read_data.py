"""Notebooks, tables and JSON Lines: every record is a passage that can be understood alone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents import notebook as made_notebook
from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document, Refusal
from gatewheel.rag.read import jsonl, notebook, table

ANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(part: Any, data: str | bytes, folder: Path, name: str, **options: Any) -> list[Any]:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(part.create(part.Settings(**options)).read(path, source=name))


def rows_of(data: str | bytes, folder: Path, name: str = "cities.csv", **options: Any) -> list[str]:
    (document,) = read(table, data, folder, name, **options)
    return document.text.strip().split("\n\n")[1:]


class TestNotebooks:
    def test_cells_and_outputs(self, tmp_path: Path) -> None:
        (document,) = read(notebook, made_notebook(), tmp_path, "rain.ipynb")
        assert document.title == "Rainfall"
        assert document.text == (
            "# Rainfall\n\nMonthly means.\n\n```python\nprint(mean(rain))\n```\n\n```text\n81.5\n```\n"
        )

    def test_version_3(self, tmp_path: Path) -> None:
        cells = [
            {"cell_type": "heading", "level": 2, "source": "Old"},
            {"cell_type": "code", "language": "julia", "input": "1+1", "outputs": [{"text": "2"}]},
        ]
        (document,) = read(notebook, json.dumps({"worksheets": [{"cells": cells}]}), tmp_path, "old.ipynb")
        assert document.text == "## Old\n\n```julia\n1+1\n```\n\n```text\n2\n```\n"
        assert document.title == "Old"

    def test_a_long_output_keeps_both_ends_and_an_error_its_message(self, tmp_path: Path) -> None:
        outputs = [
            {"output_type": "stream", "text": "begin " + "x" * 9_000 + " end"},
            {"output_type": "error", "ename": "ValueError", "evalue": "no data", "traceback": ["secret"]},
            {"output_type": "display_data", "data": {"image/png": "aGVsbG8=", "text/plain": "<Figure>"}},
        ]
        cells = [{"cell_type": "code", "source": "f()", "outputs": outputs}]
        (document,) = read(notebook, json.dumps({"cells": cells}), tmp_path, "a.ipynb")
        assert len(document.text) < 2_500
        assert "begin" in document.text
        assert " end" in document.text
        assert "ValueError: no data" in document.text
        assert "secret" not in document.text
        assert "aGVs" not in document.text

    @ANY
    @given(
        value=st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["cells", "worksheets", "source", "cell_type", "outputs", "metadata", "data", "text"]
                    ),
                    inner | st.just("code"),
                    max_size=4,
                )
            ),
        )
    )
    def test_any_json_gives_text_or_a_source_error(self, value: Any, tmp_path: Path) -> None:
        try:
            (document,) = read(notebook, json.dumps(value), tmp_path, "a.ipynb")
        except SourceError:
            return
        assert document.text.strip()


class TestTables:
    def test_each_row_carries_its_columns(self, tmp_path: Path) -> None:
        (document,) = read(table, "city,people\nLima,10\nQuito,2\n", tmp_path, "cities.csv")
        assert document.text == "# cities\n\ncity: Lima; people: 10\n\ncity: Quito; people: 2\n"
        assert document.format == "markdown"

    @pytest.mark.parametrize(
        ("data", "rows"),
        [
            ("a;b\n1,5;2\n", ["a: 1,5; b: 2"]),
            ("a|b\n1|2\n", ["a: 1; b: 2"]),
            ('a,b\n"two\nlines","say ""hi"", Ann"\n', ['a: two lines; b: say "hi", Ann']),
            ("a,b\n1\n1,2,3\n,,\n\n,9\n", ["a: 1", "a: 1; b: 2; column 3: 3", "b: 9"]),
            ("1,2\n3,4\n", ["column 1: 1; column 2: 2", "column 1: 3; column 2: 4"]),
            ("a,b\n", ["columns: a; b"]),
            ('a,b\n1,"never closed\n2,3\n', ["a: 1; b: never closed 2,3"]),
            ("name\nAnn\nBob\n", ["name: Ann", "name: Bob"]),
        ],
    )
    def test_dialects_and_ragged_rows(self, data: str, rows: list[str], tmp_path: Path) -> None:
        assert rows_of(data, tmp_path) == rows

    def test_tabs_by_suffix_and_by_content(self, tmp_path: Path) -> None:
        assert rows_of("a\tb, c\n1\t2, 3\n", tmp_path, "x.tsv") == ["a: 1; b, c: 2, 3"]
        assert rows_of("a\tb\n1\t2\n", tmp_path, "x.csv") == ["a: 1; b: 2"]

    def test_settings_override_detection(self, tmp_path: Path) -> None:
        assert rows_of("a;b\n1;2\n", tmp_path, delimiter=",", header="no") == ["column 1: a;b", "column 1: 1;2"]

    def test_a_long_file_becomes_documents_of_bounded_size_and_loses_no_row(self, tmp_path: Path) -> None:
        data = "id,words\n" + "".join(f"{number},{'w' * 50}\n" for number in range(500))
        documents = read(table, data, tmp_path, "long.csv", max_chars=5_000)
        assert [document.source for document in documents][:2] == ["long.csv", "long.csv#row-80"]
        assert max(len(document.text) for document in documents) < 6_000
        assert all(document.text.startswith("# long\n\nid: ") for document in documents)
        whole = "".join(document.text for document in documents)
        assert [f"id: {number};" in whole for number in range(500)] == [True] * 500

    def test_a_cell_longer_than_the_csv_module_allows(self, tmp_path: Path) -> None:
        assert len(rows_of(f"a,b\n1,{'x' * 300_000}\n", tmp_path)[0]) > 300_000

    @ANY
    @given(
        rows=st.lists(
            st.lists(st.text(st.sampled_from('ab ,;"\n\r\tü|'), min_size=1).filter(str.strip), min_size=3, max_size=3),
            min_size=1,
        )
    )
    def test_every_cell_that_was_written_is_found_again(self, rows: list[list[str]], tmp_path: Path) -> None:
        out = io.StringIO()
        csv.writer(out).writerows([["first", "second", "third"], *rows])
        found = rows_of(out.getvalue(), tmp_path, delimiter=",")
        wanted = [
            "; ".join(
                f"{name}: {' '.join(cell.split())}"
                for name, cell in zip(("first", "second", "third"), row, strict=True)
            )
            for row in rows
        ]
        assert found == wanted


class TestJsonLines:
    def test_one_document_a_line_and_a_bad_line_loses_nothing_else(self, tmp_path: Path) -> None:
        lines = [
            '{"id": 7, "text": "first", "title": "One"}',
            "not json",
            "",
            "[1, 2]",
            '{"text": "no id"}',
            '{"id": 7, "body": "the same id", "lang": "en"}',
            '{"id": "x", "text": "  "}',
        ]
        found = read(jsonl, "\n".join(lines), tmp_path, "a.jsonl")
        documents = [each for each in found if isinstance(each, Document)]
        assert [(each.source, each.text) for each in documents] == [
            ("a.jsonl#7", "first"),
            ("a.jsonl#5", "no id"),
            ("a.jsonl#7:6", "the same id"),
        ]
        assert [each.title for each in documents] == ["One", "a", "a"]
        refusals = [each for each in found if isinstance(each, Refusal)]
        assert [each.source for each in refusals] == ["a.jsonl#2", "a.jsonl#4", "a.jsonl#7"]
        assert refusals[0].reason.startswith("line 2: no JSON: Expecting value at character 1")

    def test_fields_are_chosen_by_settings(self, tmp_path: Path) -> None:
        line = json.dumps({"key": "k1", "body": "words", "head": "H", "lang": "en", "tags": ["a"], "other": 1})
        options = {"text_field": "body", "title_field": "head", "id_field": "key", "meta_fields": ("lang", "tags")}
        (document,) = read(jsonl, line, tmp_path, "a.jsonl", **options)
        assert (document.source, document.title, document.text) == ("a.jsonl#k1", "H", "words")
        assert dict(document.meta) == {"lang": "en", "tags": ["a"], "kind": "jsonl"}

    def test_a_wrong_text_field_names_the_right_ones(self, tmp_path: Path) -> None:
        (refusal,) = read(jsonl, '{"body": "x", "head": "y"}', tmp_path, "a.jsonl", text_field="txt")
        assert refusal.reason == "line 1: no field 'txt'; set [reader.jsonl] text_field to one of: body, head"

    def test_nul_and_lone_surrogates_never_reach_the_store(self, tmp_path: Path) -> None:
        (document,) = read(jsonl, '{"id": "\\ud800", "text": "a\\u0000b\\udfffc"}', tmp_path, "a.jsonl")
        assert document.text == "a�b�c"
        document.source.encode()

    @ANY
    @given(texts=st.lists(st.text(min_size=1), min_size=1))
    def test_any_text_comes_back(self, texts: list[str], tmp_path: Path) -> None:
        lines = "\n".join(json.dumps({"text": each}) for each in texts)
        found = read(jsonl, lines, tmp_path, "a.jsonl")
        assert len(found) == len(texts)
        for each, text in zip(found, texts, strict=True):
            if isinstance(each, Document):
                whole = text.replace("\0", "�").replace("\r\n", "\n").replace("\r", "\n")
                assert each.text == "".join("�" if "\ud800" <= sign <= "\udfff" else sign for sign in whole)
            else:
                assert not text.strip()
