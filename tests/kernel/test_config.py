"""A wrong gatewheel.toml is told by file, table, key, value and cure; a right one says the same when written out."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.kernel import catalog, config
from gatewheel.kernel.errors import ConfigError

HERE = Path("/project/gatewheel.toml")


def loaded(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "gatewheel.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


@pytest.mark.parametrize(
    ("text", "what", "cure"),
    [
        ("[model.chat]\nuse = openai\n", "gatewheel.toml is not valid TOML", "line 2"),
        ("[trace]\nstore = 1\n[trace]\n", "gatewheel.toml is not valid TOML", "mend"),
        ("a = " + "1" * 5000, "gatewheel.toml is not valid TOML", "mend"),
        ("a = " + "[" * 5000, "gatewheel.toml is not valid TOML", "mend"),
        ("[retriver.main]\nuse = 'hybrid'\n", "[retriver] is not a table", "did you mean 'retriever'?"),
        ("name = 'x'\n", "[name] is not a table", "known: "),
        ("project = 3\n", "project: must be a table, got 3", "write [project]"),
        ("[retriever]\nmain = 3\n", "[retriever.main]: must be a table, got 3", "write [retriever.main]"),
        ("[model.chat]\nuse = 'llamacp'\n", "[model.chat] use: no model named 'llamacp'", "did you mean 'llama.cpp'?"),
        ("[retriever.main]\nuse = 7\n", "[retriever.main] use: no retriever named '7'", "bm25, dense, hybrid"),
        ("[retriever.second]\ndepth = 5\n", "[retriever.second] use: is missing", "one of: bm25, dense, hybrid"),
        ("[retriever.main]\ndept = 5\n", "[retriever.main] dept: is not a setting", "did you mean 'depth'?"),
        ("[retriever.main]\ndepth = 0\n", "[retriever.main] depth: must be at least 1, got 0", "the default, 100"),
        ("[retriever.main]\ndepth = 10_001\n", "depth: must be at most 10000, got 10001", "the default, 100"),
        ("[retriever.main]\ndepth = 'many'\n", "[retriever.main] depth: must be a valid integer", "got 'many'"),
        ("[retriever.main]\ndense_weight = nan\n", "[retriever.main] dense_weight: must be", "the default, 0.5"),
        ("[retriever.main]\nfusion = 'sum'\n", "fusion: must be 'rrf' or 'minmax', got 'sum'", "the default, 'minmax'"),
        ("[sources]\npaths = 'docs'\n", "[sources] paths: must be a valid tuple, got 'docs'", "the default, ('.',)"),
        ("[sources]\npaths = ['docs', 3]\n", "[sources] paths.1: must be a valid string, got 3", "('.',)"),
        ("[store]\nlanguage = 'germn'\n", "[store] language: has no stemmer, got 'germn'", "did you mean 'german'?"),
        ("[trace]\nstor = true\n", "[trace] stor: is not a setting", "did you mean 'store'?"),
        ("[app.main]\nretriever = 'mian'\n", "[app.main] retriever: no [retriever.mian]", "did you mean 'main'?"),
        ("[app.main]\nmodel = 'zzz'\n", "[app.main] model: no [model.zzz]", "known: chat"),
    ],
)
def test_an_error_names_file_table_key_value_and_cure(tmp_path: Path, text: str, what: str, cure: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    message = str(caught.value)
    assert "gatewheel.toml" in message
    assert what in message
    assert cure in message
    assert caught.value.cure
    assert "pydantic" not in message
    assert "\n" not in message[:200]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@host/name",
        "postgresql+psycopg://me:s3cret@host:5432/name?sslmode=require",
        "postgresql://host/name?user=me&password=s3cret",
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"[store]\nurl = '{url}'\n")
    assert "[store] url: must not hold a password" in str(caught.value)
    assert "GATEWHEEL_STORE_URL" in caught.value.cure
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "postgresql://me@host/name", "sqlite:////tmp/some.db", "no url at all"])
def test_a_url_without_a_password_may_stand_there(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, f"[store]\nurl = '{url}'\nlanguage = 'german'\n").store.url == url


def test_bytes_that_are_not_utf_8_and_a_folder_are_told(tmp_path: Path) -> None:
    path = tmp_path / "gatewheel.toml"
    path.write_bytes(b"[project]\nname = '\xff'\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.load(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "folder")


def test_the_nearest_file_upwards_counts(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "gatewheel.toml").touch()
    (tmp_path / "a" / "gatewheel.toml").touch()
    assert config.find(deep) == tmp_path / "a" / "gatewheel.toml"
    with pytest.raises(ConfigError, match="gatewheel init"):
        config.find(Path("/"))


def test_an_empty_file_is_a_whole_project(tmp_path: Path) -> None:
    one = loaded(tmp_path, "")
    assert one.root == tmp_path
    assert one.state == tmp_path / ".gatewheel"
    assert one.sources.paths == (".",)
    assert one.trace.store is True
    assert one.table("retriever", "main").use == "hybrid"
    assert sorted(one.names("reader")) == sorted(catalog.CATALOG["reader"])
    kinds = {*catalog.CATALOG} - {"gate", "metric"}  # these have a table only where somebody writes one
    assert set(one.plain()) == {"project", "sources", "trace", "store", "serve", "access", "scale", *kinds}


def test_a_table_without_use_changes_the_default_and_another_stands_beside_it(tmp_path: Path) -> None:
    one = loaded(tmp_path, "[retriever.main]\ndepth = 9\n[retriever.words]\nuse = 'bm25'\n")
    assert one.table("retriever", "main").plain()["depth"] == 9
    assert one.names("retriever") == ["main", "words"]
    with pytest.raises(ConfigError, match=r"no \[retriever.word\]; did you mean 'words'"):
        one.table("retriever", "word")


def test_an_unknown_kind_and_name_of_part() -> None:
    with pytest.raises(ConfigError, match="no kind of part named 'modle'; did you mean 'model'"):
        catalog.names("modle")
    with pytest.raises(ConfigError, match="no index named 'exat'; did you mean 'exact'"):
        catalog.load("index", "exat")


NAMES = st.text("abcxyz-_.é", min_size=1, max_size=8)
RETRIEVERS = st.one_of(
    st.just({"use": "bm25"}),
    st.fixed_dictionaries(
        {"use": st.just("hybrid")},
        optional={
            "fusion": st.sampled_from(["rrf", "minmax"]),
            "depth": st.integers(1, 10_000),
            "dense_weight": st.floats(0, 1),
        },
    ),
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "project": st.fixed_dictionaries({"name": st.text(max_size=8)}),
        "sources": st.fixed_dictionaries(
            {}, optional={"paths": st.lists(st.text(max_size=8)), "max_file_mb": st.integers(1, 10**9)}
        ),
        "trace": st.fixed_dictionaries({"store": st.booleans()}),
        "retriever": st.dictionaries(NAMES, RETRIEVERS, max_size=3),
        "chunker": st.fixed_dictionaries({"main": st.sampled_from([{"use": n} for n in catalog.CATALOG["chunker"]])}),
        "app": st.fixed_dictionaries({"main": st.fixed_dictionaries({"passages": st.integers(1, 100)})}),
    },
)


@given(raw=FILES)
def test_a_configuration_written_out_is_the_same_configuration(raw: dict[str, Any]) -> None:
    one = config.validate(raw, HERE)
    plain = one.plain()
    again = config.validate(json.loads(json.dumps(plain)), HERE)
    assert again == one
    assert again.plain() == plain


SCALARS = st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=5), st.none())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2))


@given(
    raw=st.dictionaries(
        st.sampled_from([*catalog.CATALOG, "project", "sources", "trace", "store", "nothing"]),
        VALUES | st.dictionaries(st.sampled_from(["main", "chat", "x"]), VALUES, max_size=2),
        max_size=3,
    )
)
def test_whatever_stands_in_it_only_a_config_error_comes_out(raw: dict[str, Any]) -> None:
    with suppress(ConfigError):
        config.validate(raw, HERE)
