"""Fills the sample project with traces and feedback by really asking, through the API of the running service.

What was asked before is not asked again, and feedback that was given is given once, so a second start changes nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import config
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.serve.service import Service

if TYPE_CHECKING:
    import httpx2

FOLDER = "gatewheel-demo"  # made where the current folder holds other things, so that none of them is ingested
SIGN = Path("docs") / "architecture.md"  # what only the sample has
EVERY = 5.0  # seconds between two notes of progress
KEY = "GATEWHEEL_API_KEY"
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A question, the words that a right answer holds, and what it should have been; no words: no answer exists."""

    question: str
    expects: tuple[str, ...]
    source: str
    correction: str


def prepare(folder: Path, *, say: Say) -> Path:
    """The folder of the sample project, made if there is none. Raises UserError where another project stands."""
    from gatewheel.loop import starting

    try:
        root = config.find(folder).parent
    except ConfigError:
        root = folder if not any(folder.iterdir()) else folder / FOLDER
        if not (root / config.CONFIG_FILE).exists():
            starting.init(root, sample=True)
            say(f"made a sample project in {root.resolve()}")
    if not (root / SIGN).is_file():
        raise UserError(
            f"the project in {root} is not the sample, and the demo asks about the sample's documents",
            cure="run `gatewheel serve --demo` in an empty folder",
        )
    return root


def cases() -> list[Case]:
    """The questions of the demo."""
    text = (resources.files("gatewheel") / "sample" / "questions.jsonl").read_text(encoding="utf-8")
    lines = (json.loads(line) for line in text.splitlines() if line)
    return [Case(**{**line, "expects": tuple(line["expects"])}) for line in lines]


def fill(service: Service, url: str, *, say: Say) -> None:
    """Ask what was not asked yet and give feedback; stops when the service does. Says how long it will take."""
    import httpx2

    headers = {"Authorization": f"Bearer {os.environ[KEY]}"} if os.environ.get(KEY) else {}
    with httpx2.Client(base_url=url, timeout=600, headers=headers) as client:
        try:
            missing = [(number, case) for number, case in enumerate(cases()) if not _trace(client, case.question)]
            for done, (number, case) in enumerate(_told(missing, say), start=1):
                if service.closing.is_set():
                    return
                answer = _ok(client.post("/api/ask", json={"question": case.question}))
                if answer["trace"] is None:
                    say("the demo needs [trace] store = true and sample = 1")
                    return
                if said := feedback_on(case, number, answer):
                    _ok(client.post("/api/feedback", json={"trace": answer["trace"], **said}))
                if done == len(missing):
                    say(f"the demo is filled: {done} questions asked")
        except (httpx2.HTTPError, UserError) as error:
            if not service.closing.is_set():
                say(f"the demo stopped: {error}")


def feedback_on(case: Case, number: int, answer: dict[str, Any]) -> dict[str, Any]:
    """What a reader who knows the right answer would say; nothing for a third of those who find it right."""
    markers = [citation["n"] for citation in answer["citations"]]
    if not case.expects:
        if answer["abstained"]:
            return {"thumb": "up", "comment": "Right: the documents do not say."} if number % 3 else {}
        return {"thumb": "down", "comment": "The documents do not say this.", "wrong_citations": markers}
    if answer["abstained"]:
        return {"thumb": "down", "comment": f"They do say it: {case.source}", "correction": case.correction}
    if all(word in answer["answer"].casefold() for word in case.expects):
        return {"thumb": "up"} if number % 3 else {}
    elsewhere = [citation["n"] for citation in answer["citations"] if citation["source"] != case.source]
    return {"thumb": "down", "correction": case.correction, "wrong_citations": elsewhere}


def _told(missing: list[tuple[int, Case]], say: Say) -> Iterator[tuple[int, Case]]:
    began = last = time.monotonic()
    for done, each in enumerate(missing):
        if done == 0 or time.monotonic() - last >= EVERY:
            last = time.monotonic()
            left = f", about {(last - began) / done * (len(missing) - done):.0f} s left" if done else ""
            say(f"the demo asks: {done} of {len(missing)} questions{left}")
        yield each


def _trace(client: httpx2.Client, question: str) -> bool:
    found = _ok(client.get("/api/traces", params={"q": question, "limit": 1000}))["traces"]
    return any(one["question"] == question and not one["error"] for one in found)


def _ok(response: httpx2.Response) -> Any:
    if response.status_code in (401, 403):
        cure = f"set {KEY} to one that may ask, feed back and operate"
        raise UserError("this project has API keys, and the demo was given none that will do", cure=cure)
    if response.is_error:
        raise UserError(f"{response.request.url.path}: {response.text}")
    return response.json()
