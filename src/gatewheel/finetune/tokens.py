"""Examples as tokens, by the chat template of the base, exactly as an engine will meet them; only the reply is learned.

Prompt and reply are tokenised apart, as they are when served: a reply's first token never melts into the prompt's last.
It goes on after the prompt all the same: SentencePiece, which begins each text with a space, writes none there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers

from gatewheel.finetune import division
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.errors import ModelError, UserError
from gatewheel.kernel.example import Example
from gatewheel.kernel.nouns import Message
from gatewheel.models import tools
from gatewheel.models.byte_bpe import tokenizer_of
from gatewheel.models.gguf import read_header, read_keys
from gatewheel.models.turn import disarm

_MARK = "gatewheel"
_BEFORE = "\n"  # melts into no text behind it


@dataclass(frozen=True, slots=True)
class Row:
    """One example: its tokens, the place where the reply begins, and its group. The reply's last token ends the turn.

    One that `validates` is never learned. None where nobody has said of any row whether it does.
    """

    tokens: tuple[int, ...]
    reply: int
    group: str
    validates: bool | None = None

    @property
    def learned(self) -> int:
        """Tokens that carry loss."""
        return len(self.tokens) - self.reply


@dataclass(frozen=True, slots=True)
class Read:
    """The examples that can be used, with the number of those that were cut or left out for their length."""

    rows: tuple[Row, ...]
    cut: int = 0
    left_out: int = 0


class Speller:
    """The tokenizer of a base with its chat template. `control` are texts that have no power when someone says them."""

    def __init__(self, tokenizer: Any, control: Sequence[str], source: Path) -> None:
        self._tokenizer, self.control = tokenizer, tuple(control)
        if not tokenizer.chat_template:
            raise ModelError(f"{source} has no chat template", cure="tune a model for chat, an Instruct one")
        self.end = self._end()
        self._lead = self._led()

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens after which an engine begins to write. Control tokens in what is said have no power."""
        return self._tokens(self._rendered(messages, asks=True))

    def reply(self, text: str) -> list[int]:
        """The tokens of the reply, after the blanks that the template sets, and the one that ends the turn."""
        message = disarm({"content": text}, self.control)
        return [*self._going_on(self._lead + message["content"]), self.end]

    def text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _going_on(self, text: str) -> list[int]:
        """The tokens of a text that is no beginning."""
        before, both = self._tokens(_BEFORE), self._tokens(_BEFORE + text)
        return both[len(before) :] if both[: len(before)] == before else self._tokens(text)

    def _rendered(self, messages: Sequence[Message], *, asks: bool) -> str:
        plain = [disarm(tools.as_plain(message), self.control) for message in messages]
        return str(self._tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=asks))

    def _end(self) -> int:
        """What the template writes after a reply: the first control token there, else the end of text."""
        said = (Message(role="user", content="?"), Message(role="assistant", content=_MARK))
        after = self._tokens(self._rendered(said, asks=False).rpartition(_MARK)[2])
        added = self._tokenizer.added_tokens_decoder
        # a GGUF file names few of its control tokens, and a folder not each that it has
        special = {*self._tokenizer.all_special_ids, *self._tokenizer.convert_tokens_to_ids(list(self.control))}
        special |= {number for number, token in added.items() if token.special}
        special.discard(self._tokenizer.unk_token_id)
        return int(next((token for token in after if token in special), self._tokenizer.eos_token_id))

    def _led(self) -> str:
        """The blanks that the template writes between the prompt and a reply, as that of Llama 2 does."""
        said = [Message(role="user", content="?")]
        asked = self._rendered(said, asks=True)
        whole = self._rendered([*said, Message(role="assistant", content=_MARK)], asks=False).partition(_MARK)[0]
        lead = whole.removeprefix(asked)
        return lead if whole.startswith(asked) and not lead.strip() else ""


def open_speller(path: Path) -> Speller:
    """The speller of a GGUF file or a Hugging Face folder.

    Raises ModelError where it has no tokenizer that is known, or no chat template.
    """
    try:
        tokenizer = _tokenizer(path)
        control = tokenizer.all_special_tokens if path.is_dir() else read_header(path).control_tokens
        return Speller(tokenizer, control, path)
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"transformers reads no tokenizer in {path}: {error}", cure="name a whole model") from error


def _tokenizer(path: Path) -> Any:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if path.is_dir():
        return AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    if (exact := tokenizer_of(path)) is None:
        return _as_llamacpp(
            AutoTokenizer.from_pretrained(str(path.parent), local_files_only=True, gguf_file=path.name), path
        )
    # transformers reads the cuts of a GGUF file otherwise than llama.cpp does: "½" becomes other tokens
    made, said = exact
    names = {key: said[key] for key in ("bos_token", "eos_token", "chat_template") if key in said}
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=Tokenizer.from_str(json.dumps(made)), **names)


def _as_llamacpp(tokenizer: Any, path: Path) -> Any:
    """The tokenizer that transformers makes of a GGUF file, with the spaces that llama.cpp sets.

    It begins whatever stands behind a control token with one too, where that is SentencePiece.
    """
    said = read_keys(path)
    if said.get("tokenizer.ggml.model") == "llama":
        begins = [normalizers.Prepend("▁")] if said.get("tokenizer.ggml.add_space_prefix", True) else []
        tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([*begins, normalizers.Replace(" ", "▁")])
        tokenizer.backend_tokenizer.pre_tokenizer = None
    return tokenizer


def read(examples: Sequence[Example], speller: Speller, settings: Settings, *, length: int) -> Read:
    """The rows of the examples. `length` is what the base was trained for.

    Raises UserError when none is left.
    """
    most = min(settings.sequence_length, length)
    # said of one is said of all, also where just those that validate are too long
    said = any(example.validates is not None for example in examples)
    rows, cut, left_out = [], 0, 0
    for example in examples:
        prompt, reply = speller.prompt(example.prompt), speller.reply(example.reply)
        over = len(prompt) + len(reply) - most
        if over > 0 and (settings.overlong == "leave out" or over >= len(prompt)):
            left_out += 1
            continue
        cut += over > 0
        prompt = prompt[max(0, over) :]
        rows.append(Row((*prompt, *reply), len(prompt), example.group, bool(example.validates) if said else None))
    if all(row.validates for row in rows):
        what = f"none of {len(examples)} examples has at most {most} tokens" if examples else "there are no examples"
        raise UserError(what, cure="raise sequence_length" if examples else "give the training suite cases")
    return Read(tuple(rows), cut, left_out)


def divide(rows: Sequence[Row], settings: Settings) -> tuple[list[Row], list[Row]]:
    """The rows to learn from, and those of the groups that are kept to validate on.

    Nothing is drawn where it is said which rows validate, be it none of them.
    """
    if any(row.validates is not None for row in rows):
        return [row for row in rows if not row.validates], [row for row in rows if row.validates]
    groups = [row.group or str(row.tokens) for row in rows]
    drawn = division.kept(groups, settings)
    sides: tuple[list[Row], list[Row]] = [], []
    for row, group in zip(rows, groups, strict=True):
        sides[group in drawn].append(row)
    return sides
