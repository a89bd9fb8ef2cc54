"""From the name in a suite to the metric."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from answering import answer, case, hits
from gatewheel.evals import resolve
from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, validate
from gatewheel.kernel.errors import ConfigError


def project(root: Path, **tables: Any) -> Config:
    return validate({"metric": tables}, root / "gatewheel.toml")


def test_a_name_of_the_catalog_needs_no_table(tmp_path: Path) -> None:
    config = validate({}, tmp_path / "gatewheel.toml")
    assert resolve.metric(config, "token-f1").score(case("two wheels"), answer("wheels")) == pytest.approx(2 / 3)


def test_a_table_goes_before_the_catalog(tmp_path: Path) -> None:
    config = project(tmp_path, hit={"use": "hit", "k": 3}, first={"use": "hit", "k": 1})
    said = answer("", passages=hits("x", "a"))
    one = case(sources=("a",))
    assert resolve.metric(config, "hit").score(one, said) == 1
    assert resolve.metric(config, "first").score(one, said) == 0


def test_a_misspelt_name_gets_the_nearest(tmp_path: Path) -> None:
    config = project(tmp_path, brevity={"use": "tokens"})
    with pytest.raises(ConfigError, match=r"no metric named 'token-f2'; did you mean 'token-f1'\?"):
        resolve.metric(config, "token-f2")
    with pytest.raises(ConfigError, match=r"did you mean 'brevity'\?"):
        resolve.metric(config, "brevty")
    with pytest.raises(ConfigError, match=r"\[metric.own\] use: no metric named 'pyton'; did you mean 'python'"):
        project(tmp_path, own={"use": "pyton"})
    with pytest.raises(ConfigError, match=r"\[metric.hit\] k: must be at least 1, got 0"):
        project(tmp_path, hit={"use": "hit", "k": 0})
    with pytest.raises(ConfigError, match=r"\[metric.python\] function: Field required"):
        resolve.metric(validate({}, tmp_path / "gatewheel.toml"), "python")


def test_only_what_a_metric_asks_for_is_built_and_handed_in(tmp_path: Path) -> None:
    config = validate({}, tmp_path / "gatewheel.toml")
    assert resolve.needs(config, ["exact-match", "seconds", "json-schema"]) == set()
    assert resolve.needs(config, ["answer-relevance", "faithfulness", "bleu"]) == {"encoder", "checker", "sentences"}
    with pytest.raises(ConfigError, match="no metric named 'nothing'"):
        resolve.needs(config, ["nothing"])
    assert resolve.metric(config, "exact-match", encoder=object(), checker=object()).bounds == (0, 1)


def test_a_recipe_changes_with_settings_and_with_the_files_that_they_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    function, schema = tmp_path / "metric_that_changes.py", tmp_path / "any.json"
    tables = {
        "own": {"use": "python", "function": "metric_that_changes:own"},
        "shaped": {"use": "json-schema", "file": "any.json"},
        "first": {"use": "hit", "k": 1},
    }
    config = project(tmp_path, **tables)
    seen = {name: [resolve.recipe(config, name)] for name in tables}  # neither file is there yet
    for text in ("1", "2"):
        function.write_text(text, encoding="utf-8")
        schema.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        for name in tables:
            seen[name].append(resolve.recipe(config, name))
    assert seen["first"] == [{"use": "hit", "k": 1, "files": []}] * 3
    for name in ("own", "shaped"):
        assert len({str(one) for one in seen[name]}) == 3
    assert resolve.recipe(validate({}, tmp_path / "gatewheel.toml"), "hit") != seen["first"][0]


def test_a_plugin_that_takes_all_parts_gets_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_of_a_metric.py").write_text(
        "from gatewheel.evals.metrics.mean import Mean, Settings\n"
        "def create(settings, **parts):\n"
        "    return Mean(lambda case, answer: float(len(parts)))\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(catalog.CATALOG["metric"], "plugged", "plugin_of_a_metric")
    catalog.names.cache_clear()
    config = validate({}, tmp_path / "gatewheel.toml")
    assert resolve.metric(config, "plugged", encoder=1, checker=2).score(case(), answer("")) == 3  # the root as well
    assert resolve.needs(config, ["plugged"]) == set()
    monkeypatch.undo()
    catalog.names.cache_clear()


def test_the_project_folder_is_where_functions_and_schemas_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    (tmp_path / "metrics_of_a_project.py").write_text("def own(case, answer):\n    return 0.5\n", encoding="utf-8")
    (tmp_path / "any.json").write_text("{}", encoding="utf-8")
    config = project(
        tmp_path,
        own={"use": "python", "function": "metrics_of_a_project:own"},
        shaped={"use": "json-schema", "file": "any.json"},
    )
    assert resolve.metric(config, "own").score(case(), answer("x")) == 0.5
    assert resolve.metric(config, "shaped").score(case(), answer("3")) == 1
