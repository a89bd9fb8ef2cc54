"""The tuning itself, from examples to an adapter; reads from top to bottom.

AdamW on the pairs (LoRA+ gives B a rate of its own), every reply token of a step counting the same however the step is
computed, a look at validation examples now and then, the best pairs kept, and checkpoints from which a tuning that was
killed goes on as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch

from gatewheel.finetune import checkpoint, schedule
from gatewheel.finetune.adapter import as_adapter, copied, put
from gatewheel.finetune.advice import advise
from gatewheel.finetune.dropout import Dropout
from gatewheel.finetune.generate import greedy
from gatewheel.finetune.hands import Hands
from gatewheel.finetune.llama import Llama
from gatewheel.finetune.method import Point, Sample, Task, Tuned, Watch
from gatewheel.finetune.packing import Pack, laid_out, step_rows
from gatewheel.finetune.plan import Plan, prepare
from gatewheel.finetune.team import ALONE, Team
from gatewheel.finetune.tokens import Row
from gatewheel.kernel.errors import Cancelled, ModelError, UserError
from gatewheel.models import adapters

MOST_WRITTEN = 160  # tokens of a sample


def train(task: Task, watch: Watch, team: Team = ALONE) -> Tuned:
    """Tune the weights, and write the adapter into the folder. Every process of a team calls this with the same task.

    A folder that holds a checkpoint of the same tuning goes on from it, on the same trajectory. `watch` sees each step
    and may end the tuning, or raise Cancelled: what was reached then stays as a checkpoint.
    Raises UserError for examples that cannot be learned, ModelError for a base of another family and on a device that
    has no room.
    """
    watch = team.agreed(watch)
    watch(Point(phase="reading", told=f"reading {task.base.name} and {len(task.examples)} examples"))
    alone = team.size == 1
    plan = prepare(task.base, task.examples, task.settings, nf4=task.nf4, alone=alone, begins=task.begins)
    tuning = Tuning(plan, task.folder, watch, team)
    with contextlib.closing(tuning.hands):
        try:
            if tuning.due(plan.look_every):
                tuning.look()
            while tuning.goes_on():
                tuning.learn()
                if tuning.due(plan.look_every):
                    tuning.look()
                if tuning.due(plan.save_every):
                    tuning.save()
        except Cancelled:
            tuning.save()
            raise
        except torch.OutOfMemoryError as error:
            cure = "lower micro_tokens, which is memory's measure, take qlora, or divide the base with [scale] shard"
            raise ModelError(
                f"the accelerator has no room for {plan.micro_tokens} tokens at once", cure=cure
            ) from error
        return tuning.finish()


class Tuning:
    """A tuning under way: the plan, and what changes from step to step, alike in every process of the team."""

    def __init__(self, plan: Plan, folder: Path, watch: Watch, team: Team) -> None:
        self.plan, self.folder, self.watch, self.team = plan, folder, watch, team
        folder.mkdir(parents=True, exist_ok=True)
        self.model = plan.load(shard=team.shard)
        self.hands = Hands(self.model, plan.hands, threads=plan.threads)
        settings, pairs = plan.settings, self.model.linears()
        slow = [each for linear in pairs for each in linear.parameters() if each is not linear.b]
        quick = [linear.b for linear in pairs if linear.b.numel()]
        groups = [{"params": slow, "times": 1.0}, {"params": quick, "times": settings.loraplus}]
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, weight_decay=settings.weight_decay)
        self.progress, self.best = checkpoint.restore(folder, plan.fingerprint, self.optimiser)
        self.model.refresh()
        self.stopped: Literal["", "early", "asked"] = "early" if self._enough() else ""
        self.samples: tuple[Sample, ...] = ()
        self._begun = (time.perf_counter(), self.progress.step, self.progress.seconds)

    def goes_on(self) -> bool:
        return not self.stopped and self.progress.step < self.plan.steps

    def due(self, every: int) -> bool:
        return self.progress.step % every == 0 or not self.goes_on()

    def learn(self) -> None:
        """One step: the gradient of the mean loss of its reply tokens, in as many parts as memory asks for."""
        plan, step = self.plan, self.progress.step
        rows = step_rows(plan.learned, step, plan.settings)
        learned = sum(row.learned for row in rows)

        def compute(model: Llama, share: tuple[Pack, int]) -> float:
            pack, counts = share
            part, drop = counts / learned, Dropout.of(pack.rows, step, plan.settings)
            return part * model.learn(laid_out(pack, plan.device), part, drop)

        loss = self.team.total(self.hands.total(self._shares(rows), compute))
        self.hands.gather()
        self.team.add(self.model.parameters())
        rate = plan.settings.learning_rate * schedule.share(
            step, steps=plan.steps, warmup=plan.warmup, kind=plan.settings.schedule
        )
        norm = self._clipped()
        # before anybody is told: neither a JSON number nor a checkpoint can be made of it
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise self._diverged(f"the loss of step {step + 1} is {loss}, its gradient has the norm {norm}")
        self._update(rate)
        self.progress.step += 1
        self.progress.tokens += sum(len(row.tokens) for row in rows)
        self._tell("learning", loss=loss, learning_rate=rate, gradient_norm=norm)

    def look(self) -> None:
        """The loss of the validation examples, some replies to them, and whether the pairs are the best so far."""
        plan, progress = self.plan, self.progress
        if not plan.kept or (progress.points and progress.points[-1].get("validation") is not None):
            return

        def compute(model: Llama, share: tuple[Pack, int]) -> float:
            pack, counts = share
            return counts * model.loss(laid_out(pack, plan.device))

        loss = self.team.total(self.hands.total(self._shares(plan.kept), compute)) / sum(
            row.learned for row in plan.kept
        )
        if not math.isfinite(loss):
            raise self._diverged(f"the loss of the validation examples after step {progress.step} is {loss}")
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_step, progress.best_loss, progress.looks = progress.step, loss, 0
            self.best = copied(self.model.parameters())
        else:
            progress.looks += 1
        if self.team.first or self.team.shard:
            self.samples = tuple(self._sample(row) for row in plan.kept[: plan.settings.samples])
        if self._enough():
            self.stopped = "early"
        self._tell("looking", validation=loss, samples=self.samples)

    def save(self) -> None:
        """A checkpoint, whole or not at all."""
        self.progress.seconds = self._seconds()
        if self.team.first:
            checkpoint.save(self.folder, self.progress, self.optimiser, self.best)

    def finish(self) -> Tuned:
        """Write the best pairs as an adapter, or the last ones where there are no validation examples."""
        plan, progress = self.plan, self.progress
        self.look()
        self.save()
        losses = [point for point in progress.points if point["loss"] is not None]
        looks = [point["validation"] for point in progress.points if point["validation"] is not None]
        if self.best:
            put(self.model, self.best)
        folder = self.folder / "adapter"
        if self.team.first:
            adapters.write(as_adapter(self.model, plan.settings, base=plan.base), folder)
        tuned = Tuned(
            adapter=folder,
            steps=progress.step,
            best_step=progress.best_step if self.best else progress.step,
            stopped=self.stopped or "done",
            loss=losses[-1]["loss"] if losses else math.nan,
            validation=(looks[0], progress.best_loss, looks[-1]) if progress.best_loss is not None else None,
            examples=len(plan.learned),
            kept=len(plan.kept),
            cut=plan.read.cut,
            left_out=plan.read.left_out,
            tokens=progress.tokens,
            seconds=progress.seconds,
            advice=advise([Point(**point) for point in progress.points], early=self.stopped == "early"),
            samples=self.samples,
            points=tuple(Point(**point) for point in progress.points),
        )
        self.watch(Point(phase="done", step=progress.step, steps=plan.steps, told=tuned.advice))
        return tuned

    def _enough(self) -> bool:
        """Whether it looked in vain as often as it may; also before it was interrupted."""
        return 0 < self.plan.settings.patience <= self.progress.looks

    def _shares(self, rows: Sequence[Row]) -> list[list[tuple[Pack, int]]]:
        plan = self.plan
        return self.team.share(rows, plan.micro_tokens, len(self.hands), trunks=plan.trunks)

    def _clipped(self) -> float:
        """Clip the gradient. Its norm before that."""
        return float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.settings.clip or math.inf))

    def _update(self, rate: float) -> None:
        """Step, and begin the next gradient at zero."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["times"]
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=False)
        self.model.refresh()

    def _diverged(self, what: str) -> UserError:
        """The same in every process of the team, for what it says is summed over all."""
        return UserError(what, cure=f"lower learning_rate, which is {self.plan.settings.learning_rate:g}")

    def _sample(self, row: Row) -> Sample:
        plan, prompt = self.plan, row.tokens[: row.reply]
        agreed = self.team.told if self.team.shard else int
        most = min(2 * row.learned + 16, MOST_WRITTEN)
        written = greedy(self.model, prompt, end=plan.speller.end, at_most=most, agreed=agreed)
        say = plan.speller.text
        return Sample(prompt=say(prompt), reply=say(row.tokens[row.reply :]), written=say(written))

    def _tell(self, phase: Literal["learning", "looking"], **said: Any) -> None:
        began, first, _ = self._begun
        done, left = self.progress.step - first, self.plan.steps - self.progress.step
        spent = time.perf_counter() - began
        point = Point(
            phase=phase,
            step=self.progress.step,
            steps=self.plan.steps,
            tokens_per_second=self.progress.tokens / max(self._seconds(), 1e-9),
            seconds_left=spent / done * left if done else None,
            **said,
        )
        self.progress.points.append(asdict(point) | {"samples": ()})
        if self.watch(point) and not self.stopped:
            self.stopped = "asked"

    def _seconds(self) -> float:
        """Spent on this tuning in all, before it was interrupted too."""
        began, _, before = self._begun
        return before + time.perf_counter() - began
