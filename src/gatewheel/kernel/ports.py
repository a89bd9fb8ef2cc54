"""The small Protocols through which rooms meet. tests/contracts/test_<kind>.py tests whoever fulfils one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from gatewheel.kernel.likelihood import Likelihood, Place
from gatewheel.kernel.nouns import Answer, Case, Chunk, Completion, Document, Hit, Message, Passage, Refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Offsets = NDArray[np.int32]
    Scores = NDArray[np.float64]

OnText = Callable[[str], bool | None]
"""Receives each piece of a stream; returning True stops the generation. An empty piece only asks whether to go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How a model is to write. `schema` is a JSON Schema that the text must validate against.

    `logprobs` asks for the log-probability of each token and of so many of the likeliest at its place.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = 0
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    repetition_penalty: float = 1.0
    logprobs: int | None = None


class Model(Protocol):
    """A chat model. Sync; `parallel` calls are under way at once, the others wait for their turn."""

    @property
    def name(self) -> str: ...
    @property
    def context_length(self) -> int: ...
    @property
    def parallel(self) -> int: ...
    def count_tokens(self, text: str) -> int: ...
    def chat(self, messages: Sequence[Message], *, decoding: Decoding, on_text: OnText | None = None) -> Completion: ...
    def close(self) -> None: ...


class Likelihoods(Protocol):
    """A model that says how probable given texts are, without writing any. Sync; one call at a time."""

    def likelihoods(self, prompt: str, continuations: Sequence[str]) -> list[Likelihood]:
        """Of each continuation after the prompt, which is read once. Raises ModelError beyond the context length."""

    def rolling(self, text: str) -> Likelihood:
        """Of a whole text, in windows of the context length where it is longer."""


@runtime_checkable
class Vocabulary(Protocol):
    """The tokens of a model, and how likely each of a text is. Sync; one call of `places` at a time."""

    @property
    def length(self) -> int:
        """Tokens that are read at most."""

    def encode(self, text: str) -> list[int]:
        """None is added; a control token that the text spells out is one."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Every token as text, control tokens too."""

    def specials(self) -> Mapping[str, str]:
        """`bos_token`, `eos_token` and `chat_template`, as transformers calls them; those that there are."""

    def places(self, tokens: Sequence[int], *, top: int) -> list[Place]:
        """One for each token, and one more for the token that would come next. Raises PromptTooLong."""


class Tokens(Protocol):
    """Where the tokens of a text begin, in the encoder's own vocabulary."""

    def starts(self, text: str) -> Offsets:
        """Character offset at which each token starts, ascending, int32, shape (tokens,); no special tokens."""


