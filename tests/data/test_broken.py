"""Whatever a file holds, an import ends in cases or in an error with a cure, and says so of every row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.data import cases
from gatewheel.data.importing import gather
from gatewheel.kernel.errors import UserError

SIGNS = st.text('",;\n\r\t|\\{}[]:0a é\0\ud800', max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
BYTES = SIGNS | st.binary(max_size=40)
FORMATS = ["csv", "tsv", "jsonl", "json", "yaml", "parquet", "arrow"]


def values(keys: Iterable[str], texts: Iterable[str]) -> st.SearchStrategy[Any]:
    """JSON values that hold these keys and texts where an importer looks for something else."""
    plain = (
        st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([*texts, "", "x", "{{a}}", "{{", "[1", "0"])
    )
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*keys]), inner, max_size=4),
        max_leaves=12,
    )


ROW = values(
    "id question query answers text choices label messages role content history meta tags a b".split(), ["user"]
)
PROBES: list[dict[str, Any]] = [
    {"prompt": "p", "instruction_id_list": ["x"], "kwargs": [{}], "key": 1},
    {
        "question": "q",
        "ans0": "a",
        "ans1": "b",
        "ans2": "c",
        "question_polarity": "neg",
        "label": 0,
        "answer_info": {"ans0": ["a"]},
        "additional_metadata": {"stereotyped_groups": ["a"]},
        "target_loc": 0,
    },
    {"question": "q", "choices": ["a"], "meta": {"answer_groups": [["a"]], "stereotyped_groups": [], "polarity": "x"}},
    {"sent_more": "a", "sent_less": "b", "bias_type": "x", "stereo_antistereo": "stereo"},
    {"text": "t", "code": "def f(): 1", "test_list": ["f()"], "test_setup_code": "", "task_id": 1},
]
ANY = values("ans0 ans1 stereotyped_groups answer_groups polarity text a".split(), ["²", "a"])
FOO = values(
    "vars assert type value metadata description question a b config tests prompts raw".split(),
    ["equals", "contains-any", "contains-all", "is-refusal", "file://x.txt", "file://t.csv", "javascript"],
)
TASK = values(["a", "b", "data_files", "test", "include"], ["a", "b", "rows.jsonl", "multiple_choice", "choices"])


def attempt(path: Path, **said: Any) -> None:
    try:
        gathered = gather(path, **said)
    except UserError:
        return
    for refusal in gathered.refusals:
        assert refusal.source.startswith(path.name)
        assert refusal.reason
    if gathered.cases:
        written = path.with_name("written.jsonl")
        cases.write(written, gathered.cases)
        assert cases.read(written) == list(gathered.cases)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("broken")
    (made / "x.txt").write_text("a text")
    (made / "t.csv").write_text("question,__expected\nWho?,contains: Ada\n")
    return made


@settings(max_examples=150)
@given(BYTES, st.sampled_from(FORMATS))
def test_any_bytes(folder: Path, data: bytes, ending: str) -> None:
    path = folder / f"data.{ending}"
    path.write_bytes(data)
    attempt(path)


@settings(max_examples=150)
@given(st.lists(ROW, max_size=3))
def test_any_rows(folder: Path, rows: list[Any]) -> None:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    attempt(path)


@settings(max_examples=300)
@given(st.sampled_from(PROBES), st.data())
def test_any_value_in_a_public_probe(folder: Path, probe: dict[str, Any], data: st.DataObject) -> None:
    row = {**probe, data.draw(st.sampled_from([*probe])): data.draw(ANY)}
    if isinstance(row.get("meta"), dict):
        row["meta"] = {
            **row["meta"],
            data.draw(st.sampled_from(["answer_groups", "stereotyped_groups"])): data.draw(ANY),
        }
    path = folder / "probe.json"
    path.write_text(json.dumps([row]))
    attempt(path)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(["prompts", "defaultTest", "scenarios", "x"]), FOO, max_size=3),
    FOO | st.lists(st.dictionaries(st.sampled_from(["vars", "assert", "metadata", "description"]), FOO), max_size=3),
)
def test_any_tests_of_promptfoo(folder: Path, config: dict[str, Any], tests: Any) -> None:
    path = folder / "foo.yaml"
    path.write_text(json.dumps({**config, "tests": tests}))
    attempt(path)


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from("doc_to_text doc_to_target doc_to_choice output_type description task process_docs".split()),
        TASK,
    ),
    st.lists(st.dictionaries(st.sampled_from(["a", "b"]), TASK, max_size=2), max_size=2),
)
def test_any_task_of_the_harness(folder: Path, task: dict[str, Any], rows: list[Any]) -> None:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "task.yaml"
    path.write_text(json.dumps({"dataset_path": "x", **task}))
    attempt(path, data=folder / "rows.jsonl")
    attempt(path, format="lm-eval")
