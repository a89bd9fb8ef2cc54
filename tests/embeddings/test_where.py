"""A filter selects what it says: the same rows as a plain evaluation in Python, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from gatewheel.embeddings import where
from gatewheel.embeddings.analyse import Analyser
from gatewheel.embeddings.store import PassageStore
from gatewheel.kernel.errors import FilterError
from gatewheel.kernel.store.schema import documents, passages
from storing import entry

MISSING = None
ROWS: list[dict[str, Any]] = [
    {"path": "guide/a.md", "title": "Guide", "heading": "Start > 100%", "format": "markdown", "lang": "en", "page": 1},
    {"path": "guide/b_c.md", "title": "", "heading": "", "format": "markdown", "lang": "de", "meta": {"year": 2023}},
    {"path": "GUIDE/d.pdf", "title": "100% sure", "heading": "x_y", "format": "pdf", "lang": "en", "page": 12},
    {"path": "e.jsonl#1", "title": "5", "heading": "or", "format": "text", "lang": "en", "meta": {"year": 2024.5}},
    {"path": "e.jsonl#2", "title": "12", "heading": "and", "format": "text", "lang": "", "meta": {"year": "2024"}},
    {"path": "f.txt", "title": "a'b", "heading": "not", "format": "text", "lang": "fr", "meta": {"year": None}},
    {"path": "g.txt", "title": 'say "x"', "heading": "a/b", "format": "text", "lang": "fr", "meta": {"draft": True}},
    {"path": "h.txt", "title": "tail", "heading": "\\", "format": "text", "lang": "fr", "meta": {"draft": False}},
    {"path": "i.csv", "title": "t", "heading": "(x)", "format": "text", "lang": "fr", "meta": {"kind": "csv", "year": "soon"}},  # noqa: E501
    {"path": "j.csv", "title": "0", "heading": "=", "format": "text", "lang": "fr", "meta": {"tags": ["red", "blå"], "year": 1}},  # noqa: E501
    {"path": "k.csv", "title": "-3", "heading": "~", "format": "text", "lang": "fr", "meta": {"kind": "CSV", "year": -1e-7}},  # noqa: E501
]  # fmt: skip
FIELDS = ["path", "title", "heading", "format", "lang", "page", "kind", "meta.year", "meta.draft", "meta.none"]
WORDS = [
    "guide", "guide/", "GUIDE", "a.md", "b_c", "bxc", "_", "%", "100%", "0%", "/", "\\", "en", "de", "fr", "markdown",
    "text", "csv", "Csv", "5", "12", "2023", "2024", "2024.5", "0", "-3", "1", "1e3", "-1e-7", "soon", "true", "TRUE",
    "false", "", "a'b", 'say "x"', "x y", "or", "and", "not", "(x)", "=", "~", "tail", "t", "Start > 100%", "nan", "inf",  # noqa: E501
]  # fmt: skip


def value_of(row: Mapping[str, Any], field: str) -> Any:
    meta = row.get("meta", {})
    if field == "kind":
        return meta.get("kind")
    return meta.get(field[5:]) if field.startswith("meta.") else row.get(field)


def number(value: Any) -> float | None:
    text = str(value)
    return float(text) if not isinstance(value, bool) and re.fullmatch(r"-?\d+(\.\d+)?(e[-+]?\d+)?", text) else None


def plainly(row: Mapping[str, Any], field: str, operator: str, value: str) -> bool:
    """What the documentation says, without SQL."""
    held = value_of(row, field)
    if held is MISSING:
        return operator == "!="
    text = str(int(held)) if isinstance(held, bool) else str(held)
    if operator == "~=":
        return value.lower() in text.lower()
    if operator in ("=", "!=") and field != "page":
        wanted = {"true": "1", "false": "0"}.get(value.lower(), value) if field.startswith("meta.") else value
        return (text == wanted) == (operator == "=")
    wanted_number, held_number = number(value), number(held)
    if wanted_number is not None and held_number is None:
        return False
    a: Any = held_number if wanted_number is not None else text
    b: Any = wanted_number if wanted_number is not None else value
    compared: bool = {"=": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]
    return compared


def evaluate(tree: Any, row: Mapping[str, Any]) -> bool:
    match tree:
        case ("or", *parts):
            return any(evaluate(part, row) for part in parts)
        case ("and", *parts):
            return all(evaluate(part, row) for part in parts)
        case ("not", part):
            return not evaluate(part, row)
        case field, operator, value:
            return plainly(row, field, operator, value)
    raise AssertionError(tree)


def written(tree: Any, above: str = "or") -> str:
    """As text, with parentheses only where precedence needs them."""
    match tree:
        case ("or", *parts):
            text = " or ".join(written(part, "or") for part in parts)
            return text if above == "or" else f"({text})"
        case ("and", *parts):
            text = " AND ".join(written(part, "and") for part in parts)
            return text if above in ("or", "and") else f"( {text} )"
        case ("not", part):
            return f"not {written(part, 'not')}"
        case field, operator, value:
            bare = re.fullmatch(r"""[^\s()=!~<>"']+""", value)
            return f"{field}{operator}{value}" if bare else f"{field} {operator} {quoted(value)}"
    raise AssertionError(tree)


def quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def is_sound(comparison: tuple[str, str, str]) -> bool:
    field, operator, value = comparison
    if field == "meta.draft":
        return operator in ("=", "!=")
    return field != "page" or operator == "~=" or number(value) is not None


