"""Completions with `echo`: how likely each token of a prompt is, as it stands, and at most one token more.

What lm-evaluation-harness asks of a server. No template is put around the prompt and no trace is kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from gatewheel.kernel.errors import PromptTooLong
from gatewheel.kernel.likelihood import Place
from gatewheel.kernel.nouns import Caller, Usage
from gatewheel.kernel.ports import Vocabulary
from gatewheel.serve import flow
from gatewheel.serve.fault import Fault
from gatewheel.serve.line import Gone
from gatewheel.serve.service import Service
from gatewheel.serve.speaking import Say
from gatewheel.serve.v1 import replies, vocabulary
from gatewheel.serve.v1.names import Named
from gatewheel.serve.v1.shapes import TextChoice, TextLogprobs, TextShape

MOST = 131_072  # tokens of all prompts of a request: some 10 MB of answer
Prompt = str | list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Echoed:
    """What is asked: `more` tokens after each prompt, 0 or 1; `logprobs` of so many of the likeliest, None for none."""

    named: Named
    prompts: Sequence[Prompt]
    more: int
    logprobs: int | None


async def echo(at: Service, request: Request, caller: Caller, asked: Echoed) -> TextShape:
    """A choice for each prompt, in one place of the line. Raises Fault, GatewheelError, Busy, Gone."""
    project = at.project.seen_by(caller)

    def read(say: Say) -> TextShape:
        words = vocabulary.of(project.parts, asked.named)
        prompts = [words.encode(one) if isinstance(one, str) else one for one in asked.prompts]
        _refuse_much(prompts)
        began, choices, count = time.perf_counter(), [], 0
        try:
            for index, (tokens, given) in enumerate(zip(prompts, asked.prompts, strict=True)):
                if say(None):
                    raise Gone
                choices.append(_choice(words, tokens, given, index=index, asked=asked))
                count += len(tokens)
        finally:
            wrote = asked.more * len(choices)
            usage = Usage(input_tokens=count, output_tokens=wrote, seconds=time.perf_counter() - began)
            flow.account(at, lambda: at.account(caller, asked.named.name, usage))
        return {
            "id": replies.new_id("cmpl-"),
            "object": "text_completion",
            "created": int(time.time()),
            "model": asked.named.name,
            "choices": choices,
            "usage": {"prompt_tokens": count, "completion_tokens": wrote, "total_tokens": count + wrote},
            "system_fingerprint": None,
        }

    return await flow.outcome(at, request, read)


def _refuse_much(prompts: Sequence[Sequence[int]]) -> None:
    if (has := sum(map(len, prompts))) > MOST:
        message = f"prompt: {has:,} tokens together, at most {MOST:,}; send them in several requests"
        raise Fault(400, message, code="too_large", param="prompt")
    if not all(prompts):
        raise Fault(400, "prompt: has no token", code="invalid_value", param="prompt")


def _choice(words: Vocabulary, tokens: list[int], given: Prompt, *, index: int, asked: Echoed) -> TextChoice:
    try:
        places = words.places(tokens, top=max(1, asked.logprobs or 0))
    except PromptTooLong as error:
        raise Fault(400, str(error), code="context_length_exceeded", param="prompt") from error
    if asked.more:
        likeliest, logprob = places[-1].top[0]
        tokens = [*tokens, likeliest]
        places[-1] = Place(logprob=logprob, top=places[-1].top)
    text = words.decode(tokens)
    if isinstance(given, str):
        # the prompt as it was sent, whatever a normaliser made of it
        text = given + (words.decode(tokens[-1:]) if asked.more else "")
    return {
        "index": index,
        "text": text,
        "logprobs": None if asked.logprobs is None else _logprobs(words, tokens, places, top=asked.logprobs),
        "finish_reason": "length",
        "gatewheel": replies.NO_GROUNDING,
    }


def _logprobs(words: Vocabulary, tokens: list[int], places: Sequence[Place], *, top: int) -> TextLogprobs:
    texts, starts = vocabulary.pieces(words, tokens)
    spelt: dict[int, str] = {}
    likeliest: list[dict[str, float] | None] = []
    for place in places[: len(tokens)]:
        named: dict[str, float] = {}
        for token, logprob in place.top[:top]:
            text = spelt.get(token) or spelt.setdefault(token, words.decode([token]))
            named.setdefault(text, logprob)  # parts of characters look alike, and the likelier one comes first
        likeliest.append(None if place.logprob is None else named)
    return {
        "tokens": texts,
        "token_logprobs": [place.logprob for place in places[: len(tokens)]],
        "top_logprobs": likeliest,
        "text_offset": starts,
    }
