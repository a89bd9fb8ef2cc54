"""Who pays for a run that was begun over HTTP: what its models cost is booked on a key, and a spent day ends the run.

Likelihoods are not booked, since no engine says what they cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Completion, Message, Usage
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.ops import keys, spending

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class Payer:
    """A key, by its id; "" is the owner. `most` are the dollars that may be spent a day by all together."""

    engine: Engine
    key: str
    most: float | None

    def paying(self, model: Model) -> Model:
        """The same model, each answer of which is booked."""
        return Paid(model, lambda usage: spending.spend(self.engine, self.key, usage))

    def refuse_spent(self) -> None:
        """Raises UserError when the dollars of today are spent. What is under way is paid for all the same."""
        key = next((one for one in keys.every(self.engine) if one.id == self.key), None)
        if what := spending.spent(self.engine, key, most=self.most):
            raise UserError(what, cure="what was answered stays: resume the run after midnight UTC, or raise the limit")


@dataclass(frozen=True, slots=True)
class Paid:
    """Fulfils the port Model."""

    model: Model
    book: Callable[[Usage], None]

    @property
    def name(self) -> str:
        """As the model's own."""
        return self.model.name

    @property
    def context_length(self) -> int:
        """As the model's own."""
        return self.model.context_length

    @property
    def parallel(self) -> int:
        """As the model's own."""
        return self.model.parallel

    def count_tokens(self, text: str) -> int:
        """As the model's own."""
        return self.model.count_tokens(text)

    def chat(self, messages: Sequence[Message], *, decoding: Decoding, on_text: OnText | None = None) -> Completion:
        """As the model's own, and booked."""
        said = self.model.chat(messages, decoding=decoding, on_text=on_text)
        self.book(said.usage)
        return said

    def close(self) -> None:
        """As the model's own."""
        self.model.close()
