"""A llama of a few thousand random weights as a Hugging Face folder, with a tokenizer of single characters."""

from __future__ import annotations

import random
import string
from pathlib import Path

from gatewheel.kernel.example import Example
from gatewheel.kernel.nouns import Message

WORDS = ("<|end|>", "<|user|>", "<|bot|>", *string.ascii_lowercase, *string.digits, " ", ".", "?")
TEMPLATE = (
    "{% for m in messages %}{{ '<|user|>' if m.role != 'assistant' else '<|bot|>' }}{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|bot|>{% endif %}"
)


def write(folder: Path, *, tied: bool = True, layers: int = 2) -> Path:
    """The folder, as `save_pretrained` writes it: hidden 32, 4 heads of 8 that share 2 keys."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=48, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=128, tie_word_embeddings=tied, initializer_range=0.2,
        bos_token_id=None, eos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", additional_special_tokens=["<|user|>", "<|bot|>"]
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return folder


def examples(count: int, *, seed: int = 0, told: str = "") -> list[Example]:
    """Words to be written backwards, each after what is told to all of them."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        word = "".join(rng.choice(string.ascii_lowercase[:6]) for _ in range(rng.randint(2, 9)))
        said = (Message(role="user", content=f"{told}turn {word}"),)
        found.append(Example(prompt=said, reply=word[::-1], group=f"case {number}"))
    return found
