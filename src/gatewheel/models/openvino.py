"""Chat with a GGUF file through OpenVINO GenAI; the conversion is kept in the user's cache.

One answer at a time is written in this process, several in one of their own (openvino_batch.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Completion, Message
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.models import logprobs
from gatewheel.models.conversion import kept, load
from gatewheel.models.cores import available_cores
from gatewheel.models.gguf import Header, read_header
from gatewheel.models.likelihoods import TextLikelihoods
from gatewheel.models.openvino_arrays import meet_numpy
from gatewheel.models.openvino_batch import Batch, Batching
from gatewheel.models.openvino_wish import Wish, configuration, first_line, wish
from gatewheel.models.stream import Emit
from gatewheel.models.turn import Written, refuse_long_prompt, take_turn
from gatewheel.models.weights import DEFAULT, ContextLength, Threads, Weights, called, find

SCORES = "openvino, float32"  # what tells likelihoods: another word would be other numbers
TELLS_TOKENS = True  # the reader of `text_likelihoods` fulfils Vocabulary, without weights until they are asked


class Settings(BaseModel):
    """`context_length` is at most this many tokens; a model trained for less has its own. `threads = 0`: all cores.

    `parallel` answers are written in the same steps, each with its own cache of keys and values, which grows as it is
    needed: 23 KB a token for SmolLM2-135M, 46 if `exact`.
    `prompt_cache` keeps the beginnings of prompts, so that the same one is not read again. `exact` computes in float32
    with the weights as the file means them, which is what transformers does; OpenVINO itself keeps at most int8, which
    takes a quarter of the memory and half the time for each token of a single answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Weights = DEFAULT
    context_length: ContextLength = 4096
    threads: Threads = 0
    parallel: int = Field(1, ge=1, le=256, description="Answers written at once; from 2 on in a process of their own.")
    prompt_cache: bool = Field(False, description="Read the same beginning of a prompt once; answers may vary by it.")
    exact: bool = Field(False, description="Weights as the file means them, in float32: as transformers, but slower.")


class Writes(Protocol):
    """What writes tokens after tokens that the tokenizer made, `parallel` of them at once."""

    @property
    def parallel(self) -> int: ...
    def write(self, tokens: Any, wished: Wish, emit: Emit) -> tuple[int, str]:
        """How many were written, and what ended it: stop or length. Raises ModelError, RuntimeError of OpenVINO."""

    def close(self) -> None: ...


