"""A web page becomes the Markdown that a careful reader would have typed off it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read import html


def read(page: str | bytes, folder: Path, **options: bool) -> Document:
    path = folder / "page.html"
    path.write_bytes(page if isinstance(page, bytes) else page.encode())
    (document,) = html.create(html.Settings(**options)).read(path, source="page.html")
    return document


@pytest.mark.parametrize(
    ("page", "markdown"),
    [
        ("<h2>A <em>b</em>\n c<a class='headerlink'>¶</a></h2>text", "## A b c\n\ntext\n"),
        ("<p>caf&eacute; &lt;b&gt;&nbsp;x<br>next</p>", "café <b> x\nnext\n"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n    - b\n- c\n"),
        ("<ol start=3><li>a<li>b</ol>", "3. a\n4. b\n"),
        (
            '<pre><code class="language-js">if (a &lt; b) {\n  c()\n}</code></pre>',
            "```js\nif (a < b) {\n  c()\n}\n```\n",
        ),
        ("<pre>a ``` b</pre>", "````\na ``` b\n````\n"),
        ("<pre>f(<b>x</b>)<button>copy</button></pre>", "```\nf(x)\n```\n"),
        ("<pre>a<br>b</pre>", "```\na\nb\n```\n"),
        ("<blockquote><p>said</p></blockquote>", "> said\n"),
        ("<p># not a heading</p>", "\\# not a heading\n"),
        ("<dl><dt>term</dt><dd>meaning</dd></dl>", "term\n\nmeaning\n"),
        ("<p>a<script>x()</script><style>y</style>b</p>", "ab\n"),
        ("<img alt='a chart of sales'>", "a chart of sales\n"),
        ("<h3><button>Can I return it?</button></h3><p>Yes.</p>", "### Can I return it?\n\nYes.\n"),
    ],
)
def test_structure(page: str, markdown: str, tmp_path: Path) -> None:
    assert read(f"<body>{page}</body>", tmp_path).text == markdown


def test_a_table_of_data_keeps_its_rows_and_repeats_what_spans_them(tmp_path: Path) -> None:
    rows = "<tr><td rowspan=2>Lima</td><td>a|b</td></tr><tr><td>c</td></tr>"
    page = f"<table><caption>Cities</caption><tr><th>City</th><th>Note</th></tr>{rows}</table>"
    expected = "Cities\n\n| City | Note |\n| --- | --- |\n| Lima | a\\|b |\n| Lima | c |\n"
    assert read(page, tmp_path).text == expected


def test_a_table_that_lays_out_the_page_becomes_its_text(tmp_path: Path) -> None:
    page = "<table><tr><td>menu</td><td><h1>News</h1><p>It rained.</p></td></tr></table>"
    assert read(page, tmp_path).text == "menu\n\n# News\n\nIt rained.\n"


def test_navigation_goes_and_the_rest_stays(tmp_path: Path) -> None:
    page = "<nav>Home</nav><main><p>Text</p><footer>By Ann</footer></main> tail <footer>Imprint</footer>"
    assert read(page, tmp_path).text == "Text\n\nBy Ann\n\ntail\n"
    assert "Imprint" in read(page, tmp_path, keep_navigation=True).text


def test_a_page_of_navigation_alone_is_kept(tmp_path: Path) -> None:
    assert read("<nav><ul><li>Chapter one</li></ul></nav>", tmp_path).text == "- Chapter one\n"


def test_title(tmp_path: Path) -> None:
    assert read("<title> A &amp;\n B </title><h1>C</h1>", tmp_path).title == "A & B"
    assert read("<h1>C <b>D</b></h1>", tmp_path).title == "C D"
    assert read("<p>text</p>", tmp_path).title == "page"


@pytest.mark.parametrize(
    "page",
    [
        '<meta charset="windows-1251"><p>Москва</p>'.encode("cp1251"),
        '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>Москва</p>'.encode("koi8-r"),
        '<meta charset="iso-8859-1"><p>Москва</p>'.encode(),  # declared wrongly, as many pages are
        "<p>Москва</p>".encode("utf-16"),
        '<?xml version="1.0" encoding="utf-8"?><html><body><p>Москва</p></body></html>'.encode(),
    ],
)
def test_declared_and_marked_encodings(page: bytes, tmp_path: Path) -> None:
    assert read(page, tmp_path).text == "Москва\n"


def test_deep_nesting_loses_nothing(tmp_path: Path) -> None:
    assert "kernel" in read("<div>" * 1_000 + "kernel" + "</div>" * 1_000, tmp_path).text


def test_nothing_is_fetched_and_no_file_is_included(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hidden words")
    page = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{tmp_path}/secret.txt">]><html><body>a&x;b</body></html>'
    assert "hidden words" not in read(page, tmp_path).text


TAGS = st.sampled_from(["p", "div", "ul", "ol", "li", "table", "tr", "td", "pre", "h1", "b", "blockquote", "nav", "br"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.tuples(st.sampled_from(["<", "</"]), TAGS), max_size=40))
def test_any_soup_of_tags_keeps_its_words(pieces: list[tuple[str, str]], tmp_path: Path) -> None:
    words = [f"{sign}{tag}>word{place} " for place, (sign, tag) in enumerate(pieces)]
    try:
        text = read("".join(words), tmp_path, keep_navigation=True).text
    except SourceError:
        assert not pieces
        return
    assert [f"word{place}" for place in range(len(pieces)) if f"word{place}" not in text] == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(page=st.text(st.sampled_from("<>/&;!-[]='\" \n\0abphult?"), max_size=80))
def test_any_characters_give_text_or_a_source_error(page: str, tmp_path: Path) -> None:
    with contextlib.suppress(SourceError):
        assert read(page, tmp_path).text.strip()
