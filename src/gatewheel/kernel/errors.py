"""The one tree of errors: every message says what was wrong, the value, and the cure.

    GatewheelError            anything we raise on purpose
    ├── UserError             the user can mend it; the command line prints one line and exits with 1
    │   ├── ConfigError       gatewheel.toml: file, table, key, value, cure
    │   ├── ProjectError      no project here, or one that another version made
    │   ├── FilterError       a --where expression that does not parse
    │   ├── PromptError       a prompt file that does not load or render
    │   ├── SourceError       one source document that cannot be read; the others go on
    │   ├── MissingPart       weights or an extra that is not installed
    │   └── ModelError        a model or endpoint that refused, timed out, or broke its contract
    └── Cancelled             the user stopped a long action; what was finished stays (exit code 130)

Everything else that escapes is a defect of ours: exit code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GatewheelError(Exception):
    """Anything that Gatewheel raises on purpose. `what` is the fault with its value, `cure` what to do."""

    def __init__(self, what: str, *, cure: str = "") -> None:
        super().__init__(f"{what}; {cure}" if cure else what)
        self.what = what
        self.cure = cure


class UserError(GatewheelError):
    """The user can mend it."""


class ConfigError(UserError):
    """gatewheel.toml does not say something that can be done."""


class ProjectError(UserError):
    """There is no usable project at this place."""


class FilterError(UserError):
    """A metadata filter that does not parse or names an unknown field."""


class PromptError(UserError):
    """A prompt file that does not load or render."""


class SourceError(UserError):
    """One source document that cannot be read. `what` is the reason, without the path."""


class MissingPart(UserError):
    """Weights, or an optional extra, that are not on this machine."""


class ModelError(UserError):
    """A model or an endpoint refused, timed out or broke its contract.

    `retryable` says that the same request may succeed at another time or elsewhere: it was not the request's fault.
    """

    def __init__(self, what: str, *, cure: str = "", retryable: bool = False) -> None:
        super().__init__(what, cure=cure)
        self.retryable = retryable


class Malformed(ModelError):
    """What a model wrote does not keep to the schema that it was asked for."""


class PromptTooLong(ModelError):
    """The prompt leaves no room in the model's context."""


class Cancelled(GatewheelError):
    """The user stopped a long action. What was finished stays."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """The cure for a misspelt name: the nearest known one, or the list of them.

    >>> did_you_mean("llamacp", ["llama.cpp", "openai"])
    "did you mean 'llama.cpp'?"
    """
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names) or 'none'}"
