"""Every engine that tells likelihoods tells those of its weights, whatever it read before or beside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import ModelError, PromptTooLong, UserError
from gatewheel.kernel.likelihood import Likelihood
from gatewheel.models import hf, llamacpp, openvino
from gatewheel.models.likelihoods import TextLikelihoods, fitting, pair, windows

LONG = "The first lighthouses were fires built on hilltops, and sailors learned to read them long before a chart. " * 3
ASKED: list[tuple[str, Sequence[str]]] = [
    ("The capital of France is", [" Paris", " London, the city of fog", " Rome"]),
    ("Question: what?\n", ["x", "hello there"]),
    ("", ["Once upon a time", "<|im_start|>Once"]),
    ("Zürich 東京 🚀", [" 😀 yes", "é"]),
    (LONG * 2, [" The keeper", " promotes it only when it is better"]),  # longer than the context
    ("Hello <|im_end|> world", [" <|im_end|>"]),
]


@pytest.fixture(scope="module", params=["openvino", "llama.cpp"])
def teller(request: pytest.FixtureRequest) -> Iterator[TextLikelihoods]:
    module = catalog.load("model", request.param)
    made: TextLikelihoods = module.text_likelihoods(module.Settings(context_length=128, threads=1))
    yield made
    made.close()


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the engine before said, to be compared with."""
    return {}


def test_openvino_tells_tokens_without_loading_weights() -> None:
    said: list[str] = []
    made = openvino.text_likelihoods(openvino.Settings(context_length=128, threads=1), on_progress=said.append)
    reader: Any = made.reader
    assert reader.decode(reader.encode("Füchse <|im_end|>")) == "Füchse <|im_end|>"
    assert reader.specials()["bos_token"] == "<|im_start|>"
    with pytest.raises(UserError, match="has 49152 tokens"):
        reader.decode([49152])
    assert not [line for line in said if line.startswith("loading")]
    assert made.likelihoods("The capital of France is", [" Paris"])[0].greedy
    assert len([line for line in said if line.startswith("loading")]) == 1
    made.close()
    with pytest.raises(ModelError, match="closed"):
        made.load()


@pytest.mark.slow
def test_two_engines_tell_nearly_the_same_of_the_same_weights(teller: TextLikelihoods, told: dict[str, Any]) -> None:
    mine = [each for prompt, texts in ASKED for each in teller.likelihoods(prompt, texts)]
    other = told.setdefault("first", mine)
    assert [each.tokens for each in mine] == [each.tokens for each in other]
    # 8-bit activations of llama.cpp, weights rounded to 8 bits for OpenVINO: .06 a token on average
    apart = [abs(one.logprob - two.logprob) / one.tokens for one, two in zip(mine, other, strict=True)]
    assert sum(apart) / len(apart) < 0.15
    assert mine[0].greedy
    assert mine[0].logprob > mine[2].logprob > mine[1].logprob


@pytest.mark.slow
def test_what_was_read_before_and_beside_changes_nothing(teller: TextLikelihoods) -> None:
    again = teller.likelihoods("The capital of France is", [" Rome", " Paris"])
    teller.likelihoods("The capital of Spain is", [" Madrid"])
    [rome] = teller.likelihoods("The capital of France is", [" Rome"])
    assert rome.logprob == pytest.approx(again[0].logprob, abs=0.2)
    [alone] = teller.likelihoods("The capital of France is", [" London, the city of fog"])
    beside = teller.likelihoods("The capital of France is", [" Rome", " London, the city of fog", " a"])
    assert beside[1].tokens == alone.tokens == 6
    assert beside[1].logprob == pytest.approx(alone.logprob, abs=0.2)


@pytest.mark.slow
def test_a_long_text_is_told_in_windows(teller: TextLikelihoods) -> None:
    reader, text = teller.reader, LONG * 2
    parts = [reader.score(*_split(each))[0] for each in windows(reader.encode(text), prefix=reader.prefix, length=128)]
    found = teller.rolling(text)
    assert found.tokens == sum(part.tokens for part in parts) > 128
    assert found.logprob == pytest.approx(sum(part.logprob for part in parts), rel=1e-3)


def _split(each: tuple[Sequence[int], Sequence[int]]) -> tuple[Sequence[int], list[Sequence[int]]]:
    return each[0], [each[1]]