class Encoder(Tokens, Protocol):
    """Texts to unit vectors. `id` changes whenever the vectors would."""

    @property
    def id(self) -> str: ...
    @property
    def dimensions(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, float32, shape (len(texts), dimensions)."""


class Contextual(Encoder, Protocol):
    """An encoder that also tells what each token means where it stands."""

    def token_vectors(self, texts: Sequence[str]) -> list[tuple[Offsets, Vectors]]:
        """For each text the spans of its tokens, int32 (tokens, 2), and unit rows, float32 (tokens, dimensions).

        No special tokens; the whole text, however long.
        """


class Reader(Protocol):
    """A file of one format to documents. Most files hold one; a JSONL file holds one a line.

    A Refusal stands for a record that was left out while the others go on; SourceError for the whole file.
    """

    def read(self, path: Path, *, source: str) -> Iterable[Document | Refusal]: ...


class Chunker(Protocol):
    """A text to spans that cover every character that is not white space."""

    def split(self, document: Document, *, tokens: Tokens) -> Sequence[Chunk]: ...


class Index(Protocol):
    """Nearest vectors, derived from the store and rebuildable at any time."""

    def search(self, vector: Vectors, *, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        """Row numbers of passages with their cosine, best first; `among` restricts the rows."""


class Passages(Protocol):
    """What a retriever sees of the store: rows by terms, rows by vector, and the passages behind rows."""

    def by_terms(self, question: str, *, k: int, where: str = "") -> list[tuple[int, float]]: ...
    def by_vector(self, vector: Vectors, *, k: int, where: str = "") -> list[tuple[int, float]]: ...
    def fetch(self, rows: Sequence[int]) -> Mapping[int, Passage]: ...


class Metric(Protocol):
    """A number for an answer to a case; later also a reward.

    `bounds` are the least and the greatest value of one case, infinite where there are none. `score` gives None where
    the metric does not apply. A figure that is no mean has several numbers a case, and `figure` makes it of all rows.
    """

    @property
    def better(self) -> Literal["higher", "lower"]: ...
    @property
    def bounds(self) -> tuple[float, float]: ...
    def score(self, case: Case, answer: Answer) -> float | tuple[float, ...] | None: ...
    def figure(self, rows: Scores) -> float:
        """The metric of many cases, from float64 rows of shape (cases, numbers a case)."""


@runtime_checkable
class OfRepeats(Protocol):
    """What a metric has besides where the repeats of a case make one number that is not their mean, such as pass@k."""

    @property
    def repeats(self) -> int:
        """So many answers to each case at least."""

    def together(self, numbers: Sequence[float]) -> float:
        """What the numbers of a case come to; it then stands in each of its rows."""


@runtime_checkable
class Stoppable(Protocol):
    """What a metric has besides where one case may take it long, such as a judge behind an endpoint."""

    def stop(self) -> None:
        """Whoever asked has left: what is under way ends soon, whatever comes of it. Any thread may call it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileState:
    """What the ledger knows of a file. `sha256` is empty while the file is only partly read."""

    id: int
    source: str
    sha256: str
    size: int
    mtime_ns: int
    recipe: str
    named: bool
    refusals: tuple[Refusal, ...] = ()
    documents: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A document ready to be written: its passages, for each the text that the encoder sees, and its vector's key.

    The three have the same length. They may be made as they are read, so read them in slices and once.
    """

    document: Document
    sha256: str
    passages: Sequence[Passage]
    contexts: Sequence[str]
    keys: Sequence[str]


class Ledger(Protocol):
    """What ingestion sees of the store. Every method is one transaction."""

    def files(self) -> dict[str, FileState]: ...
    def open_file(self, source: str, *, size: int, mtime_ns: int, recipe: str, named: bool) -> int: ...
    def close_file(
        self, source: str, *, sha256: str, refusals: Sequence[Refusal] = (), keep: Collection[str] = ()
    ) -> int: ...
    def touch_file(self, source: str, *, size: int, mtime_ns: int, named: bool) -> None: ...
    def remove_file(self, source: str) -> int: ...
    def known_documents(self, file_id: int) -> dict[str, str]: ...
    def missing_vectors(self, keys: Sequence[str]) -> set[str]: ...
    def add_vectors(self, keys: Sequence[str], rows: Vectors) -> None: ...
    def write(self, entries: Sequence[tuple[int, Entry]]) -> None: ...
    def tidy(self) -> int: ...
    def totals(self) -> tuple[int, int]: ...


class Retriever(Protocol):
    """A question to located passages, best first."""

    def retrieve(self, question: str, *, k: int, where: str = "") -> list[Hit]: ...


class Checker(Protocol):
    """How well evidence supports a claim, and whether hits can answer a question at all. All scores are in 0..1."""

    @property
    def support_threshold(self) -> float: ...
    @property
    def threshold(self) -> float:
        """Below it a question counts as not answerable."""

    def support(self, claims: Sequence[str], passages: Sequence[Passage]) -> list[Support]: ...
    def answerable(self, question: str, hits: Sequence[Hit]) -> float: ...
    def quote(self, question: str, hits: Sequence[Hit]) -> Support:
        """The sentence of the hits that most likely holds the answer; an empty span when there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Support:
    """The best evidence for one claim: score in 0..1, index of the passage and span inside the document."""

    score: float
    passage: int
    start: int
    end: int
