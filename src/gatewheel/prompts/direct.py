"""The application without documents: a question is put to a model as a prompt file says, and what it says is given.

For sorting, extracting, rewriting: whatever the question itself brings all that is needed for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel import trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Message
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.kernel.trace import Recorder

_UNSEEN = {code: None for code in range(32) if chr(code) not in "\n\t"}


class Settings(BaseModel):
    """`[app.<name>] use = "direct"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field("chat", json_schema_extra={"names": "model"}, description="Which [model.*] writes.")
    prompt: str = Field(description="prompts/<name>.md; it is given the question.")
    max_tokens: int = Field(256, ge=1, description="Tokens of the answer at most.")
    temperature: float = Field(0.0, ge=0, le=2, description="0 takes the likeliest word each time.")
    repetition_penalty: float = Field(1.0, ge=1, le=2, description="1 is none.")
    seed: int = Field(0, description="Of the sampling, when the temperature is above 0.")


class Prompt(Protocol):
    """What the application needs of a prompt file."""

    def render(self, *, question: str, passages: Sequence[object], history: Sequence[Message]) -> list[Message]: ...


class Question(Protocol):
    """What is asked, with the turns before it and a JSON Schema when the answer is JSON."""

    @property
    def text(self) -> str: ...
    @property
    def history(self) -> Sequence[Message]: ...
    @property
    def schema(self) -> Mapping[str, Any] | None: ...


class Listener(Protocol):
    """Who wants to see the answer grow."""

    @property
    def on_text(self) -> OnText | None: ...


@dataclass(frozen=True, kw_only=True)
class App:
    """One variant at work."""

    settings: Settings
    model: Callable[[], Model]
    prompt: Prompt
    variant: str

    def messages(self, question: Question) -> list[Message]:
        """What the model is told: the system text, the turns before, the question as the prompt puts it."""
        said = self.prompt.render(question=clean(question.text), passages=(), history=question.history)
        return [*said[:-1], *question.history, said[-1]]

    def answer(self, question: Question, *, recorder: Recorder, listener: Listener) -> Answer:
        """What the model says. Raises UserError for an empty question, ModelError, PromptError."""
        messages, model = self.messages(question), self.model()
        decoding = Decoding(
            max_tokens=self.settings.max_tokens,
            temperature=self.settings.temperature,
            repetition_penalty=self.settings.repetition_penalty,
            seed=self.settings.seed,
            schema=question.schema,
        )
        with recorder.span("generate", **trace.chat_request(model.name, messages, decoding)) as span:
            completion = model.chat(messages, decoding=decoding, on_text=listener.on_text)
            span |= trace.chat_response(completion)
        return Answer(
            answer=completion.text.strip(),
            abstained=False,
            citations=(),
            passages=(),
            sentences=(),
            usage=completion.usage,
            seconds=recorder.seconds(),
            variant=self.variant,
            trace=None,
            draft=completion.text,
        )


def clean(question: str) -> str:
    """A question without control characters and outer white space. Raises UserError when nothing is left."""
    text = question.translate(_UNSEEN).strip()
    if not text:
        raise UserError("the question is empty", cure="send the text that the application is to work on")
    return text


def create(settings: Settings, *, model: Callable[[], Model], prompt: Prompt, variant: str) -> App:
    """The application of these parts."""
    return App(settings=settings, model=model, prompt=prompt, variant=variant)
