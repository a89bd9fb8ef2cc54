"""What every reader of the catalog promises: sound documents from good files, SourceError and nothing else from bad."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents import samples
from gatewheel.kernel.catalog import CATALOG, load
from gatewheel.kernel.errors import MissingPart, SourceError
from gatewheel.kernel.nouns import Document, Refusal

SAMPLES = cache(samples)
NAMES = sorted(CATALOG["reader"])
MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(name: str, path: Path) -> list[Document | Refusal]:
    module = load("reader", name)
    return list(module.create(module.Settings()).read(path, source=f"docs/{path.name}"))


def assert_sound(found: list[Document | Refusal], path: Path) -> None:
    sources = [each.source for each in found if isinstance(each, Document)]
    assert len(set(sources)) == len(sources)
    for each in found:
        assert each.source.startswith(f"docs/{path.name}")
        if isinstance(each, Refusal):
            assert each.reason
            continue
        assert each.text.strip()
        assert each.title.strip()
        assert "\0" not in each.text + each.title
        (each.text + each.title + str(dict(each.meta))).encode()  # no lone surrogates
        assert each.format in ("markdown", "text", "code")
        assert each.meta["kind"]
        assert list(each.pages) == sorted(each.pages)
        assert all(0 <= start <= len(each.text) for start in each.pages)


def refused(name: str, path: Path) -> str:
    """The reason, or an empty text when the file gave sound documents; any other exception escapes."""
    try:
        assert_sound(read(name, path), path)
    except (SourceError, MissingPart) as error:  # a broken byte may make a PDF ask for a password
        return str(error)
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_a_good_file_gives_sound_documents(name: str, tmp_path: Path) -> None:
    file, data = SAMPLES()[name]
    path = tmp_path / file
    path.write_bytes(data)
    found = read(name, path)
    assert any(isinstance(each, Document) for each in found)
    told = [each.reason for each in found if isinstance(each, Refusal)]
    assert told == (["no text layer on page 2; run OCR first, e.g. ocrmypdf"] if name == "pdf" else [])
    assert_sound(found, path)


@pytest.mark.parametrize("name", NAMES)
@MANY
@given(share=st.floats(0, 1))
def test_a_file_cut_off_anywhere_raises_nothing_but_source_error(name: str, share: float, tmp_path: Path) -> None:
    file, data = SAMPLES()[name]
    path = tmp_path / file
    path.write_bytes(data[: int(len(data) * share)])
    assert "\n" not in refused(name, path)


@pytest.mark.parametrize("name", NAMES)
@MANY
@given(data=st.data())
def test_a_file_with_broken_bytes_raises_nothing_but_source_error(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    file, good = SAMPLES()[name]
    broken = bytearray(good)
    for place in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=20)):
        broken[place] = data.draw(st.integers(0, 255))
    path = tmp_path / file
    path.write_bytes(bytes(broken))
    assert "\n" not in refused(name, path)


@pytest.mark.parametrize("name", NAMES)
@MANY
@given(data=st.binary(max_size=400))
def test_any_bytes_raise_nothing_but_source_error(name: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / SAMPLES()[name][0]
    path.write_bytes(data)
    assert "\n" not in refused(name, path)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_a_source_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it is gone"):
        read(name, tmp_path / SAMPLES()[name][0])
