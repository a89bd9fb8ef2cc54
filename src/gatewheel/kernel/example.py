"""The noun that a trainer takes."""

from __future__ import annotations

from dataclasses import dataclass

from gatewheel.kernel.nouns import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One thing to learn: what a model is told, exactly as an application would tell it, and what it should reply.

    `case` is the `split_key` of the case that it was made of. One that `validates` is never learned, only looked at.
    """

    prompt: tuple[Message, ...]
    reply: str
    case: str = ""
    validates: bool = False
