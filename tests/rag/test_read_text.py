"""Text comes out as the user wrote it, whatever encoding it was saved in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read import text
from gatewheel.rag.read.encoding import encoding_of

FRENCH = "Le café était fermé à l'été. Où est passé le garçon de la forêt ? Voilà une réponse naïve."
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Москва столица России."
JAPANESE = "日本語の文章です。文字コードの判定を確かめるために、いくつかの文を書きます。東京は日本の首都です。"
CHINESE = "这是一个用于测试编码检测的中文句子。北京是中国的首都,上海是最大的城市。"
GREEK = "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας και η μεγαλύτερη πόλη της χώρας."


def read(path: Path, **options: str) -> Document:
    (document,) = text.create(text.Settings(**options)).read(path, source=path.name)
    return document


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "cp1252"),
        (FRENCH, "latin-1"),
        ("“Hello” – it’s naïve", "cp1252"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "utf-32"),
        (FRENCH, "utf-32-le"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (CHINESE, "gb18030"),
        (GREEK, "iso8859_7"),
    ],
)
def test_an_encoding_is_detected(words: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(words.encode(encoding))
    document = read(path)
    assert document.text == words
    assert path.read_text(document.meta["encoding"]) == words
    assert path.read_text(encoding_of(path)) == words  # the way of the readers that stream


def test_one_broken_byte_does_not_spoil_a_utf8_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(JAPANESE.encode() + b"\xff" + FRENCH.encode())
    assert read(path).text == JAPANESE + "�" + FRENCH
    assert encoding_of(path) == "utf-8"


def test_the_setting_overrides_detection(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Zażółć gęślą jaźń".encode("iso8859_2"))
    assert read(path, encoding="iso-8859-2").text == "Zażółć gęślą jaźń"
    with pytest.raises(SourceError, match="no encoding named 'latin-x'"):
        read(path, encoding="latin-x")


def test_front_matter_becomes_metadata_and_offsets_stay_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes("---\r\ntitle: Été\r\ntags: [a, b]\r\ndate: 2024-01-31\r\n---\r\n# Head\r\n\r\nBody".encode())
    document = read(path)
    assert document.title == "Été"
    assert document.meta["tags"] == ["a", "b"]
    assert document.meta["date"] == "2024-01-31"
    assert document.text.lstrip() == "# Head\n\nBody"
    at = document.text.index("Body")
    assert path.read_text("utf-8")[at : at + 4] == "Body"


@pytest.mark.parametrize(
    "start", ["---\nnot: [closed\n---\n", "---\njust words\n---\n", "---\n\n---\n", "---\nno end\n", "+++\nx =\n+++\n"]
)
def test_what_is_no_front_matter_stays_text(start: str, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(start + "# Head\n")
    assert read(path).text == start + "# Head\n"


@pytest.mark.parametrize(
    ("name", "content", "title", "form", "kind"),
    [
        ("a.md", "intro\n\n```sh\n# no title\n```\n\n## The title ##\n", "The title", "markdown", "markdown"),
        ("a.md", "The title\n=========\n\ntext", "The title", "markdown", "markdown"),
        ("notes.md", "no heading", "notes", "markdown", "markdown"),
        ("a.rst", "The title\n=========\n\ntext", "The title", "text", "rst"),
        ("job.py", "# a comment\nx = 1", "job.py", "code", "python"),
        ("Makefile", "all:\n\techo", "Makefile", "code", "make"),
        ("LICENSE", "Apache", "LICENSE", "text", "text"),
        ("c.toml", "a = 1", "c.toml", "code", "toml"),
    ],
)
def test_title_format_and_kind(name: str, content: str, title: str, form: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    document = read(path)
    assert (document.title, document.format, document.meta["kind"]) == (title, form, kind)
    assert document.text == content


def test_a_file_of_white_space_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(" \n\t\n")
    with pytest.raises(SourceError, match="no text in it"):
        read(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(min_size=1))
def test_any_text_comes_back(words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(words.encode())
    try:
        document = read(path)
    except SourceError:
        assert not words.strip() or words.strip("\ufeff\0") != words
        return
    if "\x1b$" not in words and "\0" not in words:
        assert document.text == path.read_text("utf-8-sig")
        assert len(document.text) == len(path.read_text("utf-8-sig"))
