"""From what was written to what is sent: the parts that chat, completions and responses share."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import cast

from gatewheel.kernel.nouns import Answer, TokenLogprob, Usage
from gatewheel.serve.v1.shapes import (
    CallShape,
    Finish,
    Grounding,
    Likely,
    Logprobs,
    Retrieved,
    TokenShape,
    UsageShape,
)
from gatewheel.serve.v1.writing import Written

FINGERPRINT = 16  # hex digits of a variant's id
NO_GROUNDING: Grounding = {
    "citations": [],
    "abstained": False,
    "variant": None,
    "trace": None,
    "passages": [],
    "ignored": [],
}
_BROKEN = "\ufffd"


def new_id(prefix: str) -> str:
    """Never used before."""
    return f"{prefix}{secrets.token_hex(16)}"


def finish_reason(written: Written) -> Finish:
    """OpenAI's word for how it ended; nobody reads what was cancelled."""
    return cast("Finish", written.finish) if written.finish in ("stop", "length", "tool_calls") else "stop"


def usage(written: Sequence[Written]) -> UsageShape:
    """Tokens of all choices; the prompt, which they share, is counted once."""
    return total([one.usage for one in written[:1]], [one.usage for one in written])


def total(prompts: Sequence[Usage], outputs: Sequence[Usage]) -> UsageShape:
    """Tokens read and written."""
    read = sum(one.input_tokens for one in prompts)
    wrote = sum(one.output_tokens for one in outputs)
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def fingerprint(written: Sequence[Written]) -> str | None:
    """The beginning of the variant's id, which changes whenever its answers might."""
    answer = written[0].answer if written else None
    return f"gw_{answer.variant[:FINGERPRINT]}" if answer else None


def grounding(written: Written) -> Grounding:
    """The extension field."""
    answer = written.answer
    if answer is None:
        return {**NO_GROUNDING, "trace": written.trace}
    return {
        "citations": [
            {"n": c.n, "source": c.source, "span": c.span, "quote": c.quote, "page": c.page} for c in answer.citations
        ],
        "abstained": answer.abstained,
        "variant": answer.variant,
        "trace": answer.trace,
        "passages": _passages(answer),
        "ignored": list(written.ignored),
    }


def _passages(answer: Answer) -> list[Retrieved]:
    return [
        {
            "id": hit.passage.id,
            "source": hit.passage.source,
            "span": hit.passage.span,
            "page": hit.passage.page,
            "score": round(hit.score, 6),
            "text": hit.passage.text,
        }
        for hit in answer.passages
    ]


def tool_calls(written: Written) -> list[CallShape]:
    """What the model calls."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in written.tool_calls
    ]


def logprobs(tokens: Sequence[TokenLogprob]) -> Logprobs | None:
    """Log-probabilities in the form of chat; None when there are none."""
    return {"content": token_logprobs(tokens), "refusal": None} if tokens else None


def token_logprobs(tokens: Sequence[TokenLogprob]) -> list[TokenShape]:
    """One for each token."""
    return [
        {**_likely(one.token, one.logprob), "top_logprobs": [_likely(token, value) for token, value in one.top]}
        for one in tokens
    ]


def _likely(token: str, logprob: float) -> Likely:
    exact = None if _BROKEN in token else list(token.encode("utf-8", "replace"))
    return {"token": token, "logprob": logprob, "bytes": exact}
