"""The Python API: the words of the command line as methods.

import gatewheel as gw

project = gw.open(".")
project.ingest()
answer = project.ask("What does a gate decide?")
print(answer.answer, [c.quote for c in answer.citations])
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import config, trace
from gatewheel.kernel.nouns import Answer, Caller, Completion, Document, Feedback, Hit, Message, Report, Trace, Variant
from gatewheel.kernel.ports import Decoding, OnText
from gatewheel.kernel.trace import Recorder
from gatewheel.loop import ask as asking
from gatewheel.loop import starting
from gatewheel.loop.compose import Parts
from gatewheel.rag.answer import SILENT, Listener
from gatewheel.rag.question import Question

if TYPE_CHECKING:
    from gatewheel.loop.evaluate import Wanted
    from gatewheel.loop.following import Followed
    from gatewheel.loop.progress import OnProgress
    from gatewheel.loop.tuned_models import TunedModels
    from gatewheel.rag.ingest import Ingested, Progress


def open(folder: str | Path = ".", *, say: Callable[[str], None] | None = None) -> Project:  # noqa: A001 (gw.open)
    """The project in this folder or above. Raises ConfigError when there is none or its file is wrong."""
    return Project(config.load(config.find(Path(folder))), say=say)


def init(folder: str | Path = ".", *, sample: bool = False) -> Project:
    """Make a project in a folder, with documents to try when `sample`. Raises ProjectError when there is one."""
    starting.init(Path(folder), sample=sample)
    return open(folder)


class Project:
    """An open project. Parts are loaded at first use; `close` or `with` lets go of them."""

    def __init__(
        self,
        settings: config.Config,
        *,
        say: Callable[[str], None] | None = None,
        parts: Parts | None = None,
        caller: Caller = Caller(),  # noqa: B008 (frozen)
        followed: Followed | None = None,
        tuned: TunedModels | None = None,
    ) -> None:
        self.config = settings
        self.parts = parts or Parts(settings, say=say)
        self.caller = caller
        self.followed = followed
        self.tuned = tuned

    def seen_by(self, caller: Caller) -> Project:
        """The same project as this caller sees it: only documents that its groups may see, traces under its key."""
        return Project(self.config, parts=self.parts, caller=caller, followed=self.followed, tuned=self.tuned)

    def following(self) -> Project:
        """The same project, answering by its releases. Raises ProjectError when one cannot be made again."""
        from gatewheel.loop.following import Followed
        from gatewheel.loop.tuned_models import TunedModels

        followed = Followed(self.parts)
        followed.look()
        tuned = TunedModels(self.parts)
        return Project(self.config, parts=self.parts, caller=self.caller, followed=followed, tuned=tuned)

    @contextmanager
    def answering(self, app: str = "main") -> Iterator[Parts]:
        """The parts that answer for an application: those of its release where releases are followed."""
        if self.followed is None:
            yield self.parts
            return
        with self.followed.serving(app) as parts:
            yield parts

    @contextmanager
    def having(self, model: str) -> Iterator[Parts]:
        """The parts that have a model of this name: one of the file, or one that the tuning API made."""
        if self.tuned is None or ("model", model) in self.config.tables:
            yield self.parts
            return
        with self.tuned.serving(model) as parts:
            yield parts

    def config_with(self, model: str) -> config.Config:
        """The configuration that has a model of this name. Loads no weights."""
        with self.having(model) as parts:
            return parts.config

    def ingest(self, paths: Sequence[str] = (), *, on_progress: Callable[[Progress], None] | None = None) -> Ingested:
        """Bring the index in line with the files of [sources], or read `paths`, in this process."""
        from gatewheel.kernel.durable import exclusive
        from gatewheel.loop.ingest import ingest

        with exclusive(self.config.state):
            result = ingest(self.parts, paths, on_progress=on_progress)
        self.parts.forget_index()
        return result

    def evaluate(self, wanted: str | Wanted, *, on_progress: OnProgress | None = None) -> Report:
        """Ask the cases of a suite, by its name or as Wanted says, and score the answers, in this process.

        What was answered before is not asked again. Raises UserError for a suite that cannot be read.
        """
        from gatewheel.kernel.durable import exclusive
        from gatewheel.loop.evaluate import Wanted, evaluate

        wanted = Wanted(suite=wanted) if isinstance(wanted, str) else wanted
        with exclusive(self.config.state):
            return evaluate(self.parts, wanted, on_progress=on_progress)

    def search(self, query: str, *, k: int = 10, where: str = "", retriever: str = "main") -> list[Hit]:
        """The k best passages. Raises UserError for an empty query, FilterError for a bad `where`."""
        from gatewheel.rag.question import clean

        return self.parts.retriever(retriever, groups=self.caller.groups).retrieve(clean(query), k=k, where=where)

    def ask(
        self,
        question: str | Question,
        *,
        app: str = "main",
        where: str = "",
        listener: Listener = SILENT,
        recorder: Recorder | None = None,
    ) -> Answer:
        """An answer from the documents with citations, or an abstention.

        A Question carries what a plain text cannot: earlier turns, or a JSON Schema that the answer must follow.
        Raises UserError for an empty question, FilterError, ModelError or PromptError.
        """
        if isinstance(question, str):
            question = Question(text=question, where=where)
        with self.answering(app) as parts:
            return asking.ask(parts, question, name=app, listener=listener, recorder=recorder, caller=self.caller)

    def chat(self, *, app: str = "main", where: str = "") -> Chat:
        """A conversation: each question is understood with those before it."""
        return Chat(self, app=app, where=where)

    def document(self, source: str) -> Document | None:
        """A document with its whole text, so that `text[slice(*citation.span)]` is the quote; None when unknown."""
        return self.parts.passages(self.caller.groups).document(source)

    def variant(self, app: str = "main") -> Variant:
        """The recipe that answers now."""
        with self.answering(app) as parts:
            return parts.variant(app)

    def traces(self, *, limit: int = 20) -> list[Trace]:
        """The newest recorded questions first."""
        from gatewheel.loop.listen import askers

        return trace.recent(self.parts.engine, limit=limit, keys=askers(self.parts, self.caller))

    def complete(
        self,
        messages: Sequence[Message],
        *,
        model: str = "chat",
        decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
        on_text: OnText | None = None,
    ) -> Completion:
        """What `[model.<name>]` writes, without documents; recorded as a trace of kind completion.

        Raises ConfigError for an unknown model, ModelError.
        """
        from gatewheel.loop.complete import complete

        return complete(
            self.parts, messages, model=model, decoding=decoding, on_text=on_text, caller=self.caller
        ).completion

    def give_feedback(self, trace: str, **said: Any) -> Feedback:
        """Say what you think of an answer: thumb, score, comment, correction, wrong_citations.

        Saying the same twice is saying it once. Raises UserError for an unknown trace or an empty feedback.
        """
        from gatewheel.loop.listen import give

        return give(self.parts, trace, caller=self.caller, **said)

    def feedback(self, *, trace: str = "", limit: int = 100) -> list[Feedback]:
        """The newest feedback first, of one trace or of all."""
        from gatewheel.loop.listen import askers
        from gatewheel.ops.feedback import recent

        return recent(self.parts.engine, trace=trace, limit=limit, keys=askers(self.parts, self.caller))

    def close(self) -> None:
        """Let go of models and connections."""
        if self.tuned:
            self.tuned.close()
        self.parts.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class Chat:
    """A conversation that remembers its turns. An abstention is not remembered as something that was said."""

    def __init__(self, project: Project, *, app: str, where: str) -> None:
        self.project = project
        self.app = app
        self.where = where
        self.history: list[Message] = []

    def ask(self, question: str, *, listener: Listener = SILENT) -> Answer:
        """The next turn."""
        asked = Question(text=question, history=tuple(self.history), where=self.where)
        answer = self.project.ask(asked, app=self.app, listener=listener)
        self.history.append(Message(role="user", content=question))
        if not answer.abstained:
            plain = " ".join(sentence.text for sentence in answer.sentences if sentence.supported)
            self.history.append(Message(role="assistant", content=plain))
        return answer