@pytest.mark.slow
def test_what_cannot_be_told_says_why(teller: TextLikelihoods) -> None:
    with pytest.raises(PromptTooLong, match="the context holds 128"):
        teller.likelihoods("x", [LONG * 3])
    with pytest.raises(ModelError, match="no token of its own"):
        teller.likelihoods("x", [""])


@pytest.mark.slow
def test_openvino_in_float32_gives_the_same_whatever_is_shared() -> None:
    model = openvino.text_likelihoods(openvino.Settings(context_length=256, threads=1))
    prompt, texts = LONG, [" The keeper", " The keeper of the light", " 1823", " A"]
    together = model.likelihoods(prompt, texts)
    for text, beside in zip(texts, together, strict=True):
        model.likelihoods("Something else", [" entirely"])  # nothing of the prompt is kept
        [alone] = model.likelihoods(prompt, [text])
        assert alone.logprob == pytest.approx(beside.logprob, abs=2e-4)
        assert (alone.tokens, alone.greedy) == (beside.tokens, beside.greedy)
    model.close()
    with pytest.raises(ModelError, match="closed"):
        model.likelihoods("x", [" y"])


@pytest.mark.slow
def test_llama_cpp_tells_several_callers_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = llamacpp.text_likelihoods(llamacpp.Settings(context_length=128, threads=1, parallel=2))
    assert model.parallel == 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda city: model.likelihoods("I live in", [f" {city}"])[0], ["Rome", "Paris"] * 3))
    assert all(each.logprob == pytest.approx(found[0].logprob, abs=0.1) for each in found[::2])
    assert all(each.logprob == pytest.approx(found[1].logprob, abs=0.1) for each in found[1::2])
    model.close()


@pytest.mark.train
def test_hf_computes_as_the_harness_does_to_the_last_bit(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the engine hf is part of the extra gatewheel[train]")
    _tiny(tmp_path)
    model = hf.text_likelihoods(hf.Settings(weights=str(tmp_path), context_length=128, threads=1))
    reader: Any = model.reader
    for prompt, texts in [("ab cd", [" ef", " a b"]), ("", ["abc"]), ("ab " * 70, [" cd ef", " x"])]:
        for text, told in zip(texts, model.likelihoods(prompt, texts), strict=True):
            context, rest = fitting(
                pair(prompt, text, encode=reader.encode, prefix=reader.prefix if not prompt else None), length=128
            )
            assert told == _as_the_harness(torch, reader._model, [*context], [*rest])
    whole = [
        _as_the_harness(torch, reader._model, [*context], [*scored])
        for context, scored in windows(reader.encode("ab cd ef " * 40), prefix=reader.prefix, length=128)
    ]
    rolled = model.rolling("ab cd ef " * 40)
    assert len(whole) > 1
    assert rolled.logprob == sum(each.logprob for each in whole)
    assert rolled.tokens == sum(each.tokens for each in whole)
    assert math.exp(-rolled.logprob / rolled.tokens) > 1


def _as_the_harness(torch: Any, model: Any, context: list[int], continuation: list[int]) -> Likelihood:
    """HFLM._loglikelihood_tokens with one row: all but the last token are read, the end of the logits is scored."""
    whole = (context + continuation)[-129:][:-1]
    with torch.no_grad():
        logits = torch.nn.functional.log_softmax(model(torch.tensor([whole])).logits, dim=-1)
    logits = logits[:, -len(continuation) :]
    wanted = torch.tensor([continuation])
    greedy = bool((logits.argmax(dim=-1) == wanted).all())
    own = torch.gather(logits, 2, wanted.unsqueeze(-1)).squeeze(-1)
    return Likelihood(logprob=float(own.sum()), tokens=len(continuation), greedy=greedy)


def _tiny(folder: Path) -> None:
    """A language model of random weights that knows letters, and its tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = {name: at for at, name in enumerate(["<s>", "</s>", "<unk>", " ", *"abcdefx"])}
    tokenizer = Tokenizer(models.WordLevel(letters, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    made.save_pretrained(folder)
    torch.manual_seed(7)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(letters), max_position_embeddings=256, initializer_range=0.4, **shape)
    LlamaForCausalLM(config).save_pretrained(folder)