LEAVES = st.tuples(
    st.sampled_from(FIELDS), st.sampled_from(["=", "!=", "~=", "<", "<=", ">", ">="]), st.sampled_from(WORDS)
).filter(is_sound)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("or"), inner, inner),
        st.tuples(st.just("and"), inner, inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=6,
)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    store = PassageStore(engine, analyser=Analyser("none"), encoder_id="none")
    file_id = store.open_file("all", size=1, mtime_ns=1, recipe="", named=False)
    entries = []
    for row in ROWS:
        said = {"title": row["title"], "format": row["format"], "language": row["lang"], "meta": row.get("meta", {})}
        entries.append((file_id, entry(row["path"], ["x"], heading=row["heading"], page=row.get("page"), **said)))
    store.write(entries)
    return engine


def selected(engine: Engine, text: str) -> set[str]:
    with engine.connect() as connection:
        query = select(documents.c.source).select_from(passages).join(documents).where(where.parse(text))
        return set(connection.execute(query).scalars())


def test_a_filter_selects_what_a_plain_evaluation_selects(filled: Engine) -> None:
    @settings(max_examples=250)
    @given(tree=TREES)
    def check(tree: Any) -> None:
        assert selected(filled, written(tree)) == {row["path"] for row in ROWS if evaluate(tree, row)}

    check()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("path~=guide/ and lang=en", {"guide/a.md", "GUIDE/d.pdf"}),
        ("lang=de or lang=en and format=pdf", {"guide/b_c.md", "GUIDE/d.pdf"}),
        ("(lang=de or lang=en) and format=pdf", {"GUIDE/d.pdf"}),
        ("not lang=fr and not path~=guide", {"e.jsonl#1", "e.jsonl#2"}),
        ("meta.year>=2024", {"e.jsonl#1", "e.jsonl#2"}),
        ("meta.year=2023", {"guide/b_c.md"}),
        ("meta.draft=true", {"g.txt"}),
        ("meta.tags~=BLÅ or meta.tags~=re", {"j.csv"}),
        ("page>=2", {"GUIDE/d.pdf"}),
        ("title='a\\'", set()),
        ('title="a\'b"', {"f.txt"}),
        ("kind=csv", {"i.csv"}),
    ],
)
def test_examples_of_the_documentation(filled: Engine, text: str, paths: set[str]) -> None:
    if text == "meta.tags~=BLÅ or meta.tags~=re" and filled.dialect.name == "postgresql":
        text = "meta.tags~=blå"  # the server's collation C folds ASCII only
    assert selected(filled, text) == paths


@pytest.mark.parametrize(
    "text",
    [
        "path=\"x' OR '1'='1\"",
        "path=x;DROP",
        "path='; DROP TABLE documents; --'",
        "meta.a'||'b=c",
        "meta.$.kind=csv",
        "meta.{kind}=csv",
        'meta.x->>0="x"',
        "path=:path_1",
        "path=%(path_1)s",
        "path=?",
        "path~=%' ",
    ],
)
def test_what_looks_like_sql_stays_a_value(filled: Engine, text: str) -> None:
    with suppress(FilterError):
        assert selected(filled, text) == set()
    assert len(selected(filled, "path~=''")) == len(ROWS)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "expected a field, found the end"),
        ("path", "expected an operator"),
        ("path=", "expected a value after path="),
        ("path=a b=c", "expected and, or, or the end, found 'b' at 8"),
        ("(path=a", r"expected '\)', found the end"),
        ("path=a and", "expected a field, found the end"),
        ("pth=a", "no field named 'pth'; did you mean 'path'"),
        ("meta.=a", "no field named 'meta.'"),
        ("page=one", "page is a number, got 'one'; write e.g. page>=3"),
        ("page>nan", "page is a number, got 'nan'"),
        ("path='a", "at 6; close the quotes"),
        ("path=a\0", "has the character '.x00' at 7"),
        ("path=\udcff", "has the character '.udcff' at 6"),
        ("not " * 60 + "path=a", "nested deeper than 50"),
        ("path=" + "a" * 2000, "2005 characters; keep it under 2000"),
    ],
)
def test_a_filter_that_does_not_parse_says_where(text: str, match: str) -> None:
    with pytest.raises(FilterError, match=match) as caught:
        where.parse(text)
    assert caught.value.cure


@cache
def words() -> st.SearchStrategy[str]:
    tokens = st.sampled_from([*FIELDS, "and", "or", "not", "(", ")", "=", "~=", ">=", "'", '"', "!", "x", "3", " "])
    return st.lists(tokens | st.text(max_size=3), max_size=12).map(" ".join)


def test_arbitrary_text_is_a_filter_or_a_filter_error(filled: Engine) -> None:
    @settings(max_examples=400)
    @given(text=words() | st.text(max_size=40))
    @example("meta.\\=x")
    @example('meta.a]["b=x')
    @example("meta.a.b.c=x")
    @example("meta.0=x")
    @example("meta.{}=x")
    @example("meta.*>3")
    @example("title>=99999999999999999999")
    @example("page=1e99")
    @example("page=999999999999999999")
    def check(text: str) -> None:
        try:
            where.parse(text)
        except FilterError:
            return
        selected(filled, text)

    check()
