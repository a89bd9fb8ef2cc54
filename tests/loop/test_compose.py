"""A variant is all that decides an answer, and what the project holds is not taken for what its file says."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import text

import gatewheel as gw
from gatewheel.kernel import config as configuration
from gatewheel.kernel.config import CONFIG_FILE, Config, Table, references
from gatewheel.kernel.errors import ConfigError, GatewheelError, PromptError
from gatewheel.loop import soundness
from gatewheel.loop.compose import WORDLESS, Parts
from gatewheel.loop.starting import init
from gatewheel.models import measure
from gatewheel.models.measure import Figures
from gatewheel.models.weights import DEFAULT

ENDPOINT = {"use": "openai", "model": "m", "base_url": "http://localhost:9", "input_price": 1.0, "output_price": 1.0}
BY_WORDS = '[encoder.main]\nuse = "none"\n'
SHORT = '[sources]\npaths = ["*.md"]\n[app.main]\nmode = "draft"\nmax_tokens = 4\n'
QUOTING = '[app.main]\nmode = "quote"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init(tmp_path)
    (tmp_path / "prompts" / "other.md").write_text("Other: {{ question }}")
    (tmp_path / "a.md").write_text("# Door\n\nThe code of the door is 4711.\n")
    return tmp_path


def write(home: Path, toml: str) -> Path:
    (home / CONFIG_FILE).write_text(toml)
    return home


def other_values(table: Table, key: str) -> list[Any]:
    """Values to try for a setting, some of which it does not take."""
    value = getattr(table.settings, key)
    literals = get_args(type(table.settings).model_fields[key].annotation)
    numbers = [value + 1, value - 1, value / 2] if isinstance(value, int | float) else []
    return [one for one in (*literals, not value, *numbers, "other", ["other"]) if one != value]


def changed(config: Config, table: Table, key: str) -> Config | None:
    """The configuration with another value of one setting; None when no value that we know of is taken."""
    for value in other_values(table, key):
        plain = copy.deepcopy(config.plain())
        plain[table.kind][table.name][key] = value
        try:
            return configuration.validate(plain, config.path)
        except GatewheelError:
            continue
    return None


@pytest.mark.parametrize("model", [ENDPOINT, {"use": "llama.cpp"}], ids=["openai", "llama.cpp"])
def test_every_setting_that_may_change_an_answer_changes_the_variant(home: Path, model: dict[str, Any]) -> None:
    config = configuration.validate({"model": {"chat": model}}, home / CONFIG_FILE)
    first, tried = Parts(config).variant(), 0
    for table in (table for table in config.tables.values() if table.kind != "finetune"):
        named = references(table.settings).keys() | {"weights", "adapter"}
        for key in type(table.settings).model_fields.keys() - named:
            if now := changed(config, table, key):
                same = Parts(now).variant().id == first.id
                assert same == (key in WORDLESS), f"[{table.kind}.{table.name}] {key}"
                tried += 1
    assert tried > 30
    for raw in ({"store": {"language": "german"}}, {"index": {"main": {"use": "faiss"}}}):
        now = configuration.validate({"model": {"chat": model}, **raw}, home / CONFIG_FILE)
        assert Parts(now).variant().id != first.id, raw


def test_a_setting_that_came_later_makes_no_other_variant_until_it_is_used(home: Path) -> None:
    def recipe(**said: Any) -> dict[str, Any]:
        model = {"use": "llama.cpp", **said}
        return Parts(configuration.validate({"model": {"chat": model}}, home / CONFIG_FILE)).variant().recipe["model"]

    assert "adapter" not in recipe()
    assert recipe(adapter_scale=0.5)["adapter_scale"] == 0.5


def test_the_variant_names_the_engine_that_answered(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GATEWHEEL_CACHE", str(cache))
    (cache / "openvino").write_text("in the way of the conversion")
    for engine, load in (("openvino", 0.1), ("llama.cpp", 9.0)):
        figures = Figures(engine=engine, version="1", load=load, prefill=500.0, decode=50.0)
        measure._remember(figures, DEFAULT, 0)
    with gw.open(write(home, BY_WORDS + SHORT)) as project:
        project.ingest()
        assert project.variant().recipe["model"]["engine"] == "openvino"
        answer = project.ask("What is the code of the door?")
        assert project.variant().recipe["model"]["engine"] == "llama.cpp"
        assert answer.variant == project.variant().id == project.traces()[0].variant
    assert measure.choose(DEFAULT)[0] == "llama.cpp"
    ledger = json.loads((cache / "machine.json").read_text())
    assert [entry["failed"] <= time.time() for entry in ledger.values() if entry["error"]] == [True]


@pytest.mark.parametrize("later", ['[chunker.main]\nuse = "fixed"\n', '[store]\nlanguage = "german"\n'])
def test_an_index_that_other_settings_made_is_told(home: Path, later: str) -> None:
    told: list[str] = []
    with gw.open(write(home, BY_WORDS), say=told.append) as project:
        project.ingest()
        project.search("door")
    assert told == []
    with gw.open(write(home, BY_WORDS + later), say=told.append) as project:
        project.search("door")
        project.search("code")
        assert [line.endswith("run `gatewheel ingest`") for line in told] == [True]
        project.ingest()
        project.search("door")
        assert len(told) == 1


def test_an_outdated_file_outside_the_sources_is_named(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "b.md"
    outside.write_text("The key lies in the cellar.")
    with gw.open(write(home, BY_WORDS)) as project:
        project.ingest([str(outside)])
    with gw.open(write(home, BY_WORDS + '[chunker.main]\nuse = "fixed"\n')) as project:
        found = soundness.outdated(project.parts)
        assert found
        assert "b.md" in found.cure


def test_a_process_that_lives_long_finds_what_another_has_ingested(home: Path) -> None:
    with gw.open(write(home, '[retriever.main]\nuse = "dense"\n')) as project:
        project.ingest()
        assert next(hit.passage.source for hit in project.search("Where is the key?")) != "b.md"
        (home / "b.md").write_text("The key lies in the cellar.")
        with gw.open(home) as other:
            other.ingest()
        assert next(hit.passage.source for hit in project.search("Where is the key?")) == "b.md"


def test_a_trace_that_cannot_be_kept_costs_a_note_not_the_answer(home: Path) -> None:
    told: list[str] = []
    with gw.open(write(home, BY_WORDS + QUOTING), say=told.append) as project:
        project.ingest()
        with project.parts.engine.begin() as connection:
            connection.execute(text("DROP TABLE traces"))
        answer = project.ask("What is the code of the door?")
    assert "4711" in answer.answer
    assert not answer.trace
    assert "the trace was not kept" in told[-1]
    assert "no such table" in told[-1]


def test_dense_retrieval_without_vectors_is_refused(home: Path) -> None:
    with gw.open(write(home, BY_WORDS + '[retriever.other]\nuse = "dense"\n')) as project:
        with pytest.raises(ConfigError, match=r"\[retriever.other\] use: 'dense' needs vectors"):
            soundness.check(project.parts)
        project.search("door")
        with pytest.raises(ConfigError, match="needs vectors"):
            project.search("door", retriever="other")


@pytest.mark.parametrize(
    "fault",
    [
        "{% for passage in passages %}{{ passage.txt }}{% endfor %}",
        "{% for turn in history %}{{ turn.said }}{% endfor %}",
        "{% if not history %}{{ none_such }}{% endif %}",
    ],
)
def test_a_prompt_that_fails_only_with_passages_or_turns_fails_the_check(home: Path, fault: str) -> None:
    with gw.open(write(home, BY_WORDS)) as project:
        soundness.check(project.parts)
        (home / "prompts" / "answer.md").write_text(fault)
        with pytest.raises(PromptError, match="does not render"):
            soundness.check(project.parts)
