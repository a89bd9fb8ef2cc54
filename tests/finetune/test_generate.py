"""Samples are what the tuned model would write, greedily."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuning
from gatewheel.finetune.settings import Settings

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train


def test_it_writes_what_transformers_writes(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from gatewheel.finetune.generate import greedy
    from gatewheel.finetune.loading import Loader
    from gatewheel.models.dense import open_dense

    folder = tuning.write(tmp_path)
    model = Loader(open_dense(folder), Settings(rank=2), nf4=False, dtype=torch.float32).load()
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for prompt in ([1, 5, 9, 0, 2], list(range(3, 40))):
        given = torch.tensor([prompt])
        theirs = reference.generate(
            given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=12, eos_token_id=None
        )
        expected = theirs[0, len(prompt) :].tolist()
        assert greedy(model, prompt, end=-1, at_most=12) == expected
        if (stop := expected[4]) not in expected[:4]:
            assert greedy(model, prompt, end=stop, at_most=12) == expected[:4]
