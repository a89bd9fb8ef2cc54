"""What says how probable texts are to the models of a project, each loaded once and when it is first asked.

Which engine tells it: that of the table itself. For `auto`, which is about writing, it is openvino with the same
weights; for `fallback` the first of its models. Those that can: openvino, hf, llama.cpp and openai.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, Table
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.likelihood import Likelihood
from gatewheel.loop.recipes import digest, identity, words

if TYPE_CHECKING:
    from gatewheel.models.likelihoods import Reader, TextLikelihoods

OF_AUTO = "openvino"


class LazyLikelihoods:
    """Fulfils the port Likelihoods; what it takes is loaded at the first question. Any thread may ask."""

    def __init__(self, make: Callable[[], TextLikelihoods], *, tells_tokens: bool = False) -> None:
        self._make = make
        self._tells_tokens = tells_tokens
        self._made: TextLikelihoods | None = None
        self._loading = threading.Lock()

    def loaded(self) -> TextLikelihoods:
        """It with its weights. Raises what loading them raises: MissingPart, ModelError."""
        with self._loading:
            self._made = self._made or self._make()
            self._made.load()
            return self._made

    def vocabulary(self) -> Reader | None:
        """What tells the model's tokens, of which the weights are loaded when they are asked; None where none can."""
        if not self._tells_tokens:
            return None
        with self._loading:
            self._made = self._made or self._make()
            return self._made.reader

    def likelihoods(self, prompt: str, continuations: Sequence[str]) -> list[Likelihood]:
        """Of each continuation after the prompt."""
        return self.loaded().likelihoods(prompt, continuations)

    def rolling(self, text: str) -> Likelihood:
        """Of a whole text."""
        return self.loaded().rolling(text)

    def close(self) -> None:
        """Let go of what was loaded."""
        with self._loading:
            if self._made is not None:
                self._made.close()


class LikelihoodShelf:
    """What tells likelihoods, by what the tables of models say. `say` is told what takes long."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._by_digest: dict[str, LazyLikelihoods] = {}

    def get(self, config: Config, name: str) -> LazyLikelihoods:
        """Of `[model.<name>]`. Raises ConfigError for a model that cannot tell; loads nothing yet."""
        table, module = _engine(config, name)
        tells_tokens = getattr(module, "TELLS_TOKENS", False)
        made = LazyLikelihoods(
            lambda: module.text_likelihoods(table.settings, on_progress=self._say), tells_tokens=tells_tokens
        )
        return self._by_digest.setdefault(digest(table.plain()), made)

    def recipe(self, config: Config, name: str) -> dict[str, Any]:
        """What decides the numbers: engine and precision, the settings, and the digest of the weights."""
        table, module = _engine(config, name)
        made = {"scores": module.SCORES, **words(table)}
        if "weights" in made:
            made["weights_sha256"] = identity(made["weights"])
        if made.get("adapter"):
            made["adapter_sha256"] = identity(made["adapter"])
        return made

    def close(self) -> None:
        """Close all of them."""
        for one in self._by_digest.values():
            one.close()
        self._by_digest.clear()


def _engine(config: Config, name: str) -> tuple[Table, ModuleType]:
    """The table that stands for one when likelihoods are asked, and its engine. Raises ConfigError."""
    table = config.table("model", name)
    if table.use == "fallback":
        settings: Any = table.settings
        return _engine(config, settings.models[0])
    if table.use == "auto":
        same = catalog.load("model", OF_AUTO).Settings(**table.settings.model_dump())
        table = replace(table, use=OF_AUTO, settings=same)
    module = catalog.load("model", table.use)
    if not hasattr(module, "text_likelihoods"):
        what = f"{config.path.name}: [model.{name}] use: '{table.use}' does not tell how probable given texts are"
        raise ConfigError(what, cure='write use = "openvino", "hf", "llama.cpp" or "openai"')
    return table, module
