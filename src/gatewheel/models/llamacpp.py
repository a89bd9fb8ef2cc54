"""Chat with a GGUF file through llama.cpp in this process (xllamacpp), several at once. Opens no network port."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import random
import shutil
import socket
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.kernel.nouns import Completion, Message, TokenLogprob
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.models import logprobs
from gatewheel.models.cores import available_cores
from gatewheel.models.gguf import Header, read_header
from gatewheel.models.likelihoods import TextLikelihoods
from gatewheel.models.lora_gguf import refuse_unfit
from gatewheel.models.stream import Emit
from gatewheel.models.turn import Written, refuse_long_prompt, take_turn
from gatewheel.models.weights import DEFAULT, ContextLength, Threads, Weights, called, find

SCORES = "llama.cpp"  # what tells likelihoods: another word would be other numbers
# Tokens of prompt between two looks at whether the caller still waits, and between two tokens of the other answers.
# With 512 it was 3-9 s on a busy machine instead of 0.6-2 s, and the prompt took no less processor time.
_BATCH = 128


class Settings(BaseModel):
    """`context_length` is at most this many tokens; a model trained for less has its own. `threads = 0`: all cores.

    `parallel` calls are written in the same batches, each in a context of its own: n of them take n times the memory.
    `prompt_cache` keeps what was read of the last prompt in each context, so that the same beginning is not read again.
    It changes the batches, so the rounding, so now and then a token: the same question may be answered otherwise.
    `adapter` is a LoRA-GGUF file that is added to the weights, `adapter_scale` times as strongly as it was trained.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Weights = DEFAULT
    context_length: ContextLength = 4096
    threads: Threads = 0
    parallel: int = Field(1, ge=1, le=256, description="Answers written at once, each in a context of its own.")
    prompt_cache: bool = Field(False, description="Read the same beginning of a prompt once; answers may vary by it.")
    adapter: str = Field("", description="The path of a LoRA-GGUF file for the same weights; empty: none.")
    adapter_scale: float = Field(1.0, ge=0, le=10, description="How strongly the adapter acts; 1 as it was trained.")


