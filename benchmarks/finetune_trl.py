"""The peer of finetune.py, run by it: TRL's SFTTrainer on rows that are tokens already.

Stock is what SFTConfig and the loading of a model by its name come to: weights in float32, bfloat16 by autocast,
gradient checkpointing. "float32" has no autocast; "quick" has weights in bfloat16 and no checkpointing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from finetune_steps import Watch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
KINDS: dict[str, dict[str, Any]] = {
    "stock": {},
    "float32": {"bf16": False},
    "quick": {"gradient_checkpointing": False},
}


def main() -> None:
    """Train until told to stop, or until the rows end."""
    told = json.loads(sys.argv[1])
    watch = Watch()

    import torch
    from datasets import Dataset
    from torch.utils.data import SequentialSampler
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(told["threads"])
    rows, batch = json.loads(Path(told["rows"]).read_text()), told["batch"]
    learned = [{"input_ids": tokens, "labels": [-100] * reply + tokens[reply:]} for tokens, reply in rows]

    class InOrder(SFTTrainer):  # type: ignore[misc]
        """The same examples in the same order."""

        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    class Told(TrainerCallback):
        """Tells each step, and waits."""

        def on_log(self, *now: Any, **said: Any) -> None:
            _, state, control = now
            if "loss" in (logs := said["logs"]):
                of_step = rows[(state.global_step - 1) * batch : state.global_step * batch]
                tokens = sum(len(tokens) for tokens, _ in of_step)
                control.should_training_stop |= not watch.goes_on(logs["loss"], tokens)

    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=batch,
            max_steps=len(rows) // batch,
            learning_rate=told["learning_rate"],
            lr_scheduler_type="constant",
            warmup_steps=0,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            disable_tqdm=True,
            **KINDS[told["kind"]],
        )
        trainer = InOrder(
            model=_model(told),
            args=config,
            train_dataset=Dataset.from_list(learned),
            processing_class=AutoTokenizer.from_pretrained(told["base"]),
            callbacks=[Told()],
        )
        trainer.train()


def _model(told: dict[str, Any]) -> Any:
    """The whole model where there is no adapter to begin with, else that with the pairs that both begin with."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if told["kind"] == "quick" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(told["base"], dtype=dtype)
    if not told["adapter"]:
        return model
    from peft import PeftModel

    return PeftModel.from_pretrained(model, told["adapter"], is_trainable=True)


if __name__ == "__main__":
    main()
