"""What is dropped from an index, and above all what is not: by a slip of the pen, a closed door or a narrower look."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gatewheel.rag.discover
from gatewheel.kernel import config
from gatewheel.kernel.errors import ConfigError, SourceError
from gatewheel.loop.compose import Parts
from gatewheel.loop.ingest import ingest

Open = Callable[..., Parts]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """A project in tmp_path by what its file says, opened anew at each call."""
    made: list[Parts] = []

    def opened(text: str = "[sources]\npaths = ['.']\nexclude = ['gatewheel.toml']\n") -> Parts:
        (tmp_path / config.CONFIG_FILE).write_text(text)
        made.append(Parts(config.load(tmp_path / config.CONFIG_FILE)))
        return made[-1]

    yield opened
    for parts in made:
        parts.close()


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n\nThe words of {name}.\n")


def kept(parts: Parts) -> set[str]:
    return set(parts.store.files())


@pytest.mark.parametrize("wrong", ["dcos", "docs/*.mdd", "dcos/**"])
def test_a_slip_in_sources_changes_nothing(opened: Open, tmp_path: Path, wrong: str) -> None:
    write(tmp_path, "docs/a.md", "more/b.md")
    ingest(opened("[sources]\npaths = ['docs', 'more']\n"))
    parts = opened(f"[sources]\npaths = ['{wrong}', 'more']\n")
    with pytest.raises(ConfigError) as caught:
        ingest(parts)
    assert f"[sources] paths: no file matches '{wrong}'" in str(caught.value)
    assert caught.value.cure
    assert kept(parts) == {"docs/a.md", "more/b.md"}


def test_a_folder_of_sources_that_became_empty_empties_the_index(opened: Open, tmp_path: Path) -> None:
    write(tmp_path, "docs/a.md")
    ingest(opened("[sources]\npaths = ['docs']\n"))
    (tmp_path / "docs/a.md").unlink()
    parts = opened("[sources]\npaths = ['docs']\n")
    assert ingest(parts).removed == 1
    assert kept(parts) == set()


def test_with_paths_nothing_else_is_looked_at(opened: Open, tmp_path: Path) -> None:
    write(tmp_path, "sub/a.md", "other/b.md", "other/c.md", "top.md")
    parts = opened()
    ingest(parts)
    (tmp_path / "sub/a.md").unlink()
    (tmp_path / "other/b.md").unlink()
    result = ingest(parts, [str(tmp_path / "other")])
    assert (result.removed, result.unchanged) == (1, 1)
    assert kept(parts) == {"sub/a.md", "other/c.md", "top.md"}
    (tmp_path / "other/c.md").unlink()
    assert ingest(parts, ["other"]).removed == 1
    ingest(parts)
    assert kept(parts) == {"top.md"}


def test_the_good_paths_are_read_though_one_is_not_there(opened: Open, tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.md")
    parts = opened()
    result = ingest(parts, ["a.md", "nope.md"])
    assert kept(parts) == {"a.md"}
    assert [(one.source, one.reason) for one in result.skipped] == [
        ("nope.md", "no file matches it; check the spelling")
    ]
    with pytest.raises(SourceError, match=r"^nope\.md: no file matches it; check the spelling$"):
        ingest(parts, ["nope.md"])


def test_what_lies_in_a_folder_that_cannot_be_listed_stays(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "closed/deep/a.md", "open/b.md", "open/c.md")
    parts = opened()
    ingest(parts)
    (tmp_path / "open/c.md").unlink()
    closed = tmp_path / "closed"
    listed, looked = os.scandir, Path.stat

    # chmod would do, if tests were never run by root, who may list everything
    def scandir(path: Path) -> object:
        if Path(path).is_relative_to(closed):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if closed in path.parents:
            raise PermissionError(13, "Permission denied")
        return looked(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(gatewheel.rag.discover.os, "scandir", scandir)
    result = ingest(parts)  # listing is denied, looking at a file of a known name is not
    assert [one.source for one in result.skipped] == ["closed"]
    assert "no permission" in result.skipped[0].reason
    assert kept(parts) == {"closed/deep/a.md", "open/b.md"}
    monkeypatch.setattr(Path, "stat", stat)
    ingest(parts)
    ingest(parts, ["closed", "open"])
    assert kept(parts) == {"closed/deep/a.md", "open/b.md"}


def test_only_the_present_index_is_on_the_disk(opened: Open, tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    ingest(opened())
    [before] = (tmp_path / ".gatewheel/index").iterdir()
    (before.parent / "exact-0123456789abcdef").mkdir()
    ingest(opened("[index.main]\nuse = 'faiss'\n"))
    [after] = before.parent.iterdir()
    assert after.name.startswith("faiss-")


def test_an_empty_project_can_be_ingested(opened: Open) -> None:
    assert ingest(opened()).documents == 0


def test_what_is_kept_is_for_its_owner_alone(opened: Open, tmp_path: Path) -> None:
    ingest(opened())
    assert (tmp_path / ".gatewheel").stat().st_mode & 0o777 == 0o700


def test_settings_for_this_once_leave_the_others_as_the_file_says(opened: Open) -> None:
    parts = opened("[reader.jsonl]\ntitle_field = 'name'\n[reader.pdf]\npassword_env = 'PDF_KEY'\n")
    once = parts.with_settings("reader", "jsonl", {"text_field": "body"})
    settings = once.config.table("reader", "jsonl").plain()
    assert (settings["title_field"], settings["text_field"]) == ("name", "body")
    assert once.config.table("reader", "pdf") == parts.config.table("reader", "pdf")
    assert parts.with_settings("reader", "text", {}) is parts
