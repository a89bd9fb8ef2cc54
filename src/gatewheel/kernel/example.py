"""The noun that a trainer takes."""

from __future__ import annotations

from dataclasses import dataclass

from gatewheel.kernel.nouns import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One thing to learn: what a model is told, exactly as an application would tell it, and what it should reply.

    Examples of a `group` are not independent of each other: those of one document or conversation, or of one case. One
    that `validates` is never learned, only looked at; while none says whether it does, the trainer draws some.
    """

    prompt: tuple[Message, ...]
    reply: str
    group: str = ""
    validates: bool | None = None