def create(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> Model:
    """Load the weights: 0.4 s from the cache for 135M parameters, 4 s the first time, of which `on_progress` is told.

    Raises MissingPart when the weights are not here, ModelError when OpenVINO cannot convert them.
    """
    path = find(settings.weights)
    header = read_header(path)
    length = _length(settings, header)
    tokenizer, writer = _writer(path, settings, on_progress or (lambda _: None))
    meet_numpy()
    name = called(settings.weights)
    return OpenVino(tokenizer, writer, name=name, context_length=length, control_tokens=header.control_tokens)


def _writer(path: Path, settings: Settings, on_progress: Callable[[str], None]) -> tuple[Any, Writes]:
    threads = settings.threads or available_cores()
    if settings.parallel == 1 and not settings.prompt_cache:
        pipeline = load(path, threads=threads, on_progress=on_progress, exact=settings.exact)
        return pipeline.get_tokenizer(), _Alone(pipeline)
    folder = kept(path, threads=threads, on_progress=on_progress, exact=settings.exact)
    on_progress("starting OpenVINO in a process of its own")
    tokenizer = _tokenizer(folder)
    batching = Batching(
        folder=folder,
        threads=threads,
        parallel=settings.parallel,
        prompt_cache=settings.prompt_cache,
        exact=settings.exact,
    )
    return tokenizer, Batch(batching, tokenizer)


def _tokenizer(folder: Path) -> Any:
    from openvino_genai import Tokenizer

    try:
        return Tokenizer(str(folder))
    except RuntimeError as error:
        what = f"OpenVINO cannot read the tokenizer in {folder}: {first_line(error)}"
        raise ModelError(what, cure="delete that folder; it is made again") from error


def text_likelihoods(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> TextLikelihoods:
    """What says how probable texts are to the same weights. It loads them for itself: the pipeline tells no logits.

    Its tokens are there at once, its weights when they are asked. Raises what `create` raises.
    """
    from gatewheel.models.openvino_likelihoods import OpenVinoReader
    from gatewheel.models.openvino_logits import OpenVinoForward

    path = find(settings.weights)
    threads, length = settings.threads or available_cores(), _length(settings, read_header(path))
    say = on_progress or (lambda _: None)
    folder = kept(path, threads=threads, on_progress=say, exact=settings.exact)

    def forward() -> OpenVinoForward:
        say(f"loading {path.name} to tell how likely texts are (up to 10 s the first time)")
        return OpenVinoForward(folder, threads=threads)

    reader = OpenVinoReader(folder, forward=forward, length=length)
    return TextLikelihoods(reader, load=reader.load)


def _length(settings: Settings, header: Header) -> int:
    return min(settings.context_length, header.context_length or settings.context_length)


class OpenVino:
    """One set of weights, its tokenizer, and what writes with them."""

    def __init__(
        self, tokenizer: Any, writer: Writes, *, name: str, context_length: int, control_tokens: Sequence[str]
    ) -> None:
        self._control_tokens = control_tokens
        self._tokenizer = tokenizer
        self._writer = writer
        self._name = name
        self._context_length = context_length
        self._open = True

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_length(self) -> int:
        return self._context_length

    @property
    def parallel(self) -> int:
        return self._writer.parallel

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without special tokens or template."""
        self._alive()
        return int(self._tokenizer.encode(text, add_special_tokens=False).input_ids.shape[1]) if text else 0

    def chat(self, messages: Sequence[Message], *, decoding: Decoding, on_text: OnText | None = None) -> Completion:
        """Answer `messages`. Raises ModelError for a prompt beyond the context or a schema xgrammar cannot follow."""
        self._alive()
        logprobs.refuse(decoding, engine="openvino")
        return take_turn(
            self._write,
            messages,
            decoding=decoding,
            on_text=on_text,
            model=self._name,
            control_tokens=self._control_tokens,
        )

    def close(self) -> None:
        self._open = False
        self._writer.close()

    def _write(self, messages: list[dict[str, str]], decoding: Decoding, emit: Emit) -> Written:
        self._alive()
        try:
            prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True)
            tokens = self._tokenizer.encode(prompt, add_special_tokens=False)
            count = int(tokens.input_ids.shape[1])
            refuse_long_prompt(count, context_length=self._context_length)
            wished = wish(decoding, max_tokens=min(decoding.max_tokens, self._context_length - count))
            written, finish = self._writer.write(tokens, wished, emit)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO refused: {first_line(error)}") from error
        return Written(input_tokens=count, output_tokens=written, finish=finish)

    def _alive(self) -> None:
        if not self._open:
            raise ModelError(f"the model '{self._name}' is closed", cure="make a new one")


class _Alone:
    """One LLMPipeline, one answer at a time."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._busy = threading.Lock()

    @property
    def parallel(self) -> int:
        return 1

    def write(self, tokens: Any, wished: Wish, emit: Emit) -> tuple[int, str]:
        from openvino_genai import GenerationFinishReason, StreamingStatus

        with self._busy:
            if self._pipeline is None:
                raise ModelError("the model is closed", cure="make a new one")
            result = self._pipeline.generate(
                tokens,
                configuration(self._pipeline.get_generation_config(), wished),
                lambda piece: StreamingStatus.STOP if emit(piece) else StreamingStatus.RUNNING,
            )
        written = int(result.perf_metrics.get_num_generated_tokens())
        cut = bool(result.finish_reasons) and result.finish_reasons[0] == GenerationFinishReason.LENGTH
        return written, "length" if cut and written >= wished["max_tokens"] else "stop"

    def close(self) -> None:
        with self._busy:
            self._pipeline = None
