"""The keys of a GGUF file for a Hugging Face folder of the llama family: its shape and its tokenizer.

As llama.cpp's convert_hf_to_gguf.py writes them, from tokenizer.json alone: byte-level BPE (SmolLM2, Llama 3, Mistral
Nemo), and the BPE with bytes to fall back on that SentencePiece made (Llama 2, TinyLlama, Mistral 7B).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import ModelError
from gatewheel.models.byte_bpe import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER, name_of
from gatewheel.models.dense import Shape
from gatewheel.models.dense_hf import read_object
from gatewheel.models.gguf_writing import packed

_LOOKS_CONTROL = re.compile(r"<\|.*\|>|<｜.*｜>|<[a-z/_]*(?:start|end)_of_[a-z]*>|\[/?INST\]")
_ENDS = {"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token"}


def keys_of_folder(folder: Path, shape: Shape) -> dict[str, bytes]:
    """Each key with its value as it stands in a file.

    Raises MissingPart without tokenizer.json, ModelError for a tokenizer that a GGUF file cannot hold.
    """
    said = {
        "general.architecture": "llama",
        "general.type": "model",
        "general.name": folder.resolve().name,
        "llama.block_count": shape.layers,
        "llama.context_length": shape.context_length,
        "llama.embedding_length": shape.hidden,
        "llama.feed_forward_length": shape.intermediate,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.attention.key_length": shape.head_dim,
        "llama.attention.value_length": shape.head_dim,
        "llama.attention.layer_norm_rms_epsilon": float(shape.norm_eps),
        "llama.rope.dimension_count": shape.head_dim,
        "llama.rope.freq_base": float(shape.rope_theta),
        "llama.vocab_size": shape.vocab,
    }
    return {key: packed(value) for key, value in (said | _tokenizer(folder, shape.vocab)).items()}


def _tokenizer(folder: Path, vocab: int) -> dict[str, Any]:
    held, config = read_object(folder / "tokenizer.json"), _object(folder / "tokenizer_config.json")
    try:
        model, cut = held["model"], held.get("pre_tokenizer")
        name = name_of(_plain(cut))
        if model["type"] != "BPE" or not (name or model.get("byte_fallback")):
            what = f"{folder} has a tokenizer of the kind {model['type']} with the cut {str(cut)[:120]}"
            raise ModelError(what, cure="convert it with llama.cpp's convert_hf_to_gguf.py")
        texts, kinds = _tokens(held, vocab)
        merges = [each if isinstance(each, str) else " ".join(each) for each in model["merges"]]
        own: dict[str, Any] = {"model": "gpt2", "pre": name, "merges": merges, "add_space_prefix": False}
        if model.get("byte_fallback"):
            own = _sentencepiece(held, texts, kinds, merges)
        own |= {"tokens": texts, "token_type": kinds, "add_bos_token": _begun(held)}
        own |= _ends(folder, config, texts)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelError(f"{folder / 'tokenizer.json'} is damaged ({error!r})", cure="fetch it again") from error
    said = {f"tokenizer.ggml.{key}": value for key, value in own.items()}
    return said | ({"tokenizer.chat_template": template} if (template := _template(folder, config)) else {})


def _tokens(held: Mapping[str, Any], vocab: int) -> tuple[list[str], list[int]]:
    """The text and the kind of each token; rows of the embedding without a token get a name that no text has."""
    numbers = {str(text): int(number) for text, number in held["model"]["vocab"].items()}
    added = {each["content"]: each for each in held.get("added_tokens") or ()}
    numbers |= {text: int(each["id"]) for text, each in added.items()}
    if max(numbers.values()) >= vocab or min(numbers.values()) < 0:
        raise ValueError(f"token {max(numbers.values())} beyond the {vocab} rows of the embedding")
    texts = [f"[PAD{number}]" for number in range(vocab)]
    kinds = [UNUSED] * vocab
    for text, number in numbers.items():
        texts[number], kinds[number] = text, NORMAL
        if (each := added.get(text)) is not None:
            kinds[number] = CONTROL if each["special"] or _LOOKS_CONTROL.fullmatch(text) else USER
    return texts, kinds


def _sentencepiece(held: Mapping[str, Any], texts: list[str], kinds: list[int], merges: list[str]) -> dict[str, Any]:
    """SentencePiece joins what makes the token of the highest score; the merges are in the order of these scores."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", "", 1), rank)
    unknown = held["model"].get("unk_token")
    for number, text in enumerate(texts):
        if text == unknown:
            kinds[number] = UNKNOWN
        elif re.fullmatch("<0x[0-9A-F]{2}>", text):
            kinds[number] = BYTE
    scores = [float(-ranks[text]) if text in ranks else -1e6 for text in texts]
    prefixed = "Prepend" in str(held.get("normalizer")) or "'prepend_scheme': 'first'" in str(held.get("pre_tokenizer"))
    return {"model": "llama", "pre": "default", "scores": scores, "add_space_prefix": prefixed}


def _begun(held: Mapping[str, Any]) -> bool:
    """Whether a text begins with a token of its own, by the template of tokenizer.json."""
    after = held.get("post_processor") or {}
    steps = after.get("processors", [after])
    return any("SpecialToken" in step["single"][0] for step in steps if step.get("type") == "TemplateProcessing")


def _ends(folder: Path, config: Mapping[str, Any], texts: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    model = _object(folder / "config.json")
    for key, name in _ENDS.items():
        told = config.get(name)
        text = told.get("content") if isinstance(told, dict) else told
        number = model.get(f"{name}_id")
        number = number[0] if isinstance(number, list) and number else number
        if text in texts:
            found[f"{key}_token_id"] = texts.index(text)
        elif isinstance(number, int) and 0 <= number < len(texts):
            found[f"{key}_token_id"] = number
    return found


def _template(folder: Path, config: Mapping[str, Any]) -> str:
    if (path := folder / "chat_template.jinja").is_file():
        return path.read_text(encoding="utf-8")
    told = config.get("chat_template") or _object(folder / "chat_template.json").get("chat_template") or ""
    if isinstance(told, list):  # several, of which one is called default
        told = next((each["template"] for each in told if each.get("name") == "default"), "")
    return str(told)


def _plain(cut: Any) -> Any:
    """The cut as byte_bpe writes it, without what later versions of tokenizers leave out or add."""
    if not isinstance(cut, dict):
        return cut
    inner = {"pretokenizers": [_plain(each) for each in cut["pretokenizers"]]} if "pretokenizers" in cut else {}
    usual = {"use_regex": True, "trim_offsets": True} if cut.get("type") == "ByteLevel" else {}
    return usual | cut | inner | ({"trim_offsets": True} if usual else {})


def _object(path: Path) -> dict[str, Any]:
    return read_object(path) if path.is_file() else {}
