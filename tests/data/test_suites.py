"""Suites: what a toml may say, what it means, and when two reports of one suite may be compared."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gatewheel.data import drafts, preparing, suites
from gatewheel.data.preparing import Freeze
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Case

CASES = '{"question": "Who?", "references": ["Ada"]}\n{"id": "b", "question": "When?", "references": ["1843"]}\n'


def suite(root: Path, toml: str = "", *, cases: str = CASES, name: str = "qa") -> Path:
    folder = root / "suites"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(toml if "metrics" in toml else f'metrics = ["token-f1"]\n{toml}')
    (folder / f"{name}.jsonl").write_text(cases)
    return folder


def test_a_suite_is_read_with_its_defaults(tmp_path: Path) -> None:
    suite(tmp_path)
    found = suites.load(tmp_path, "qa")
    assert (found.target, found.target_name, found.split, found.repeat) == ("app", "main", "holdout", 1)
    assert [case.question for case in found.cases] == ["Who?", "When?"]
    assert suites.names(tmp_path) == ["qa"]
    assert suites.names(tmp_path / "nowhere") == []


def test_a_suite_says_who_answers_and_how(tmp_path: Path) -> None:
    folder = suite(
        tmp_path,
        'model = "chat"\nsplit = "train"\nrepeat = 3\nfew_shot = 1\nexamples = "shots.jsonl"\nmax_tokens = 9\n'
        'cases = "../data/real.jsonl"\n[slices]\nbilling = "Invoices"\n',
    )
    (folder / "shots.jsonl").write_text('{"question": "Where?", "references": ["London"]}\n{"question": "Why?"}\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "real.jsonl").write_text(CASES)
    found = suites.load(tmp_path, "qa")
    assert (found.target, found.target_name, found.split, found.repeat) == ("model", "chat", "train", 3)
    assert [case.question for case in found.few_shot] == ["Where?"]
    assert (found.max_tokens, found.slices) == (9, {"billing": "Invoices"})


@pytest.mark.parametrize(
    ("toml", "what", "cure"),
    [
        ("metrics = []", "metrics: Tuple should have at least 1 item", ""),
        ('metrics = ["bleu", "bleu"]', "metrics: 'bleu' is named twice", "remove it once"),
        ('metrcs = ["bleu"]', "", "did you mean 'metrics'"),
        ("repeat = 0", "repeat: must be at least 1, got 0", "default, 1"),
        ('split = "test"', "split: must be 'train' or 'holdout', got 'test'", "default, 'holdout'"),
        ('app = "main"\nmodel = "chat"', "model: is named beside an app, got 'chat'", "remove one"),
        ("few_shot = 2", "examples: is missing", "name a file"),
        ('few_shot = 2\nexamples = "shots.jsonl"', "few_shot: must be at most the 1", "lower"),
        ('cases = "../../other.jsonl"', "cases: lies outside of the project", "copy the file"),
        ('cases = "/etc/passwd"', "cases: lies outside of the project", "copy the file"),
        ("repeat = ", "is not valid TOML", "mend that line"),
    ],
)
def test_a_fault_in_the_toml_is_told_with_file_key_and_cure(tmp_path: Path, toml: str, what: str, cure: str) -> None:
    folder = suite(tmp_path, toml)
    (folder / "shots.jsonl").write_text('{"question": "Where?", "references": ["London"]}\n')
    with pytest.raises(ConfigError) as error:
        suites.load(tmp_path, "qa")
    assert error.value.what.startswith("qa.toml")
    assert what in error.value.what
    assert cure in error.value.cure


@pytest.mark.parametrize("shot", ['{"question": "Who?", "references": "A. L."}', '{"question": "Where?"}'])
def test_examples_that_give_answers_away_or_have_none_are_refused(tmp_path: Path, shot: str) -> None:
    folder = suite(tmp_path, 'few_shot = 1\nexamples = "shots.jsonl"')
    (folder / "shots.jsonl").write_text(shot)
    with pytest.raises(ConfigError, match=r"qa\.toml: examples: '.*' (is also asked|has no answer)"):
        suites.load(tmp_path, "qa")


def test_two_cases_that_ask_the_same_are_refused(tmp_path: Path) -> None:
    suite(tmp_path, cases=CASES + '{"id": "c", "question": " When? ", "references": ["1843"]}\n')
    with pytest.raises(UserError, match="'b' and 'c' ask and expect the same; remove one"):
        suites.load(tmp_path, "qa")


def test_cases_about_one_context_are_of_one_cluster(tmp_path: Path) -> None:
    rows = ['"context": "Ada wrote."', '"context": " Ada  wrote.\\n"', '"context": "Else."', '"tags": []']
    rows.append('"context": "Ada wrote.", "cluster": "mine"')
    suite(tmp_path, cases="".join(f'{{"question": "{at}?", {row}}}\n' for at, row in enumerate(rows)))
    found = [case.cluster for case in suites.load(tmp_path, "qa").cases]
    assert found[0] == found[1] != found[2]
    assert found[0].startswith("context ")
    assert found[3:] == ["", "mine"]


def test_a_misspelt_suite_is_told(tmp_path: Path) -> None:
    suite(tmp_path, name="support")
    with pytest.raises(UserError, match=r"no suite suites/suport\.toml; did you mean 'support'"):
        suites.load(tmp_path, "suport")
    for name in ("../x", "", "a/b", ".x", "x" * 65):
        with pytest.raises(UserError, match="is no name of a suite"):
            suites.load(tmp_path, name)


@pytest.mark.parametrize("name", ["qa.drafts", "qa.Drafts"])
def test_no_suite_has_the_drafts_of_another_for_its_cases(tmp_path: Path, name: str) -> None:
    suite(tmp_path, name="qa")
    with pytest.raises(UserError, match=f"'{name}' is no name of a suite: {name}.jsonl holds the drafts"):
        suites.write(tmp_path, name, suites.Settings(metrics=("inclusion",)))
    assert drafts.path_of(tmp_path, "qa").name == "qa.drafts.jsonl"


def test_the_id_changes_with_what_decides_a_score_and_with_nothing_else(tmp_path: Path) -> None:
    def id_of(toml: str = "", cases: str = CASES) -> str:
        folder = suite(tmp_path, toml, cases=cases)
        (folder / "shots.jsonl").write_text('{"question": "Where?", "references": ["London"]}\n')
        return suites.load(tmp_path, "qa").id

    first = id_of()
    lines = CASES.splitlines(keepends=True)
    assert id_of(cases="".join(reversed(lines))) == first
    assert id_of('app = "other"') == first
    assert id_of('model = "chat"\nrepeat = 2') == first
    others = {
        first,
        id_of('metrics = ["bleu"]'),
        id_of("max_tokens = 9"),
        id_of('few_shot = 1\nexamples = "shots.jsonl"'),
        id_of(cases=lines[0]),
        id_of(cases=CASES.replace("1843", "1842")),
        id_of(cases=CASES.replace('"b"', '"b", "tags": ["x"]')),
    }
    assert len(others) == 7


def test_a_written_suite_is_read_back(tmp_path: Path) -> None:
    folder = suite(tmp_path)
    wanted = suites.Settings(
        metrics=("bleu", 'my "own"'), model="chat", split="train", slices={"a b": "tab\there \x7f", "é": "ü"}
    )
    suites.write(tmp_path, "made", wanted)
    assert suites.settings_of(tmp_path, "made") == wanted
    assert sorted(path.name for path in folder.iterdir()) == ["made.toml", "qa.jsonl", "qa.toml"]


def test_metrics_to_begin_with_fit_the_cases() -> None:
    plain = Case(id="a", question="Who?")
    chosen = Case(id="b", question="Which?", choices=("a", "b"), label="a")
    right = Case(id="c", question="Who?", references=("Ada",), sources=("a.md",))
    nothing = Case(id="d", question="Who?", answerable=False)
    assert suites.fitting([plain]) == ("faithfulness", "answer-relevance")
    assert suites.fitting([chosen]) == ("accuracy",)
    assert suites.fitting([right, nothing]) == ("exact-match", "token-f1", "hit", "mrr", "abstention")


WRITTEN = """\
metrics = ["inclusion"]
split = "train"

