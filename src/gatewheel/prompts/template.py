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
from typing import Any

from gatewheel.kernel.errors import PromptError
from gatewheel.kernel.nouns import Message

_FRONT = re.compile(r"\A---\s*\n(.*?\n)---\s*\n", re.DOTALL)
KEYS = {"description", "system"}


@dataclass(frozen=True)
class Prompt:
    """A loaded prompt file."""

    name: str
    description: str
    system: str
    user: str
    sha256: str

    def render(self, **values: Any) -> list[Message]:
        """The messages for these values. Raises PromptError for a missing value or a fault in the template."""
        messages = []
        if system := self._fill(self._templates[0], values).strip():
            messages.append(Message(role="system", content=system))
        messages.append(Message(role="user", content=self._fill(self._templates[1], values).strip()))
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
    def _templates(self) -> tuple[Any, Any]:
        environment = _environment()
        return environment.from_string(self.system), environment.from_string(self.user)

    def _fill(self, template: Any, values: Mapping[str, Any]) -> str:
        from jinja2 import TemplateError
        from jinja2.exceptions import SecurityError

        try:
            return str(template.render(**values))
        except (SecurityError, TemplateError, TypeError, OverflowError) as error:
            raise PromptError(
                f"prompt '{self.name}' does not render: {error}", cure=f"it may use: {', '.join(sorted(values))}"
            ) from None


def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def load(path: Path) -> Prompt:
    """Read a prompt file. Raises PromptError with the line when it does not parse."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(
            f"prompt {path} cannot be read: {error}", cure="`gatewheel init` writes a sound one"
        ) from None
    return parse(text, name=path.stem)


def parse(text: str, *, name: str) -> Prompt:
    """A prompt from its text. Raises PromptError with the line when it does not parse."""
    import yaml
    from jinja2 import TemplateSyntaxError

    front: Any = {}
    match = _FRONT.match(text)
    if match:
        try:
            front = yaml.safe_load(match.group(1)) or {}
        except yaml.YAMLError as error:
            raise PromptError(f"prompt '{name}': front matter: {error}", cure="write `key: value` lines") from None
    if not isinstance(front, dict) or not set(front) <= KEYS:
        raise PromptError(f"prompt '{name}': front matter {front!r}", cure=f"it may hold: {', '.join(sorted(KEYS))}")
    user = text[match.end() :] if match else text
    prompt = Prompt(
        name=name,
        description=str(front.get("description", "")),
        system=str(front.get("system", "")),
        user=user,
        sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
    )
    try:
        _ = prompt.variables
    except TemplateSyntaxError as error:
        raise PromptError(f"prompt '{name}', line {error.lineno}: {error.message}", cure="mend the template") from None
    return prompt
