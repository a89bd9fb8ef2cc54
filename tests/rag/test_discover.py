"""What the patterns of a user lead to, and a clear line for every file that is left out."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.kernel.nouns import Refusal
from gatewheel.rag.discover import Candidate, at_or_below, discover, format_of
from gatewheel.rag.globs import Globs


def put(root: Path, *names: str, data: bytes = b"words\n") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def sources(root: Path, *patterns: str, **options: object) -> list[str]:
    found = discover(patterns, root=root, **options)  # type: ignore[arg-type]
    return [each.source for each in found if isinstance(each, Candidate)]


def reasons(root: Path, *patterns: str, **options: object) -> dict[str, str]:
    found = discover(patterns, root=root, **options)  # type: ignore[arg-type]
    return {each.source: each.reason for each in found if isinstance(each, Refusal)}


def test_a_folder_is_walked_in_order_without_hidden_and_tool_folders(tmp_path: Path) -> None:
    put(tmp_path, "b.md", "a/z.md", "a/c.md", ".git/x.md", ".gatewheel/x.md", "node_modules/x.md", ".venv/x.md")
    put(tmp_path, "a/__pycache__/x.md", ".env")
    assert sources(tmp_path, ".") == ["a/c.md", "a/z.md", "b.md"]
    assert sources(tmp_path, ".git", ".env") == [".env", ".git/x.md"]


def test_the_same_file_by_several_patterns_is_read_once(tmp_path: Path) -> None:
    put(tmp_path, "docs/a.md", "docs/b.md")
    assert sources(tmp_path, "docs", "docs/a.md", "docs/*.md", str(tmp_path / "docs")) == ["docs/a.md", "docs/b.md"]
    assert reasons(tmp_path, "docs", "docs/*.md") == {}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.md", ["top.md"]),
        ("**/*.md", ["docs/a.md", "docs/deep/b.md", "top.md"]),
        ("docs/**", ["docs/a.md", "docs/deep/b.md", "docs/deep/c.txt"]),
        ("docs/*/?.txt", ["docs/deep/c.txt"]),
        ("d*/[ab].md", ["docs/a.md"]),
        ("docs/**/[!a].md", ["docs/deep/b.md"]),
    ],
)
def test_globs(pattern: str, expected: list[str], tmp_path: Path) -> None:
    put(tmp_path, "top.md", "docs/a.md", "docs/deep/b.md", "docs/deep/c.txt")
    assert sources(tmp_path, pattern) == expected
    assert sources(tmp_path, str(tmp_path / pattern)) == expected


@pytest.mark.parametrize("exclude", ["drafts", "drafts/", "docs/drafts", "docs/drafts/**", "*.tmp.md", "x*"])
def test_excludes(exclude: str, tmp_path: Path) -> None:
    put(tmp_path, "docs/a.md", "docs/drafts/x.tmp.md")
    assert sources(tmp_path, ".", exclude=[exclude]) == ["docs/a.md"]


def test_what_is_outside_the_root_has_an_absolute_source(tmp_path: Path) -> None:
    put(tmp_path, "project/a.md", "other/b.md")
    other = str(tmp_path / "other/b.md")
    assert sources(tmp_path / "project", "../other", "a.md") == sorted(["a.md", other])


def test_a_name_that_matches_nothing(tmp_path: Path) -> None:
    assert reasons(tmp_path, "nope.md") == {"nope.md": "no file matches it; check the spelling"}
    assert reasons(tmp_path, "nope/**/*.md")["nope/**/*.md"].startswith("no file matches it; ")


def test_a_virtual_environment_is_passed_over_unless_it_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a.md", "env/pyvenv.cfg", "env/lib/b.md")
    assert sources(tmp_path, ".") == ["a.md"]
    assert "env/lib/b.md" in sources(tmp_path, "env")
    assert "lib/b.md" in sources(tmp_path / "env", ".")


@pytest.mark.parametrize(
    ("pattern", "source", "covered"),
    [
        ("docs", "docs/a.md", True),
        ("./docs/", "docs/deep/a.md", True),
        ("docs/a.md", "docs/a.md", True),
        ("docs", "docs2/a.md", False),
        ("docs/*.md", "docs/a.md", True),
        ("docs/*.md", "docs/deep/a.md", False),
        ("docs/**/*.md", "docs/deep/a.md", True),
        ("../other", "/home/other/a.md", True),
        ("/home/project/docs", "docs/a.md", True),
        ("notes [old]", "notes [old]/a.md", True),
    ],
)
def test_what_a_pattern_covers_though_it_may_be_gone(pattern: str, source: str, covered: bool) -> None:
    assert at_or_below([pattern], root=Path("/home/project"))(source) is covered


def test_a_name_with_glob_signs_is_a_name_first(tmp_path: Path) -> None:
    put(tmp_path, "notes [old].md")
    assert sources(tmp_path, "notes [old].md") == ["notes [old].md"]


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    put(tmp_path, "docs/a.md")
    (tmp_path / "docs/up").symlink_to(tmp_path)
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert sources(tmp_path, ".") == ["docs/a.md"]
    found = reasons(tmp_path, ".")
    assert set(found) == {"docs/up", "one"} or set(found) == {"docs/up", "one", "two"}
    assert all("leads back to itself" in reason for reason in found.values())


def test_many_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    names = [f"d{number}" for number in range(12)]
    for name in names:
        put(tmp_path, f"{name}/{name}.md")
        for other in names:
            (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other)
    assert sources(tmp_path, ".") == sorted(f"{name}/{name}.md" for name in names)


def test_a_file_by_a_link_and_by_its_name_keeps_its_name(tmp_path: Path) -> None:
    put(tmp_path, "z/real.md")
    (tmp_path / "a-link.md").symlink_to(tmp_path / "z/real.md")
    (tmp_path / "a-folder").symlink_to(tmp_path / "z")
    assert sources(tmp_path, ".") == ["z/real.md"]
    assert sources(tmp_path, "a-link.md") == ["a-link.md"]
    assert sources(tmp_path, "a-folder") == ["a-folder/real.md"]


def test_what_is_no_readable_file(tmp_path: Path) -> None:
    put(tmp_path, "empty.md", data=b"")
    put(tmp_path, "photo.png", data=b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    put(tmp_path, "blob", data=bytes(range(256)) * 40)
    put(tmp_path, "notes.txt", data=b"MZ\0\0" * 500)
    put(tmp_path, "sheet.xlsx", data=b"PK\x03\x04" + bytes(60))
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    with (tmp_path / "large.md").open("wb") as file:
        file.truncate(200 << 20)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.md"))
        found = reasons(tmp_path, ".")
    assert found == {
        "blob": "a binary file of no known format; exclude it",
        "empty.md": "an empty file; exclude it, or look whether it was saved whole",
        "gone.md": "a symbolic link to a file that does not exist; remove or exclude the link",
        "large.md": "200 MB is over the limit of 100 MB; raise [sources] max_file_mb or split it",
        "notes.txt": "a binary file under the name of a .txt file; exclude it or rename it",
        "photo.png": "no reader for .png files; run OCR on it",
        "pipe.md": "a pipe (fifo), not a file; exclude it",
        "s.md": "a socket, not a file; exclude it",
        "sheet.xlsx": "no reader for .xlsx files; export the sheet as .csv",
    }
    assert sources(tmp_path, ".") == []


def test_what_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: only its owner may look into that one
        root, me = Path(folder), os.geteuid()
        put(root, "secret.md", "closed/a.md")
        root.chmod(0o755)
        (root / "secret.md").chmod(0)
        (root / "closed").chmod(0)
        try:
            if me == 0:  # root may read everything
                os.seteuid(65534)
            found = reasons(root, ".")
        finally:
            os.seteuid(me)
            (root / "closed").chmod(0o700)
    assert set(found) == {"secret.md", "closed"}
    assert all(reason.startswith("no permission to read it") for reason in found.values())


@pytest.mark.parametrize(
    ("name", "data", "reader"),
    [
        ("a.MD", b"x", "text"),
        ("a.py", b"x", "text"),
        ("Dockerfile", b"x", "text"),
        ("paper", b"%PDF-1.7\n\0", "pdf"),
        ("page", b"\n<!DOCTYPE html><p>x", "html"),
        ("book", b'{"cells": [{"cell_type": "code"}]}', "notebook"),
        ("plain", "größer\n".encode(), "text"),
        ("wide", "words".encode("utf-16"), "text"),
        ("blob", b"\0\1\2", None),
        ("odd.xyz", b"some words", "text"),
    ],
)
def test_format_of(name: str, data: bytes, reader: str | None, tmp_path: Path) -> None:
    put(tmp_path, name, data=data)
    assert format_of(tmp_path / name) == reader


def test_a_file_name_that_is_no_utf8_can_be_stored(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("x")
    (source,) = sources(tmp_path, ".")
    assert source.encode() == "caf�.md".encode()


@given(
    pattern=st.text(st.sampled_from("ab*?[]!^-/.\\(+"), max_size=12), path=st.text(st.sampled_from("ab/.["), max_size=8)
)
def test_any_text_is_a_glob(pattern: str, path: str) -> None:
    assert Globs([pattern]).match(path) in (True, False)
    if path.strip("/") == path and path and not set(path) & set("*?["):
        assert Globs([path]).match(path) or path.startswith("./")
