"""The engine of the train extra: says what is missing without it, and keeps the contract with it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.models import hf, llamacpp
from gatewheel.models.weights import DEFAULT, find

FRANCE = [Message(role="user", content="What is the capital of France?")]


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
def test_without_the_extra_the_error_names_what_to_install() -> None:
    with pytest.raises(MissingPart, match=r"needs torch.*; pip install 'gatewheel\[train\]'"):
        hf.create(hf.Settings())


@pytest.mark.train
def test_with_the_extra_the_packaged_weights_answer_stream_and_stop(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the engine hf is part of the extra gatewheel[train]")
    model = hf.create(hf.Settings(context_length=256, threads=1))
    pieces: list[str] = []
    completion = model.chat(FRANCE, decoding=Decoding(max_tokens=24), on_text=pieces.append)
    assert completion.text == "The capital of France is Paris." == "".join(pieces)
    assert completion.finish == "stop"
    assert (completion.usage.input_tokens, model.count_tokens("hello world")) == (37, 2)

    assert model.chat(FRANCE, decoding=Decoding(max_tokens=3)).finish == "length"
    assert model.chat(FRANCE, decoding=Decoding(stop=(" is",))).text == "The capital of France"
    assert model.chat(FRANCE, decoding=Decoding(), on_text=lambda _: True).finish == "cancelled"
    sampled = Decoding(max_tokens=8, temperature=1.0, seed=5)
    assert model.chat(FRANCE, decoding=sampled).text == model.chat(FRANCE, decoding=sampled).text
    with pytest.raises(ModelError, match="tokens and the context holds 256"):
        model.chat([Message(role="user", content="hello " * 300)], decoding=Decoding())
    model.close()
    model.close()
    with pytest.raises(ModelError, match="is closed"):
        model.chat(FRANCE, decoding=Decoding())
    with pytest.raises(ModelError, match="transformers cannot load"):
        hf.create(hf.Settings(weights=str(tmp_path)))


@pytest.mark.train
def test_a_text_has_the_tokens_that_llama_cpp_gives_it() -> None:
    pytest.importorskip("transformers", reason="the engine hf is part of the extra gatewheel[train]")
    tokenizer = hf.tokenizer_at(find(DEFAULT))
    reader = llamacpp.text_likelihoods(llamacpp.Settings(context_length=128, threads=1))
    try:
        for text in ("½ of 10² is 3.14", "<|im_start|>user\nHi<|im_end|>", " Zürich 東京 🚀"):
            assert tokenizer(text, add_special_tokens=False)["input_ids"] == reader.reader.encode(text)
    finally:
        reader.close()
    assert (tokenizer.eos_token, tokenizer.bos_token) == ("<|im_end|>", "<|im_start|>")
    assert "named SmolLM" in tokenizer.chat_template
