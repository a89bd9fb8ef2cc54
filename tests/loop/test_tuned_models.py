"""Models of the tuning API: seen by whom they may be, found by their names, refused where they learned too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_llama
from sqlalchemy import Engine, insert

import gatewheel as gw
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import ProjectError, UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.kernel.store.database import open_database
from gatewheel.kernel.store.learning import taints, tuned_models
from gatewheel.loop import adding, exporting
from gatewheel.loop.tuned_models import TunedModel, TunedModels, find, keep, listed, remove
from gatewheel.models import adapters
from gatewheel.models.dense import open_dense
from gatewheel.models.exporting import export

OWNER, EVERY = Caller(), Caller(key="e", scopes=("ask",), groups=None)
HR, SALES = (Caller(key=name, scopes=("ask",), groups=frozenset({name})) for name in ("hr", "sales"))
ROW = {"created": 1.0, "run": "r", "adapter": "a" * 64, "model": "chat", "kind": "lora"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(tmp_path)
    with made.begin() as connection:
        for name, key, is_open in (("ft:chat:all:1", "e", True), ("ft:chat:hr:2", "hr", False)):
            connection.execute(insert(tuned_models).values(**ROW, name=name, key=key, open=is_open))
    yield made
    made.dispose()


@pytest.mark.parametrize(("caller", "seen"), [(OWNER, 2), (EVERY, 2), (HR, 2), (SALES, 1)])
def test_a_model_of_somebody_who_sees_less_is_for_them_and_for_who_sees_all(
    engine: Engine, caller: Caller, seen: int
) -> None:
    assert len(listed(engine, caller)) == seen
    assert (find(engine, "ft:chat:hr:2", caller) is not None) == (seen == 2)


def test_only_its_key_and_who_sees_all_delete_it(engine: Engine) -> None:
    assert not remove(engine, "ft:chat:hr:2", SALES)
    assert not remove(engine, "ft:chat:all:1", HR)
    assert remove(engine, "ft:chat:hr:2", HR)
    assert not remove(engine, "ft:chat:hr:2", HR)
    assert remove(engine, "ft:chat:all:1", OWNER)


@pytest.mark.parametrize("name", ["", "ft:chat:all:", "ft:chat:all:1\0", "\ud800", "%"])
def test_what_is_no_name_of_one_finds_none(engine: Engine, name: str) -> None:
    assert find(engine, name, OWNER) is None
    assert not remove(engine, name, OWNER)


def test_one_that_learned_of_what_was_forgotten_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        row = {"kind": "artifact", "ref": "a" * 64, "reason": "document a.md was forgotten", "created": 0.0}
        connection.execute(insert(taints).values(**row))
    with pytest.raises(UserError, match=r"a\.md was forgotten"):
        find(engine, "ft:chat:all:1", OWNER)


def test_one_beside_its_base_answers_no_more_once_other_weights_have_its_name(tmp_path: Path) -> None:
    dense, file = open_dense(tiny_llama.folder(tmp_path / "base")), tmp_path / "base.gguf"
    export(dense, file, kind="F32")
    gw.init(tmp_path).close()
    toml = f'[encoder.main]\nuse = "none"\n[model.chat]\nuse = "llama.cpp"\nweights = "{file}"\n'
    (tmp_path / CONFIG_FILE).write_text(toml + '[app.main]\nuse = "direct"\nprompt = "answer"\n')
    adapters.write(tiny_llama.adapter(dense.shape), tmp_path / "theirs")
    with gw.open(tmp_path) as project:
        parts = project.parts
        adapter = adding.adopt(parts, tmp_path / "theirs")
        name = {kind: f"ft:chat:{kind}:1" for kind in ("lora", "Q8_0")}
        for kind in name:
            about: dict[str, Any] = {"key": "", "open": True, "created": 1.0, "run": "r", "model": "chat"}
            keep(parts, TunedModel(name=name[kind], adapter=adapter.id, kind=kind, **about))
        models = TunedModels(parts)
        with models.serving(name["lora"]):
            models.forget(name["lora"])
        export(dense, file, kind="Q8_0")  # of the same shape, as another package of the weights would be
        with pytest.raises(ProjectError, match=r"the weights .*base\.gguf are .* was trained on"):
            models.serving(name["lora"]).__enter__()
        with pytest.raises(ProjectError, match="restore them, or tune again"):
            adding.add(parts, adapter.id, kind="lora")
        with models.serving(name["Q8_0"]):
            pass  # merged weights are whole without their base
        with pytest.raises(ProjectError, match="restore them, or tune again"):
            exporting.gguf_of(parts, adapter, kind="Q4_0")
        models.close()
