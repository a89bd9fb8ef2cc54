"""What a tuning may be told: the table `[finetune.<name>]`, the same for LoRA and QLoRA."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.models.dense import LINEARS

Target = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ALL: tuple[Target, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
assert ALL == LINEARS


class Settings(BaseModel):
    """Defaults are for adapters of small models; docs/finetune.md says what was measured."""

    # a default is what it is when it was written down and read again: 32.0, not 32
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    rank: int = Field(16, ge=1, le=1024, description="Rank of each pair.")
    alpha: float = Field(32, gt=0, description="The pair counts alpha / rank times, with rslora alpha / sqrt(rank).")
    targets: tuple[Target, ...] = Field(ALL, min_length=1, description="The linears that are adapted.")
    rslora: bool = Field(False, description="Scale by alpha / sqrt(rank) (Kalajdzievski 2023): for large ranks.")
    dora: bool = Field(False, description="Learn the norm of each row too (Liu et al. 2024): slower, at times better.")
    dropout: float = Field(
        0.0, ge=0, le=0.9, description="Share of a pair's inputs left out at random while it learns."
    )
    loraplus: float = Field(1, ge=1, le=64, description="B learns so many times faster than A (Hayou et al. 2024).")

    learning_rate: float = Field(5e-4, gt=0, le=1, description="The highest rate of the schedule.")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="How it falls after the warm-up.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the rate rises from 0.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW's, of the pairs.")
    clip: float = Field(1.0, ge=0, description="The largest norm of the gradient; 0: any.")

    epochs: float = Field(3, gt=0, le=1000, description="Times that each example is seen.")
    steps: int = Field(0, ge=0, description="Steps in all; 0: what the epochs come to.")
    batch: int = Field(8, ge=1, description="Examples a step.")
    micro_tokens: int = Field(0, ge=0, description="Tokens that are computed at once, memory's measure; 0: by device.")
    packing: bool = Field(
        True, description="Compute several examples at once, and what they begin with alike once; the losses stay."
    )
    sequence_length: int = Field(2048, ge=16, description="Tokens of prompt and reply, less if trained for less.")
    overlong: Literal["leave out", "cut"] = Field(
        "leave out", description="What is longer is left out, or the beginning of its prompt is cut."
    )

    validation: float = Field(0.1, ge=0, le=0.5, description="Share of the cases that are kept to see what is learned.")
    evaluate_every: int = Field(0, ge=0, description="Steps from one look at them to the next; 0: ten in all.")
    patience: int = Field(3, ge=0, description="Looks without a better loss before the tuning ends; 0: never.")
    samples: int = Field(2, ge=0, le=64, description="Validation examples that are answered at each look.")
    checkpoint_every: int = Field(0, ge=0, description="Steps from one checkpoint to the next; 0: at each look.")

    seed: int = Field(0, ge=0, lt=2**31, description="Of the pairs, the order and the validation cases.")
    precision: Literal["auto", "bfloat16", "float32"] = Field(
        "auto", description="What products are computed in; auto: bfloat16 where the processor knows it."
    )
    threads: int = Field(0, ge=0, description="0: every core; up to four compute different examples of a step.")

    @property
    def scale(self) -> float:
        """What B A is multiplied by."""
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank)
