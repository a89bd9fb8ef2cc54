"""A base in parts learns what a whole one learns, each process holds its part, and a program may have started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tuning
from gatewheel.finetune import lora, qlora
from gatewheel.finetune.settings import Settings

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("accelerate", reason="needs the train extra")
pytest.importorskip("bitsandbytes", reason="needs the train extra")
pytestmark = pytest.mark.train

SAID = {
    "lora": Settings(
        rank=2, steps=8, batch=3, threads=1, precision="float32", learning_rate=0.01, samples=1, dora=True
    ),
    "qlora": Settings(rank=2, steps=4, batch=3, threads=1, precision="float32", learning_rate=0.01, samples=0),
}
PROGRAM = """
import json, sys
from pathlib import Path
import test_shard, tuning
from accelerate import PartialState
from gatewheel.finetune.plan import prepare
from gatewheel.kernel.settings import ScaleSettings

base, to = Path(sys.argv[1]), Path(sys.argv[2])
rank, found = PartialState(cpu=True).process_index, {}
for name, settings in test_shard.SAID.items():
    method = getattr(test_shard, name).create(settings)
    scale = ScaleSettings(shard=True)
    made = method.train(base, tuning.examples(20), folder=to / name, scale=scale)
    plan = prepare(base, tuning.examples(20), settings, nf4=method.nf4)
    held = [test_shard.held(plan.load(shard=shard)) for shard in (True, False)]
    written = [sample.written for sample in made.samples]
    found[name] = [[[point.loss, point.validation] for point in made.points], written, held]
(to / f"{rank}.json").write_text(json.dumps(found))
"""


def held(model: object) -> int:
    """Bytes of all tensors that a model is made of, but for its pairs."""
    pairs = {each.data_ptr() for each in model.parameters()}  # type: ignore[attr-defined]
    found: dict[int, int] = {}

    def look(part: object) -> None:
        if isinstance(part, torch.Tensor):
            if part.data_ptr() not in pairs:
                memory = part.untyped_storage()
                found[memory.data_ptr()] = memory.nbytes()
        elif isinstance(part, list | tuple):
            for each in part:
                look(each)
        elif type(part).__module__.startswith(("gatewheel", "bitsandbytes")):
            names = [*getattr(part, "__dict__", ()), *getattr(part, "__slots__", ())]
            for name in names:
                look(getattr(part, name))

    look(model)
    return sum(found.values())


def test_a_base_in_two_parts_learns_what_a_whole_one_learns(tmp_path: Path) -> None:
    base, here = tuning.write(tmp_path / "base", layers=3, tied=False), Path(__file__).parent
    (tmp_path / "program.py").write_text(PROGRAM)
    # what `accelerate launch` starts on several devices is torchrun too
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [str(tmp_path / "program.py"), str(base), str(tmp_path)]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{here}:{here.parent}",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    for name, settings in SAID.items():
        method = (lora if name == "lora" else qlora).create(settings)
        whole = method.train(base, tuning.examples(20), folder=tmp_path / "whole" / name)
        losses = [value or 0 for point in whole.points for value in (point.loss, point.validation)]
        for points, written, (part, all_) in (each[name] for each in parts):
            assert [value or 0 for point in points for value in point] == pytest.approx(losses, rel=1e-5)
            assert written == [sample.written for sample in whole.samples]
            # pairs, norms and the scales of the codes are whole in each, and in a model as small as this they count
            assert part < {"lora": 0.68, "qlora": 0.8}[name] * all_, (part, all_)
