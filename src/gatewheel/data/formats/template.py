"""Templates of borrowed files, filled in Jinja2's immutable sandbox: they reach neither Python nor files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from gatewheel.kernel.errors import UserError

# what expressions of a template may raise: 1 / 0, "a" + 1, [][1], "abc"[x](), macros that call themselves
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, MemoryError, re.error)


def fill(text: str, values: Mapping[str, Any]) -> str:
    """The template with these values. Raises UserError for one that does not parse, or asks for what is not there."""
    from jinja2 import TemplateError

    if "{" not in text:
        return text
    try:
        return str(_compiled(text).render(values))
    except (TemplateError, SyntaxError, *_FAULTS) as error:
        what = f"the template {_short(text)} does not render: {str(error) or type(error).__name__}"
        raise UserError(what, cure=f"it may use: {', '.join(map(str, values)) or 'nothing'}") from None


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    return _environment().from_string(text)


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    made.filters["regex_replace"] = _regex_replace
    return made


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """The one filter that the lm-evaluation-harness adds to Jinja2's own."""
    return re.sub(pattern, repl, string, count=count)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 80 else f"{line[:80]}…")
