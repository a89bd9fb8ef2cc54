"""An OpenAI-compatible endpoint that answers by rule and keeps what it was asked, and a project that asks it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gatewheel as gw
from gatewheel.data import cases as case_files
from gatewheel.kernel.nouns import Case
from listening import Reply, Request, as_json, listening

Rule = Callable[[str], str | int]
"""From the last message to the answer, or to the HTTP status of a refusal."""


@dataclass
class Examinee:
    """Where it listens and what it was asked. `rule` and `seconds`, for which it thinks, may be changed at any time."""

    url: str
    rule: Rule
    seconds: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """The last message of each request."""
        return [request["messages"][-1]["content"] for request in self.requests]

    def forget(self) -> None:
        """What was asked until now."""
        self.requests.clear()


@contextmanager
def examinee(rule: Rule = lambda question: f"answer to {question}", *, seconds: float = 0.0) -> Iterator[Examinee]:
    """An endpoint, listening."""
    one = Examinee(url="", rule=rule, seconds=seconds)

    def answer(request: Request) -> Reply:
        put = request.json()
        one.requests.append(put)
        time.sleep(one.seconds)
        said = one.rule(put["messages"][-1]["content"])
        if isinstance(said, int):
            return as_json(said, {"error": {"message": "refused", "type": "x"}})
        if put.get("stream"):
            return 200, {"Content-Type": "text/event-stream"}, _stream(said).encode()
        return as_json(200, _whole(said))

    with listening(answer) as address:
        one.url = f"{address}/v1"
        yield one


def _whole(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    counted = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    known = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return {**known, "choices": choices, "usage": counted}


def _stream(text: str) -> str:
    said = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    counted = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    known = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**known, "choices": [said]}, {**known, "choices": [end]}, {**known, "choices": [], "usage": counted}]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def project(folder: Path, url: str, *, more: str = "", parallel: int = 2) -> Path:
    """A project whose models chat and other are that endpoint under two names."""
    gw.init(folder).close()
    model = f'use = "openai"\nbase_url = "{url}"\nparallel = {parallel}\nmax_retries = 0\n'
    text = f'[model.chat]\nmodel = "m"\n{model}\n[model.other]\nmodel = "o"\n{model}\n{more}'
    (folder / "gatewheel.toml").write_text(text, encoding="utf-8")
    return folder


def suite(folder: Path, cases: Sequence[Case], *, name: str = "exam", **said: Any) -> None:
    """Write a suite; `said` are keys of its toml. It asks the model chat unless it says otherwise."""
    target: Mapping[str, Any] = {} if "app" in said else {"model": "chat"}
    lines = {"metrics": ["exact-match", "token-f1"], **target, **said}
    case_files.write(folder / "suites" / f"{name}.jsonl", cases)
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
    (folder / "suites" / f"{name}.toml").write_text(text, encoding="utf-8")


def numbered(n: int, **said: Any) -> list[Case]:
    """Cases that the endpoint's usual rule answers rightly."""
    return [Case(id=f"c{at}", question=f"q{at}", references=(f"answer to q{at}",), **said) for at in range(n)]
