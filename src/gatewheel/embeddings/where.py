"""The filter language of `--where`: `path~=guide/ and (lang=en or not format=pdf) and meta.year>=2024`.

    filter     = term { "or" term }
    term       = factor { "and" factor }
    factor     = "not" factor | "(" filter ")" | field operator value
    field      = path | title | heading | format | kind | lang | page | meta.<key>
    operator   = "=" | "!=" | "~=" (contains, ignoring case) | "<" | "<=" | ">" | ">="
    value      = a bare word, or anything in single or double quotes

A text becomes a SQLAlchemy expression with bound values: no piece of it is ever pasted into SQL.

A passage without the field fails every comparison but `!=`. With <, <=, > and >= a number compares with numbers only;
anything else compares as text, by code points on SQLite and by the database's collation on PostgreSQL. There lower()
of the collation says which letters `~=` takes for the same; on SQLite it is Python's. For = and != JSON's true is 1 and
its false 0; nothing else should be asked of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from sqlalchemy import ColumnElement, and_, case, cast, func, not_, or_
from sqlalchemy.types import Float, String

from gatewheel.kernel.errors import FilterError, did_you_mean
from gatewheel.kernel.store.schema import documents, passages

FIELDS: dict[str, Any] = {
    "path": documents.c.source,
    "title": documents.c.title,
    "heading": passages.c.heading,
    "format": documents.c.format,
    "kind": documents.c.meta["kind"].as_string(),
    "lang": documents.c.language,
    "page": passages.c.page,
}
NUMBERS = {"page"}
COMPARED = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
BOOLEANS = {"true": ("true", "1"), "1": ("true", "1"), "false": ("false", "0"), "0": ("false", "0")}
NUMBER = r"^-?[0-9]{1,18}([.][0-9]{1,30})?([eE][-+]?[0-9]{1,2})?$"  # none that is too large for a float
MAX_LENGTH = 2_000
MAX_DEPTH = 50

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # no document holds them, and no database takes them
_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<op>!=|~=|<=|>=|=|<|>)|(?P<quoted>"[^"]*"|'[^']*')|(?P<word>[^\s()=!~<>"']+))"""
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> ColumnElement[bool]:
    """A filter to an expression over `documents` joined with `passages`.

    Raises FilterError, which names the place, when the text does not parse.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(f"the filter has {len(text)} characters", cure=f"keep it under {MAX_LENGTH}")
    if bad := UNSTORABLE.search(text):
        raise FilterError(f"the filter has the character {bad[0]!r} at {bad.start() + 1}", cure="take it out")
    parser = _Parser(text, _tokens(text))
    expression = parser.either(0)
    if parser.ahead is not None:
        raise parser.wrong("and, or, or the end")
    return expression


def _tokens(text: str) -> list[_Token]:
    out, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise FilterError(
                f"the filter {text!r} has {text[at:].strip()[0]!r} at {at + 1}", cure="close the quotes around values"
            )
        kind = match.lastgroup or ""
        out.append(_Token(kind, match.group(kind), match.start(kind)))
        at = match.end()
    return out


class _Parser:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.text, self.tokens, self.at = text, tokens, 0

    @property
    def ahead(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def wrong(self, expected: str) -> FilterError:
        found = f"{self.ahead.text!r} at {self.ahead.at + 1}" if self.ahead else "the end"
        return FilterError(
            f"the filter {self.text!r}: expected {expected}, found {found}",
            cure='write e.g. --where "path~=guide/ and lang=en"',
        )

    def take(self, kind: str, *texts: str) -> str | None:
        token = self.ahead
        if token is None or token.kind != kind or (texts and token.text.lower() not in texts):
            return None
        self.at += 1
        return token.text

    def either(self, depth: int) -> ColumnElement[bool]:
        parts = [self.both(depth)]
        while self.take("word", "or"):
            parts.append(self.both(depth))
        return or_(*parts)

    def both(self, depth: int) -> ColumnElement[bool]:
        parts = [self.factor(depth)]
        while self.take("word", "and"):
            parts.append(self.factor(depth))
        return and_(*parts)

    def factor(self, depth: int) -> ColumnElement[bool]:
        if depth > MAX_DEPTH:
            raise FilterError(f"the filter is nested deeper than {MAX_DEPTH}", cure="write it flatter")
        if self.take("word", "not"):
            return not_(self.factor(depth + 1))
        if self.take("paren", "("):
            inner = self.either(depth + 1)
            if not self.take("paren", ")"):
                raise self.wrong("')'")
            return inner
        field = self.take("word")
        if field is None:
            raise self.wrong("a field")
        operator = self.take("op")
        if operator is None:
            raise self.wrong(f"an operator (=, !=, ~=, <, <=, >, >=) after {field!r}")
        value = self.take("word")
        if value is None:
            quoted = self.take("quoted")
            if quoted is None:
                raise self.wrong(f"a value after {field}{operator}")
            value = quoted[1:-1]
        return _compare(field, operator, value)


def _compare(field: str, operator: str, value: str) -> ColumnElement[bool]:
    if field.startswith("meta.") and len(field) > 5:
        column: Any = documents.c.meta[field[5:]].as_string()
    elif field in FIELDS:
        column = FIELDS[field]
    else:
        raise FilterError(f"no field named '{field}'", cure=did_you_mean(field, [*FIELDS, "meta.<key>"]))
    if operator == "~=":
        sought = func.lower(re.sub("([%_/])", r"/\1", value))
        return func.coalesce(func.lower(cast(column, String)).contains(sought, escape="/"), False)
    if operator in ("=", "!=") and field not in NUMBERS:
        same = column.in_(BOOLEANS.get(value.lower(), (value,))) if field.startswith("meta.") else column == value
        result = same if operator == "=" else not_(same)
    else:
        result = COMPARED[operator](*_ordered(field, column, value))
    # a missing value compares as false (and its negation as true), not as SQL's unknown
    return func.coalesce(result, operator == "!=")


def _ordered(field: str, column: Any, value: str) -> tuple[Any, Any]:
    if re.match(NUMBER, value) is None:
        if field in NUMBERS:
            raise FilterError(f"{field} is a number, got {value!r}", cure=f"write e.g. {field}>=3")
        return column, value
    if field in NUMBERS:
        return column, float(value)
    # a value that is not a number must not end the query: PostgreSQL refuses to cast it
    return case((column.regexp_match(NUMBER), cast(column, Float)), else_=None), float(value)
