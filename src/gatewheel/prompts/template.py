"""A prompt file: YAML front matter with the system text, then the user text; both Jinja2 in a sandbox.

    ---
    description: Answer from numbered passages.
    system: You answer from the passages below.
    ---
    {% for passage in passages %}[{{ passage.n }}] {{ passage.text }}
    {% endfor %}Question: {{ question }}

A prompt is versioned by the SHA-256 of its file. Templates are the project's own; the sandbox keeps a borrowed one
from reaching Python, and passages are inserted as values, never parsed as templates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from traceback import walk_tb
from typing import Any

from gatewheel.kernel.errors import PromptError
from gatewheel.kernel.nouns import Message

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?\n)??---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
KEYS = {"description", "system"}
# what expressions of a template may raise: 1 / 0, "a" + 1, [][1], "abc"[x](), macros that call themselves
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True)
class Prompt:
    """A loaded prompt file. `line` is where the user text begins in it, from 1."""

    name: str
    description: str
    system: str
    user: str
    text: str
    sha256: str
    line: int = 1

    def render(self, **values: Any) -> list[Message]:
        """The messages for these values. Raises PromptError for a missing value or a fault in the template."""
        messages = []
        if system := self._fill("system", values).strip():
            messages.append(Message(role="system", content=system))
        messages.append(Message(role="user", content=self._fill("user", values).strip()))
        return messages

    @cached_property
    def variables(self) -> list[str]:
        """The values that the templates ask for."""
        from jinja2 import meta

        environment = _environment()
        found: set[str] = set()
        for text in (self.system, self.user):
            found |= meta.find_undeclared_variables(environment.parse(text))
        return sorted(found)

    @cached_property
    def _templates(self) -> dict[str, Any]:
        environment = _environment()
        return {"system": environment.from_string(self.system), "user": environment.from_string(self.user)}

    def _fill(self, part: str, values: Mapping[str, Any]) -> str:
        from jinja2 import TemplateError

        try:
            return str(self._templates[part].render(**values))
        except (TemplateError, *_FAULTS) as error:
            place = self._place(part, _line_of(error))
            raise PromptError(
                f"prompt '{self.name}'{place} does not render: {error}",
                cure=f"it may use: {', '.join(sorted(values))}",
            ) from None

    def _place(self, part: str, line: int | None) -> str:
        if line is None:
            return ""
        return f", line {line} of system," if part == "system" else f", line {line + self.line - 1},"


def _line_of(error: BaseException) -> int | None:
    """The line of the template that failed: Jinja2 puts it into the traceback under the name <template>."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else getattr(error, "lineno", None)


def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def load(path: Path) -> Prompt:
    """Read a prompt file. Raises PromptError with the line when it does not parse."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(
            f"prompt {path} cannot be read: {error}", cure="`gatewheel init` writes a sound one"
        ) from None
    return parse(text, name=path.stem)


def parse(text: str, *, name: str) -> Prompt:
    """A prompt from its text. Raises PromptError with the line when it does not parse."""
    from jinja2 import TemplateSyntaxError

    match = _FRONT.match(text)
    front = _front(match.group(1) or "", name) if match else {}
    user = text[match.end() :] if match else text
    prompt = Prompt(
        name=name,
        description=front.get("description", ""),
        system=front.get("system", ""),
        user=user,
        text=text,
        sha256=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        line=text[: len(text) - len(user)].count("\n") + 1,
    )
    for part, source in (("system", prompt.system), ("user", prompt.user)):
        try:
            _environment().from_string(source)
        except TemplateSyntaxError as error:
            place = prompt._place(part, error.lineno)
            raise PromptError(f"prompt '{name}'{place} {error.message}", cure="mend the template") from None
        except (SyntaxError, *_FAULTS, MemoryError) as error:  # 30 loops in each other, 5,000 brackets or digits
            raise PromptError(f"prompt '{name}': {part}: {error}", cure="simplify the template") from None
    return prompt


def _front(text: str, name: str) -> dict[str, str]:
    import yaml

    try:
        front = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-13-01
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f", line {mark.line + 2}" if mark else ""
        raise PromptError(
            f"prompt '{name}': front matter{place}: {problem or str(error).splitlines()[0]}",
            cure="write `key: value` lines",
        ) from None
    front = {} if front is None else front
    if not isinstance(front, dict) or not set(front) <= KEYS:
        raise PromptError(f"prompt '{name}': front matter {front!r}", cure=f"it may hold: {', '.join(sorted(KEYS))}")
    for key, value in front.items():
        if not isinstance(value, str | None):
            raise PromptError(f"prompt '{name}': {key}: must be text, got {value!r}", cure="put it in quotes")
    return {key: value or "" for key, value in front.items()}
