"""Byte-level BPE as llama.cpp and as Hugging Face's tokenizers know it: how each of its kinds cuts a text beforehand.

A GGUF file has a name for the cut, tokenizer.json its rule (`pre_tokenizer`). The rules are those of the models that
llama.cpp's names stand for (`llm_tokenizer_bpe` of its llama-vocab.cpp): SmolLM, GPT-2, Llama 3 and Mistral's Tekken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import ModelError
from gatewheel.models.gguf import read_keys

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # values of tokenizer.ggml.token_type

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}


def _split(expression: str) -> dict[str, Any]:
    cut = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, _BYTES | {"use_regex": False}]}


_CUTS: dict[str, dict[str, Any]] = {
    "smollm": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTES | {"use_regex": True}],
    },
    "gpt-2": _BYTES | {"use_regex": True},
    "llama-bpe": _split(_LLAMA3),
    "tekken": _split(_TEKKEN),
}
_WHOLE_WORDS = ("llama-bpe", "tekken")  # a word that is a token is never made of merges
_BEGUN = ("llama-bpe", "tekken")  # texts begin with a token of their own, unless the file says otherwise


def name_of(cut: Any) -> str:
    """llama.cpp's name of a `pre_tokenizer`; "" for one that it has no name for."""
    return next((name for name, known in _CUTS.items() if _canonical(known) == _canonical(cut)), "")


def tokenizer_of(gguf: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The tokenizer of a GGUF file as the objects in tokenizer.json and tokenizer_config.json.

    None where it is no byte-level BPE that is known here. `tokenizers.Tokenizer.from_str(json.dumps(…))` of the first
    gives the tokens that llama.cpp gives. Raises ModelError for keys that contradict each other.
    """
    said = read_keys(gguf, texts=True)
    name = said.get("tokenizer.ggml.pre")
    if said.get("tokenizer.ggml.model") != "gpt2" or name not in _CUTS:
        return None
    tokens, kinds, merges = (said.get(f"tokenizer.ggml.{key}") for key in ("tokens", "token_type", "merges"))
    if not tokens or not kinds or merges is None or len(tokens) != len(kinds):
        raise ModelError(f"{gguf} has no whole tokenizer", cure="fetch it again")
    ends = {key: _token(said, key, tokens, gguf) for key in ("bos", "eos", "unknown", "padding")}
    begun = bool(ends["bos"]) and bool(said.get("tokenizer.ggml.add_bos_token", name in _BEGUN))
    return _tokenizer(name, tokens, kinds, merges, ends["bos"] if begun else ""), _config(said, ends, begun)


def _tokenizer(name: str, tokens: Any, kinds: Any, merges: Any, begin: str) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": number, "content": text, **plain, "special": kind == CONTROL}
        for number, (text, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (CONTROL, USER)
    ]
    start, sequence = [{"SpecialToken": {"id": begin, "type_id": 0}}], {"Sequence": {"id": "A", "type_id": 0}}
    second = [{"SpecialToken": {"id": begin, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    template = {
        "type": "TemplateProcessing",
        "single": [*start, sequence],
        "pair": [*start, sequence, *second],
        "special_tokens": {begin: {"id": begin, "ids": [tokens.index(begin)], "tokens": [begin]}} if begin else {},
    }
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": name in _WHOLE_WORDS,
        "vocab": {text: number for number, text in enumerate(tokens) if kinds[number] != UNUSED},
        "merges": [merge.split(" ", 1) for merge in merges],
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": _CUTS[name],
        "post_processor": template if begin else None,
        "decoder": _BYTES | {"use_regex": True},
        "model": model,
    }


def _config(said: Mapping[str, Any], ends: Mapping[str, str], begun: bool) -> dict[str, Any]:
    names = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    config = {key: ends[name] for key, name in names.items() if ends[name]}
    if isinstance(template := said.get("tokenizer.chat_template"), str):
        config["chat_template"] = template
    length = said.get(f"{said.get('general.architecture')}.context_length")
    return config | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": begun,
        "model_max_length": length,
    }


def _token(said: Mapping[str, Any], key: str, tokens: Any, gguf: Path) -> str:
    number = said.get(f"tokenizer.ggml.{key}_token_id")
    if number is None:
        return ""
    if not isinstance(number, int) or not 0 <= number < len(tokens):
        raise ModelError(f"{gguf} says that its token {key} is {number} of {len(tokens)}", cure="fetch it again")
    return str(tokens[number])


def _canonical(cut: Any) -> str:
    return json.dumps(cut, sort_keys=True)