[freeze]  # as Ada asked for it
# short ones are noise
min_words = 3  # as of May
languages = [
  "en",  # and
  "de",
]

# what the words mean
[slices]
mail = "Post"
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_table_freeze_is_replaced_and_all_else_stays_as_it_is_written(tmp_path: Path, end: str) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(WRITTEN.replace("\n", end).encode())

    def now(**said: Any) -> str:
        return preparing.replaced(path, Freeze(**said)).replace(end, "\n")

    assert now(min_words=3, languages=("en", "de")) == WRITTEN
    other = now(min_words=4, languages=("en", "de"), redact=True)
    assert other == WRITTEN.replace("= 3 ", "= 4 ").replace("]\n\n# what", "]\nredact = true\n\n# what")
    none = now()
    assert tomllib.loads(none)["freeze"] == {}
    for line in ("[freeze]  # as Ada asked for it", "# short ones are noise", "# what the words mean\n[slices]"):
        assert line in none
    path.write_text('metrics = ["inclusion"]\n\n[freeze]\nmin_words = 3\n\n# of mail\n[slices]\nmail = "Post"\n')
    assert preparing.replaced(path, Freeze()).startswith('metrics = ["inclusion"]\n')
    assert "freeze" not in preparing.replaced(path, Freeze())
    assert "# of mail\n[slices]" in preparing.replaced(path, Freeze())
