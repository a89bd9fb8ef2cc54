"""The tokenizer goes with the weights: the same tokens from the folder, the file, and what is written of either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_llama
from tokenizers import Regex, Tokenizer, pre_tokenizers, processors

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.models import llamacpp
from gatewheel.models.byte_bpe import tokenizer_of
from gatewheel.models.dense import open_dense
from gatewheel.models.exporting import export
from gatewheel.models.gguf import read_keys

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
CUTS = {
    "smollm": tiny_llama.smollm_cut(),
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "llama-bpe": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), BYTES]),
    "tekken": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(TEKKEN), "isolated"), BYTES]),
}


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("name", CUTS)
def test_the_tokenizer_of_a_folder_is_kept_there_and_back(tmp_path: Path, name: str, begun: bool) -> None:
    source = tiny_llama.folder(tmp_path / "model")
    template = (
        processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 0)]) if begun else None
    )
    tiny_llama.tokenizer(source, CUTS[name], template=template)
    original = Tokenizer.from_file(str(source / "tokenizer.json"))
    written = export(open_dense(source), tmp_path / "m.gguf", kind="F16").path
    assert read_keys(written)["tokenizer.ggml.pre"] == name
    back = tokenizer_of(written)
    assert back is not None
    rebuilt = Tokenizer.from_str(json.dumps(back[0]))
    made = llamacpp.text_likelihoods(llamacpp.Settings(weights=str(written), context_length=128, threads=1))
    try:
        for text in [*tiny_llama.TEXTS, "<|begin|>hi<|end|>\n", "I'll say: \r\n  ok"]:
            wanted = original.encode(text, add_special_tokens=False).ids
            assert made.reader.encode(text) == wanted
            assert rebuilt.encode(text, add_special_tokens=False).ids == wanted
            assert rebuilt.encode(text).ids == original.encode(text).ids
            assert rebuilt.decode(wanted) == original.decode(wanted)
        assert made.reader.begun == begun
    finally:
        made.close()
    assert back[1]["eos_token"] == "<|end|>"
    assert back[1]["chat_template"] == "{{ messages }}"


def test_a_cut_that_no_folder_can_be_given_is_refused(tmp_path: Path) -> None:
    written = export(open_dense(tiny_llama.folder(tmp_path / "model")), tmp_path / "m.gguf", kind="F16").path
    written.write_bytes(written.read_bytes().replace(b"smollm", b"falcon"))
    with pytest.raises(ModelError, match=r"by the rule 'falcon'.*write a GGUF file"):
        export(open_dense(written), tmp_path / "folder", kind="folder")
    assert not (tmp_path / "folder").exists()


def test_a_tokenizer_that_a_file_cannot_hold_says_what_can(tmp_path: Path) -> None:
    source = tiny_llama.folder(tmp_path / "model")
    tiny_llama.tokenizer(source, pre_tokenizers.Whitespace())
    with pytest.raises(ModelError, match=r"the cut .*Whitespace.*; convert it with llama.cpp's"):
        export(open_dense(source), tmp_path / "m.gguf", kind="F16")
    (source / "tokenizer.json").write_text('{"model": {"type": "Unigram", "vocab": []}}')
    with pytest.raises(ModelError, match="of the kind Unigram"):
        export(open_dense(source), tmp_path / "m.gguf", kind="F16")
    (source / "tokenizer.json").write_text('{"model": {"type": "BPE", "byte_fallback": true, "vocab": 3}}')
    with pytest.raises(ModelError, match=r"tokenizer.json is damaged"):
        export(open_dense(source), tmp_path / "m.gguf", kind="F16")
    (source / "tokenizer.json").unlink()
    with pytest.raises(MissingPart, match=r"tokenizer.json"):
        export(open_dense(source), tmp_path / "m.gguf", kind="F16")


def test_a_tokenizer_of_sentencepiece_gives_the_same_tokens(tmp_path: Path) -> None:
    source = tiny_llama.folder(tmp_path / "model", vocab_size=400)
    original = tiny_llama.sentencepiece(source)
    written = export(open_dense(source), tmp_path / "m.gguf", kind="F16").path
    made = llamacpp.text_likelihoods(llamacpp.Settings(weights=str(written), context_length=128, threads=1))
    try:
        for text in tiny_llama.TEXTS:
            assert made.reader.encode(text) == original.encode(text, add_special_tokens=False).ids
    finally:
        made.close()
    assert tokenizer_of(written) is None  # transformers converts such a one
