"""A kept variant is put to work again as it was, whatever the file says by now; where it cannot be, that is told."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import ProjectError
from gatewheel.kernel.nouns import Variant
from gatewheel.loop import variants
from gatewheel.loop.compose import Parts, digest
from gatewheel.loop.releasing import as_variant
from gatewheel.loop.serving import as_served, shared
from gatewheel.models import measure

TWO = """
[model.chat]
use = "fallback"
models = ["near", "far"]
cooldown = 5

[model.near]
use = "openai"
model = "small"
base_url = "http://localhost:9/v1"
api_key_env = "NEAR_KEY"
input_price = 0.5
output_price = 1.5

[model.far]
use = "openai"
model = "large"
base_url = "http://localhost:10/v1"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    gw.init(tmp_path).close()
    return tmp_path


def opened(home: Path, toml: str) -> Parts:
    (home / CONFIG_FILE).write_text(toml)
    return gw.open(home).parts


def test_all_that_decides_words_comes_back_and_the_rest_is_of_the_file(home: Path) -> None:
    first = opened(home, TWO + '[app.main]\nbudget = 77\nabstention = "No."\n[retriever.main]\nuse = "bm25"\n')
    variant = first.keep_variant()
    (home / "prompts" / "answer.md").write_text("Changed: {{ question }}")
    changed = (
        TWO.replace('"near", "far"', '"far", "near"').replace("0.5", "0.7").replace("cooldown = 5", "cooldown = 9")
    )
    now = opened(home, changed + '[app.main]\nmodel = "other"\n[model.other]\nuse = "llama.cpp"\n')
    assert now.variant().id != variant.id
    made = as_variant(now, "main", variant)
    assert made.variant() == variant
    app: Any = made.config.table("app", "main").settings
    assert (app.budget, app.abstention, made.config.table("retriever", "main").use) == (77, "No.", "bm25")
    fallback: Any = made.config.table("model", app.model).settings
    near, far = (made.config.table("model", name).settings for name in fallback.models)
    assert (near.model, near.api_key_env, near.input_price, far.model) == ("small", "NEAR_KEY", 0.7, "large")  # type: ignore[attr-defined]
    assert fallback.cooldown == 9
    assert made.app().prompt.render(question="?", passages=[], history=[])[-1].content != "Changed: ?"
    for parts in (first, now):
        parts.close()


def test_an_automatic_choice_stays_what_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = opened(home, '[model.chat]\nuse = "auto"\ncontext_length = 1024\n')
    monkeypatch.setattr(measure, "choose", lambda *_, **__: ("openvino", {}))
    variant = parts.keep_variant()
    assert variant.recipe["model"]["engine"] == "openvino"
    monkeypatch.setattr(measure, "choose", lambda *_, **__: ("llama.cpp", {}))
    with as_served(parts) as served:
        made = as_variant(served, "main", variant)
        table = made.config.table("model", "chat")
        assert (table.use, made.variant().id) == ("openvino", variant.id)
        assert shared(made.config) is made.config, "what serves does not change it again"
    parts.close()


def test_a_setting_that_came_later_makes_no_difference_and_one_that_is_gone_does(home: Path) -> None:
    parts = opened(home, "")
    now = parts.keep_variant()
    older = copy.deepcopy(dict(now.recipe))
    del older["app"]["repetition_penalty"]
    older = Variant(id=digest(older), recipe=older)
    assert as_variant(parts, "main", older).variant().id == older.id
    gone = {**now.recipe, "app": {**now.recipe["app"], "charm": 11}}
    with pytest.raises(ProjectError, match=r"cannot be made again: .*charm: is not a setting"):
        as_variant(parts, "main", replace(now, recipe=gone))
    parts.close()


def test_other_weights_under_the_same_name_are_told(home: Path) -> None:
    parts = opened(home, '[model.chat]\nuse = "llama.cpp"\n')
    now = parts.keep_variant()
    other = {**now.recipe, "model": {**now.recipe["model"], "weights_sha256": "0" * 64}}
    with pytest.raises(ProjectError, match=r"cannot be made again: model.weights_sha256 differ by now"):
        as_variant(parts, "main", replace(now, recipe=other))
    parts.close()


def test_a_prompt_that_was_kept_from_another_folder_is_read_from_the_database(home: Path) -> None:
    parts = opened(home, "")
    variant = parts.keep_variant()
    parts.objects.path(str(variant.recipe["prompt"])).unlink()
    (home / "prompts" / "answer.md").write_text("Changed: {{ question }}")
    now = opened(home, "")
    assert as_variant(now, "main", variants.get(now.engine, variant.id)).variant() == variant
    for one in (parts, now):
        one.close()


def test_a_model_alone_is_no_application(home: Path) -> None:
    parts = opened(home, "")
    with pytest.raises(ProjectError, match="is a model alone"):
        as_variant(parts, "main", Variant(id="a" * 64, recipe={"model": {}, "prompt": "b" * 64}))
    parts.close()
