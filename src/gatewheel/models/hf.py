"""Chat through transformers and torch: a Hugging Face folder or a dequantised GGUF. For training, not for speed."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.kernel.nouns import Completion, Message
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.models import logprobs
from gatewheel.models.byte_bpe import tokenizer_of
from gatewheel.models.cores import available_cores
from gatewheel.models.likelihoods import TextLikelihoods
from gatewheel.models.stream import Emit
from gatewheel.models.turn import Written, refuse_long_prompt, take_turn
from gatewheel.models.weights import DEFAULT, ContextLength, Threads, Weights, called, find

SCORES = "hf"  # what tells likelihoods: another word would be other numbers
TELLS_TOKENS = True  # the reader of `text_likelihoods` fulfils Vocabulary
_NEEDED = ("torch", "transformers", "gguf", "accelerate")


class Settings(BaseModel):
    """`weights` is a packaged name, a GGUF file or a Hugging Face folder; `dtype` is float32 or bfloat16."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Weights = DEFAULT
    context_length: ContextLength = 4096
    threads: Threads = 0
    dtype: str = Field("float32", pattern="^(float32|bfloat16)$", description="float32 or bfloat16.")


def create(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> Model:
    """Load the weights into torch; a GGUF file is dequantised, which takes seconds and is told to `on_progress`.

    Raises MissingPart without the extra `train` or the weights, ModelError when transformers cannot load them.
    """
    model, tokenizer, length = _loaded(settings, on_progress)
    return HuggingFace(model, tokenizer, name=called(settings.weights), context_length=length)


def text_likelihoods(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> TextLikelihoods:
    """What says how probable texts are to the same weights. It loads them for itself. Raises what `create` raises."""
    from gatewheel.models.hf_likelihoods import HuggingFaceReader

    model, tokenizer, length = _loaded(settings, on_progress)
    return TextLikelihoods(HuggingFaceReader(model, tokenizer, length=length))


def _loaded(settings: Settings, on_progress: Callable[[str], None] | None) -> tuple[Any, Any, int]:
    """Model, tokenizer and context length."""
    if absent := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        what = f"the engine hf needs {', '.join(absent)}"
        raise MissingPart(what, cure="pip install 'gatewheel[train]'")
    folder = Path(settings.weights).expanduser()
    path = folder if folder.is_dir() else find(settings.weights)
    if on_progress is not None:
        on_progress(f"loading {path.name} into torch")
    try:
        model, tokenizer = _load(path, settings)
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError) as error:
        cure = "check that it is a chat model that transformers knows"
        raise ModelError(f"transformers cannot load {path}: {error}", cure=cure) from error
    trained = int(getattr(model.config, "max_position_embeddings", 0) or settings.context_length)
    return model, tokenizer, min(trained, settings.context_length)


class HuggingFace:
    """One causal language model with its tokenizer, in this process."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, context_length: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._control_tokens = tuple(tokenizer.all_special_tokens)
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
        self._refuse_when_closed()
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def chat(self, messages: Sequence[Message], *, decoding: Decoding, on_text: OnText | None = None) -> Completion:
        """Answer `messages`. A schema is only validated, not enforced: a small model will often break it.

        Raises ModelError for a prompt beyond the context and for a text that does not validate.
        """
        self._refuse_when_closed()
        logprobs.refuse(decoding, engine="hf")
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
            self._model = self._tokenizer = None

    def _refuse_when_closed(self) -> None:
        if self._model is None:
            raise ModelError(f"the model '{self._name}' is closed", cure="make a new one")

    def _write(self, messages: list[dict[str, str]], decoding: Decoding, emit: Emit) -> Written:
        import torch

        with self._busy, torch.inference_mode():
            self._refuse_when_closed()
            prompt = self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            ).to(self._model.device)
            count = int(prompt["input_ids"].shape[1])
            refuse_long_prompt(count, context_length=self._context_length)
            room = min(decoding.max_tokens, self._context_length - count)
            stopped = _Stopped()
            ends = _end_tokens(self._model, self._tokenizer)
            output = self._generate(prompt, decoding, room, ends, _Pieces(self._tokenizer, emit, stopped), stopped)
        written = output[0, count:].tolist()
        ended = bool(written) and (written[-1] in ends or stopped.now)
        return Written(input_tokens=count, output_tokens=len(written), finish="stop" if ended else "length")

    def _generate(
        self, prompt: Any, decoding: Decoding, room: int, ends: list[int], pieces: _Pieces, stopped: _Stopped
    ) -> Any:
        import torch

        if decoding.seed is not None:
            torch.manual_seed(decoding.seed)
        sampling: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if decoding.temperature > 0:
            sampling = {"do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
        return self._model.generate(
            **prompt,
            **sampling,
            max_new_tokens=room,
            repetition_penalty=decoding.repetition_penalty,
            eos_token_id=ends,
            pad_token_id=ends[0],
            streamer=pieces,
            stopping_criteria=[stopped],
        )


class _Stopped:
    """transformers asks it after each token whether to stop."""

    def __init__(self) -> None:
        self.now = False

    def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
        import torch

        return torch.full((input_ids.shape[0],), self.now, dtype=torch.bool, device=input_ids.device)


class _Pieces:
    """A streamer of transformers (put, end): tokens to text, held back while a character is incomplete."""

    def __init__(self, tokenizer: Any, emit: Emit, stopped: _Stopped) -> None:
        self._tokenizer = tokenizer
        self._emit = emit
        self._stopped = stopped
        self._tokens: list[int] = []
        self._told = 0
        self._prompt_seen = False

    def put(self, value: Any) -> None:
        if not self._prompt_seen:  # the first value is the prompt
            self._prompt_seen = True
            return
        self._tokens.extend(value.flatten().tolist())
        text = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        if not text.endswith("\ufffd"):
            self._tell(text)

    def end(self) -> None:
        if not self._stopped.now:
            self._tell(self._tokenizer.decode(self._tokens, skip_special_tokens=True))

    def _tell(self, text: str) -> None:
        piece, self._told = text[self._told :], len(text)
        self._stopped.now = self._emit(piece)


def _load(path: Path, settings: Settings) -> tuple[Any, Any]:
    import torch
    import transformers
    from transformers import AutoModelForCausalLM

    logging: Any = transformers.utils.logging
    logging.disable_progress_bar()
    torch.set_num_threads(settings.threads or available_cores())
    gguf = {} if path.is_dir() else {"gguf_file": path.name}
    where = str(path if path.is_dir() else path.parent)
    dtype = getattr(torch, settings.dtype)
    model: Any = AutoModelForCausalLM.from_pretrained(where, local_files_only=True, dtype=dtype, **gguf)
    return model.eval(), tokenizer_at(path)


def tokenizer_at(path: Path) -> Any:
    """The tokenizer of a Hugging Face folder or a GGUF file, for transformers. Raises what transformers raises."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if path.is_dir():
        return AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    if (exact := tokenizer_of(path)) is None:
        return AutoTokenizer.from_pretrained(str(path.parent), local_files_only=True, gguf_file=path.name)
    # transformers' own conversion leaves out how texts are cut beforehand: "½" becomes other tokens
    made, config = exact
    fast: Any = PreTrainedTokenizerFast
    said = {key: value for key, value in config.items() if key != "tokenizer_class"}
    return fast(tokenizer_object=Tokenizer.from_str(json.dumps(made)), **said)


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Every token that ends a turn: the model's own, and the tokenizer's, which a GGUF names more reliably."""
    own = model.generation_config.eos_token_id
    listed = own if isinstance(own, list) else [own]
    return sorted({token for token in [*listed, tokenizer.eos_token_id] if token is not None})
