"""Data sets of Hugging Face on disk."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gatewheel.data.importing import read_any
from gatewheel.kernel.errors import MissingPart, UserError

ROWS = [
    {"question": "Who?", "choices": ["x", "y"], "answer": 1, "kind": [0, 1], "when": datetime.date(2026, 1, 2)},
    {"question": "When?", "choices": ["x", "y"], "answer": 0, "kind": [], "when": None},
]
CLASS = {"names": ["A", "B"], "_type": "ClassLabel"}


def table(rows: list[dict[str, Any]] = ROWS) -> pa.Table:
    features = {"answer": CLASS, "kind": {"feature": CLASS, "_type": "Sequence"}}
    known = json.dumps({"info": {"features": features}})
    return pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": known})


def saved(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    """As `Dataset.save_to_disk` leaves a data set, with a file of the cache beside it."""
    folder.mkdir(parents=True)
    for number, row in enumerate(rows):
        made = table([row])
        name = f"data-0000{number}-of-0000{len(rows)}.arrow"
        with pa.ipc.new_stream(folder / name, made.schema) as out:
            out.write_table(made)
    (folder / "cache-1.arrow").write_bytes(b"")
    names = [f"data-0000{number}-of-0000{len(rows)}.arrow" for number in range(len(rows))]
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return folder


def test_parquet_is_read_with_the_names_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    pq.write_table(table(), path)
    first, second = read_any(path)
    assert (first.question, first.choices, first.label, second.label) == ("Who?", ("x", "y"), "y", "x")
    assert first.meta == {"kind": ["A", "B"], "when": "2026-01-02"}
    assert second.meta == {}


def test_a_saved_data_set_is_read_in_its_order(tmp_path: Path) -> None:
    assert [case.question for case in read_any(saved(tmp_path / "set"))] == ["Who?", "When?"]
    with pa.ipc.new_file(tmp_path / "file.arrow", table().schema) as out:
        out.write_table(table())
    assert len(read_any(tmp_path / "file.arrow")) == 2


def test_one_of_several_splits_is_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        saved(tmp_path / "saved" / split)
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(UserError, match=r"saved holds test, train; name one of them, such as .*saved/test"):
        read_any(tmp_path / "saved")
    assert len(read_any(tmp_path / "saved" / "train")) == 2
    hub = tmp_path / "hub" / "data"
    hub.mkdir(parents=True)
    for number, name in enumerate(("test-00000-of-00002", "test-00001-of-00002", "train-00000-of-00001")):
        pq.write_table(table(ROWS[number % 2 : number % 2 + 1]), hub / f"{name}.parquet")
    with pytest.raises(UserError, match="hub holds data/test, data/train; name one of them"):
        read_any(tmp_path / "hub")
    assert [case.question for case in read_any(hub / "test")] == ["Who?", "When?"]
    assert len(read_any(hub / "test-00000-of-00002.parquet")) == 1


def test_turns_in_columns_are_conversations(tmp_path: Path) -> None:
    """Arrow gives every turn every key, though some have none."""
    turns = [
        {"from": "human", "value": "Who?", "weight": None},
        {"from": "gpt", "value": "Ada.", "weight": 1},
    ]
    other = [
        {"from": None, "value": None, "role": "user", "content": "When?"},
        {"role": "assistant", "content": "1843"},
    ]
    pq.write_table(
        pa.Table.from_pylist([{"conversations": turns}, {"conversations": other}]), tmp_path / "chat.parquet"
    )
    found = read_any(tmp_path / "chat.parquet")
    assert [(case.question, case.references, case.meta) for case in found] == [
        ("Who?", ("Ada.",), {}),
        ("When?", ("1843",), {}),
    ]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UserError, match=r"broken\.parquet cannot be read.*download it again"):
        read_any(tmp_path / "broken.parquet")
    with pytest.raises(UserError, match="there is no"):
        read_any(tmp_path / "none.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="what empty is cannot be told"):
        read_any(tmp_path / "empty")
    pq.write_table(table([{**ROWS[0], "question": ""}]), tmp_path / "blank.parquet")
    with pytest.raises(UserError, match=r"blank\.parquet, row 1: question: is blank"):
        read_any(tmp_path / "blank.parquet")


def test_without_pyarrow_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(table(), tmp_path / "test.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPart, match=r"needs pyarrow.*pip install 'gatewheel\[parquet\]'"):
        read_any(tmp_path / "test.parquet")
