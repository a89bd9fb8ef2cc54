"""The application: a question to an answer whose every sentence is supported, or an abstention.

Its three stages stand one after another in `App.answer`: input handling (question.py), context construction
(context.py) and output processing (output.py), with the model between the second and the third.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Answer, Completion, Hit, Message, Usage
from gatewheel.kernel.ports import Checker, Decoding, Model, Retriever
from gatewheel.kernel.trace import Recorder
from gatewheel.rag.context import Context, Numbered, build
from gatewheel.rag.output import Abstained, Checked, Evidence, Fields, Prose
from gatewheel.rag.question import Question, clean, standalone


class Settings(BaseModel):
    """`[app.<name>] use = "answer"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field("chat", json_schema_extra={"names": "model"}, description="Which [model.*] writes.")
    retriever: str = Field("main", json_schema_extra={"names": "retriever"}, description="Which [retriever.*] finds.")
    checker: str = Field("main", json_schema_extra={"names": "checker"}, description="Which [checker.*] judges.")
    prompt: str = Field("answer", description="prompts/<name>.md")
    candidates: int = Field(10, ge=1, le=200, description="Passages retrieved for a question.")
    passages: int = Field(3, ge=1, le=100, description="Passages shown to the model at most.")
    budget: int = Field(1_000, ge=50, description="Tokens of passages in the prompt at most.")
    max_tokens: int = Field(96, ge=1, description="Tokens of the answer at most.")
    temperature: float = Field(0.0, ge=0, le=2, description="0 takes the likeliest word each time.")
    repetition_penalty: float = Field(1.0, ge=1, le=2, description="1 is none.")
    seed: int = Field(0, description="Of the sampling, when the temperature is above 0.")
    unsupported: Literal["drop", "flag"] = Field("drop", description="What happens to a sentence without support.")
    mode: Literal["draft", "draft-or-quote", "quote"] = Field(
        "draft-or-quote",
        description="Let the model write and abstain when nothing it wrote is supported; quote the passage then "
        "instead; or quote always, without a model.",
    )
    abstention: str = Field("Your documents do not say.", description="The answer when nothing supported is left.")


class Prompt(Protocol):
    """What the application needs of a prompt file."""

    def render(self, *, question: str, passages: Sequence[object], history: Sequence[Message]) -> list[Message]: ...


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who wants to see an answer grow. Each is optional."""

    on_hits: Callable[[Sequence[Hit]], None] | None = None
    on_text: Callable[[str], bool | None] | None = None
    on_sentence: Callable[[Checked], None] | None = None


SILENT = Listener()


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the model would be told for a question, and from what: the search, what it found, the passages that fit."""

    messages: Sequence[Message]
    query: str
    hits: Sequence[Hit]
    numbered: Sequence[Numbered]


@dataclass(frozen=True, kw_only=True)
class App:
    """One variant at work. `model` is a callable, because a question that is refused early needs none."""

    settings: Settings
    model: Callable[[], Model]
    retriever: Retriever
    checker: Checker
    prompt: Prompt
    variant: str

    def answer(self, question: Question, *, recorder: Recorder, listener: Listener = SILENT) -> Answer:
        """Answer from the documents. Raises UserError for a bad question, FilterError, ModelError, PromptError."""
        asked = replace(question, text=clean(question.text))
        query = standalone(asked.text, asked.history)
        hits = self._retrieve(query, asked.where, recorder)
        if listener.on_hits:
            listener.on_hits(hits)
        with recorder.span("check question") as span:
            answerable = self.checker.answerable(query, hits) if hits else 0.0
            span["gatewheel.answerable"] = answerable
        if not hits or answerable < self.checker.threshold:
            return self._answer(Abstained(self.settings.abstention), hits, None, recorder)
        if self.settings.mode == "quote" and asked.schema is None:
            return self._quoted(query, hits, recorder, listener)
        with recorder.span("build context") as span:
            context = self.context(asked, hits)
            span["gatewheel.passages"] = len(context.numbered)
            span["gatewheel.context.tokens"] = context.tokens
            span["gatewheel.context.duplicates"] = context.duplicates
        output = self._output(asked, context, listener)
        completion = self._generate(asked, context, output, recorder, listener)
        with recorder.span("check") as span:
            output.finish(cut=completion.finish in ("length", "cancelled"))
            span["gatewheel.sentences"] = len(output.sentences)
            span["gatewheel.supported"] = sum(s.supported for s in output.sentences)
            if self.settings.mode == "draft-or-quote" and isinstance(output, Prose) and output.abstained:
                span["gatewheel.quoted"] = True
                self._quote(query, hits, output)
        return self._answer(output, hits, completion, recorder)

    def _quoted(self, query: str, hits: Sequence[Hit], recorder: Recorder, listener: Listener) -> Answer:
        output = self._output(
            Question(text=query), Context(numbered=(), tokens=0, duplicates=0, over_budget=0), listener
        )
        assert isinstance(output, Prose)
        with recorder.span("quote"):
            self._quote(query, hits, output)
        return self._answer(output, hits, None, recorder)

    def messages(self, question: Question) -> list[Message]:
        """What the model is told: the passages that are found, and the question. Raises UserError, FilterError."""
        return list(self.told(question).messages)

    def told(self, question: Question) -> Told:
        """What the model would be told, if it is asked at all, which `refuses` says. Raises UserError, FilterError."""
        asked = replace(question, text=clean(question.text))
        query = standalone(asked.text, asked.history)
        hits = self.retriever.retrieve(query, k=self.settings.candidates, where=asked.where)
        numbered = self.context(asked, hits).numbered
        return Told(messages=self._messages(asked, numbered), query=query, hits=hits, numbered=numbered)

    def refuses(self, told: Told) -> bool:
        """Whether the answer would be an abstention before the model is asked."""
        return not told.hits or self.checker.answerable(told.query, told.hits) < self.checker.threshold

    def _retrieve(self, query: str, where: str, recorder: Recorder) -> list[Hit]:
        with recorder.span("retrieve", **{trace.OPERATION: "retrieval", trace.QUERY: query}) as span:
            hits = self.retriever.retrieve(query, k=self.settings.candidates, where=where)
            # the source too: a passage has another id once its document is edited
            span[trace.DOCUMENTS] = [
                {"id": hit.passage.id, "source": hit.passage.source, "score": round(hit.score, 6)} for hit in hits
            ]
        return hits

    def context(self, question: Question, hits: Sequence[Hit]) -> Context:
        """The numbered passages that fit the model's context beside the question and the conversation."""
        model = self.model()
        # what the template, the question and the conversation take is not available to passages
        fixed = sum(model.count_tokens(m.content) + 8 for m in self._messages(question, ()))
        room = model.context_length - self.settings.max_tokens - fixed
        budget = max(50, min(self.settings.budget, room))
        return build(hits, count_tokens=model.count_tokens, budget=budget, most=self.settings.passages)

    def _messages(self, question: Question, passages: Sequence[object]) -> list[Message]:
        return self.prompt.render(question=question.text, passages=passages, history=question.history)

    def _output(self, question: Question, context: Context, listener: Listener) -> Prose | Fields:
        evidence = Evidence(self.checker, tuple(numbered.passage for numbered in context.numbered))
        if question.schema is not None:
            return Fields(evidence, abstention=self.settings.abstention)
        return Prose(
            evidence,
            question=question.text,
            abstention=self.settings.abstention,
            keep_unsupported=self.settings.unsupported == "flag",
            on_sentence=listener.on_sentence,
        )

    def _generate(
        self, question: Question, context: Context, output: Prose | Fields, recorder: Recorder, listener: Listener
    ) -> Completion:
        model = self.model()
        decoding = Decoding(
            max_tokens=self.settings.max_tokens,
            temperature=self.settings.temperature,
            repetition_penalty=self.settings.repetition_penalty,
            seed=self.settings.seed,
            schema=question.schema,
        )

        def receive(piece: str) -> bool:
            stop = listener.on_text(piece) if listener.on_text else False
            output.feed(piece)
            return bool(stop) or output.stuck

        messages = self._messages(question, context.numbered)
        with recorder.span("generate", **trace.chat_request(model.name, messages, decoding)) as span:
            completion = model.chat(messages, decoding=decoding, on_text=receive)
            span |= trace.chat_response(completion)
        return completion

    def _quote(self, query: str, hits: Sequence[Hit], output: Prose) -> None:
        found = self.checker.quote(query, hits)
        if found.end > found.start:
            output.quote(hits[found.passage].passage, found)

    def _answer(
        self, output: Abstained | Prose | Fields, hits: Sequence[Hit], completion: Completion | None, recorder: Recorder
    ) -> Answer:
        return Answer(
            answer=output.text,
            abstained=output.abstained,
            citations=tuple(output.citations),
            passages=tuple(hits),
            sentences=tuple(output.sentences),
            usage=completion.usage if completion else Usage(),
            seconds=recorder.seconds(),
            variant=self.variant,
            trace=None,
            draft=completion.text if completion else "",
        )


def create(
    settings: Settings,
    *,
    model: Callable[[], Model],
    retriever: Retriever,
    checker: Checker,
    prompt: Prompt,
    variant: str,
) -> App:
    """The application of these parts."""
    return App(settings=settings, model=model, retriever=retriever, checker=checker, prompt=prompt, variant=variant)