def create(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> Model:
    """Load the weights (0.4 s for 135M parameters).

    Raises MissingPart when weights or adapter are not here, ModelError when llama.cpp cannot read or unite them.
    """
    del on_progress  # loading is too short to report
    path = find(settings.weights)
    return LlamaCpp(path, header=_header(path, path.stat().st_mtime_ns), settings=settings)


@functools.lru_cache(maxsize=8)
def _header(path: Path, changed: int) -> Header:
    """Once for all engines of one file, since it is a fifth of what loading another adapter beside it takes."""
    del changed
    return read_header(path)


def text_likelihoods(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> TextLikelihoods:
    """What says how probable texts are to the same weights. It loads them for itself. Raises what `create` raises."""
    from gatewheel.models.llamacpp_likelihoods import LlamaCppReader

    del on_progress
    path = find(settings.weights)
    header = read_header(path)
    length = min(settings.context_length, header.context_length or settings.context_length)
    # room for the last token, which is scored and never read
    roomier = settings.model_copy(update={"context_length": length + 1})
    engine = LlamaCpp(path, header=replace(header, context_length=0), settings=roomier)
    return TextLikelihoods(LlamaCppReader(engine, length=length))


class LlamaCpp:
    """One set of weights held by one llama.cpp server object, used through its in-process calls."""

    def __init__(self, path: Path, *, header: Header, settings: Settings) -> None:
        self._name = called(settings.weights)
        self._control_tokens = header.control_tokens
        self._context_length = min(settings.context_length, header.context_length or settings.context_length)
        self._parallel = settings.parallel
        self._prompt_cache = settings.prompt_cache
        self._slots = threading.BoundedSemaphore(settings.parallel)
        self._counting, self._closing = threading.Lock(), threading.Lock()
        # The server object always listens. A Unix socket in a folder that only this user may enter keeps it off the
        # network; it also serves count_tokens, for which there is no in-process call.
        self._folder = Path(tempfile.mkdtemp(prefix="gw-"))
        self._remove_folder = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._server = _load(path, self._folder / "s.sock", self._context_length, settings)

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_length(self) -> int:
        return self._context_length

    @property
    def parallel(self) -> int:
        return self._parallel

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without special tokens or template."""
        return len(self.ask("POST", "/tokenize", {"content": text})["tokens"])

    def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """A completion of tokens by llama.cpp's own request, without template. Raises ModelError."""
        with self._slots:
            try:
                answer: dict[str, Any] = self._alive().handle_completions(request)
            except (ValueError, RuntimeError) as error:
                raise ModelError(f"llama.cpp refused: {str(error)[:400]}") from None
        if refusal := answer.get("error"):
            raise ModelError(f"llama.cpp refused: {refusal.get('message', refusal)}")
        return answer

    def chat(self, messages: Sequence[Message], *, decoding: Decoding, on_text: OnText | None = None) -> Completion:
        """Answer `messages`. Raises ModelError for a prompt beyond the context or a schema llama.cpp cannot follow."""
        self._alive()
        return take_turn(
            self._write,
            messages,
            decoding=decoding,
            on_text=on_text,
            model=self._name,
            control_tokens=self._control_tokens,
        )

    def close(self) -> None:
        """Let go of the weights when the calls under way have ended; later ones are refused."""
        with self._closing:  # or two who close would each hold some of the slots for ever
            for _ in range(self._parallel):
                self._slots.acquire()
            with self._counting:
                self._server = None
            self._slots.release(self._parallel)
        self._remove_folder()

    def _write(self, messages: list[dict[str, str]], decoding: Decoding, emit: Emit) -> Written:
        reply = _Reply(emit, context_length=self._context_length, top=decoding.logprobs or 0)
        with self._slots:
            request = _request(messages, decoding, context_length=self._context_length)
            request["cache_prompt"] = self._prompt_cache
            try:
                self._alive().handle_chat_completions(request, reply.take)
            except ValueError as error:  # a schema that it cannot follow, such as one with a reference to elsewhere
                raise ModelError(f"llama.cpp refused: {str(error)[:400]}", cure="simplify the schema") from None
        return reply.written()

    def _alive(self) -> Any:
        if self._server is None:
            raise ModelError(f"the model '{self._name}' is closed", cure="make a new one")
        return self._server

    def ask(self, method: str, route: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the server's own route says; there are no in-process calls for these."""
        with self._counting:
            self._alive()
            connection = http.client.HTTPConnection("localhost")
            connection.sock = socket.socket(socket.AF_UNIX)
            with contextlib.closing(connection):
                connection.sock.connect(str(self._folder / "s.sock"))
                connection.request(method, route, json.dumps(body) if body else None, {"Connection": "close"})
                answer: dict[str, Any] = json.load(connection.getresponse())
            return answer


class _Reply:
    """Reads the chunks of one streamed completion (OpenAI's wire format plus llama.cpp's timings and progress)."""

    def __init__(self, emit: Emit, *, context_length: int, top: int) -> None:
        self._emit = emit
        self._top = top
        self._logprobs: list[TokenLogprob] = []
        self._context_length = context_length
        self._timings: dict[str, Any] = {}
        self._finish = "stop"
        self._error: dict[str, Any] | None = None
        self._failure: BaseException | None = None

    def take(self, chunk: dict[str, Any]) -> bool:
        """The callback; True stops the engine. What goes wrong is kept, for it may not cross the C++ frames."""
        try:
            return self._take(chunk)
        except BaseException as error:  # noqa: BLE001 - raised again by written()
            self._failure = error
            return True

    def _take(self, chunk: dict[str, Any]) -> bool:
        if error := chunk.get("error"):
            self._error = error
            return True
        self._timings = chunk.get("timings") or self._timings
        piece = ""
        for choice in chunk.get("choices") or ():
            piece = choice["delta"].get("content") or ""
            if said := choice.get("logprobs"):
                self._logprobs += logprobs.read(said["content"], top=self._top)
            self._finish = choice.get("finish_reason") or self._finish
        return self._emit(piece)

    def written(self) -> Written:
        if self._failure is not None:
            raise self._failure
        if self._error is not None:
            if tokens := self._error.get("n_prompt_tokens"):
                refuse_long_prompt(tokens, context_length=self._context_length)
            raise ModelError(f"llama.cpp refused: {self._error.get('message', self._error)}")
        prompt = self._timings.get("prompt_n", 0) + self._timings.get("cache_n", 0)
        return Written(
            input_tokens=prompt,
            output_tokens=self._timings.get("predicted_n", 0),
            finish=self._finish,
            logprobs=tuple(self._logprobs),
        )


def _load(path: Path, listen: Path, context_length: int, settings: Settings) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingPart("the package xllamacpp is not installed", cure="pip install xllamacpp") from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    if settings.adapter:
        adapter = Path(settings.adapter).expanduser()
        refuse_unfit(adapter, path)
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), settings.adapter_scale)]
    parameters.n_ctx = context_length * settings.parallel  # llama.cpp divides it among the slots
    parameters.n_parallel = settings.parallel
    parameters.n_batch = parameters.n_ubatch = _BATCH
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads = settings.threads or available_cores()
        cpu.poll = 0  # threads that spin for work made a busy machine half as fast (27 against 13 s)
    parameters.warmup = False
    parameters.fit_params = False  # a trial load, a third of the time, to change what was asked for until it fits
    parameters.cache_ram_mib = 0  # else up to 8 GiB of states of past prompts, which a request here never uses
    parameters.verbosity = -1  # its default writes 25 lines to stderr
    parameters.hostnames = [str(listen)]
    parameters.n_threads_http = 1
    parameters.ui = parameters.endpoint_slots = False
    parameters.endpoint_metrics = True
    try:
        server = xllamacpp.Server(parameters)
        # A server that is closed before its loop runs waits for itself for ever (seen repeatedly when closed right
        # after loading); asking for the metrics goes through that loop, so its answer says that it runs.
        server.handle_metrics()
        return server
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"llama.cpp cannot load {path}: {error}", cure="check that it is a chat model") from error


def _request(messages: list[dict[str, str]], decoding: Decoding, *, context_length: int) -> dict[str, Any]:
    request: dict[str, Any] = {
        "messages": messages,
        "max_tokens": decoding.max_tokens,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "seed": random.getrandbits(31) if decoding.seed is None else decoding.seed,
        # llama.cpp's own defaults would sample from 40 tokens above 5 % of the best; the port knows neither
        "top_k": 0,
        "min_p": 0.0,
        "repeat_penalty": decoding.repetition_penalty,
        "repeat_last_n": context_length,  # the whole text, as the other engines do
        "stream": True,
        "timings_per_token": True,
        "return_progress": True,  # a word after each batch of the prompt, at which a caller who left is noticed
        **logprobs.ask(decoding),
    }
    if decoding.schema is not None:
        request["response_format"] = {
            "type": "json_schema",
            "json_schema": {"schema": dict(decoding.schema), "strict": True},
        }
    return request
