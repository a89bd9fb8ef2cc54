"""Chat with a GGUF file through OpenVINO GenAI in this process; the conversion is kept in the user's cache."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Completion, Message
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.models import logprobs
from gatewheel.models.conversion import kept, load
from gatewheel.models.cores import available_cores
from gatewheel.models.gguf import Header, read_header
from gatewheel.models.likelihoods import TextLikelihoods
from gatewheel.models.stream import Emit
from gatewheel.models.turn import Written, refuse_long_prompt, take_turn
from gatewheel.models.weights import DEFAULT, ContextLength, Threads, Weights, find

SCORES = "openvino, float32"  # what tells likelihoods: another word would be other numbers
TELLS_TOKENS = True  # the reader of `scorer` fulfils Vocabulary, without weights until they are asked


class Settings(BaseModel):
    """`context_length` is at most this many tokens; a model trained for less has its own. `threads = 0`: all cores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Weights = DEFAULT
    context_length: ContextLength = 4096
    threads: Threads = 0


def create(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> Model:
    """Load the weights: 0.4 s from the cache for 135M parameters, 4 s the first time, of which `on_progress` is told.

    Raises MissingPart when the weights are not here, ModelError when OpenVINO cannot convert them.
    """
    path = find(settings.weights)
    header = read_header(path)
    threads = settings.threads or available_cores()
    pipeline = load(path, threads=threads, on_progress=on_progress or (lambda _: None))
    name = settings.weights if path.name != settings.weights else path.stem
    length = _length(settings, header)
    return OpenVino(pipeline, name=name, context_length=length, control_tokens=header.control_tokens)


def scorer(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> TextLikelihoods:
    """What says how probable texts are to the same weights. It loads them for itself: the pipeline tells no logits.

    Its tokens are there at once, its weights when they are asked. Raises what `create` raises.
    """
    from gatewheel.models.openvino_likelihoods import OpenVinoReader
    from gatewheel.models.openvino_logits import OpenVinoForward

    path = find(settings.weights)
    threads, length = settings.threads or available_cores(), _length(settings, read_header(path))
    say = on_progress or (lambda _: None)
    folder = kept(path, threads=threads, on_progress=say)

    def forward() -> OpenVinoForward:
        say(f"loading {path.name} to tell how likely texts are (up to 10 s the first time)")
        return OpenVinoForward(folder, threads=threads)

    reader = OpenVinoReader(folder, forward=forward, length=length)
    return TextLikelihoods(reader, load=reader.load)


def _length(settings: Settings, header: Header) -> int:
    return min(settings.context_length, header.context_length or settings.context_length)


class OpenVino:
    """One set of weights held by one LLMPipeline."""

    def __init__(self, pipeline: Any, *, name: str, context_length: int, control_tokens: Sequence[str]) -> None:
        self._control_tokens = control_tokens
        self._pipeline = pipeline
        self._tokenizer = pipeline.get_tokenizer()
        self._name = name
        self._context_length = context_length
        self._busy = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_length(self) -> int:
        return self._context_length

    @property
    def parallel(self) -> int:
        return 1

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
        with self._busy:
            self._pipeline = self._tokenizer = None

    def _write(self, messages: list[dict[str, str]], decoding: Decoding, emit: Emit) -> Written:
        from openvino_genai import StreamingStatus

        with self._busy:
            pipeline = self._alive()
            try:
                prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True)
                tokens = self._tokenizer.encode(prompt, add_special_tokens=False)
                count = int(tokens.input_ids.shape[1])
                refuse_long_prompt(count, context_length=self._context_length)
                room = min(decoding.max_tokens, self._context_length - count)
                result = pipeline.generate(
                    tokens,
                    _configuration(pipeline, decoding, max_new_tokens=room),
                    lambda piece: StreamingStatus.STOP if emit(piece) else StreamingStatus.RUNNING,
                )
            except RuntimeError as error:
                raise ModelError(f"OpenVINO refused: {_first_line(error)}") from error
        written = int(result.perf_metrics.get_num_generated_tokens())
        finish = "length" if written >= room and _ran_out(result) else "stop"
        return Written(input_tokens=count, output_tokens=written, finish=finish)

    def _alive(self) -> Any:
        if self._pipeline is None:
            raise ModelError(f"the model '{self._name}' is closed", cure="make a new one")
        return self._pipeline


def _configuration(pipeline: Any, decoding: Decoding, *, max_new_tokens: int) -> Any:
    from openvino_genai import StructuredOutputConfig

    configuration = pipeline.get_generation_config()  # a copy that carries the model's end-of-turn tokens
    configuration.max_new_tokens = max_new_tokens
    configuration.apply_chat_template = False
    configuration.do_sample = decoding.temperature > 0
    configuration.repetition_penalty = decoding.repetition_penalty
    if configuration.do_sample:
        configuration.temperature = decoding.temperature
        configuration.top_p = decoding.top_p
        configuration.rng_seed = random.getrandbits(31) if decoding.seed is None else decoding.seed
    if decoding.schema is not None:
        configuration.structured_output_config = StructuredOutputConfig(json_schema=json.dumps(dict(decoding.schema)))
    return configuration


def _ran_out(result: Any) -> bool:
    from openvino_genai import GenerationFinishReason

    return bool(result.finish_reasons) and result.finish_reasons[0] == GenerationFinishReason.LENGTH


def _first_line(error: Exception) -> str:
    """OpenVINO's messages end in a stack of C++ source lines; the last line is the reason."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
