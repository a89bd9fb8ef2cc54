"""What a tuning will take is told before it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tuning
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.durable import FRUGAL
from gatewheel.kernel.errors import ModelError
from gatewheel.models.dense import Shape

pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

SMALL = Settings(rank=4, alpha=8, threads=1, precision="float32", steps=6, batch=4)
LLAMA_8B = Shape(
    layers=32, hidden=4096, intermediate=14336, heads=32, kv_heads=8, head_dim=128, vocab=128_256,
    context_length=8192, rope_theta=5e5, norm_eps=1e-5, tied=False,
)  # fmt: skip

TUNE = """
import sys
from pathlib import Path
import tuning
from gatewheel.finetune import lora
from gatewheel.finetune.settings import Settings
lora.create(Settings.model_validate_json(sys.argv[2])).train(
    Path(sys.argv[1]), tuning.examples(80), folder=Path(sys.argv[1]) / "run"
)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests found is not known here."""
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path / "cache"))


def test_it_tells_what_was_tried(tmp_path: Path) -> None:
    from gatewheel.finetune.preflight import preflight

    seen = preflight(tuning.write(tmp_path), tuning.examples(20), SMALL, nf4=False)
    assert seen.fits
    assert (seen.steps, seen.examples, seen.kept) == (6, 18, 2)
    assert seen.tokens > 6 * 4 * 10
    assert seen.seconds > 0
    assert 100e6 < seen.memory < 2e9
    assert "6 steps" in seen.told


def test_what_cannot_fit_is_refused_with_what_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewheel.finetune import preflight

    base = tuning.write(tmp_path)
    monkeypatch.setattr(preflight, "available", lambda: 10**6)
    seen = preflight.preflight(base, tuning.examples(20), SMALL, nf4=False)
    assert not seen.fits
    assert "0.00 GB are free; no setting makes it fit: take a smaller base" in seen.told
    needed = preflight._counted(preflight.prepare(base, tuning.examples(20), SMALL, nf4=False), 300)
    monkeypatch.setattr(preflight, "available", lambda: needed - 1)
    big = Settings(**{**SMALL.model_dump(), "batch": 40, "micro_tokens": 2000})
    seen = preflight.preflight(base, tuning.examples(200), big, nf4=False)
    assert not seen.fits
    assert "this would fit: micro_tokens = 256" in seen.told


def test_what_was_found_is_remembered_until_something_that_matters_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewheel.finetune import remembered
    from gatewheel.finetune.preflight import preflight

    base, told = tuning.write(tmp_path / "base"), tuning.examples(20)
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 9.0, 9.0))
    preflight(base, told, SMALL, nf4=False)  # of a busy machine, and not remembered
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    assert not remembered.known(remembered.question(base, SMALL, nf4=False))
    first = preflight(base, told, SMALL, nf4=False)
    monkeypatch.setattr(sys, "executable", "/bin/false")  # a probe would fail from now on
    again = preflight(base, told, SMALL, nf4=False)
    assert preflight(base, told, SMALL, nf4=False, processes=3).memory == 3 * first.memory
    assert (again.memory, again.seconds, again.told) == (first.memory, first.seconds, first.told)
    later = Settings(**{**SMALL.model_dump(), "learning_rate": 0.1, "epochs": 7, "seed": 3})
    assert preflight(base, told, later, nf4=False).memory == first.memory
    with pytest.raises(ModelError, match="the probe failed"):
        preflight(base, told, Settings(**{**SMALL.model_dump(), "rank": 5}), nf4=False)
    with pytest.raises(ModelError, match="the probe failed"):
        preflight(tuning.write(tmp_path / "other", layers=3), told, SMALL, nf4=False)
    before = remembered.question(base, SMALL, nf4=False)
    assert remembered.question(base, SMALL, nf4=True) != before
    monkeypatch.setattr(remembered, "_versions", lambda: ("of another release",))
    assert remembered.question(base, SMALL, nf4=False) != before


def test_a_damaged_memory_is_no_memory(tmp_path: Path) -> None:
    from gatewheel.finetune import remembered

    answer = {"memory": 1.0, "speed": 2.0, "written": 3.0}
    for number in range(70):
        remembered.keep(f"question {number}", "form", answer)
    assert remembered.known("question 69") == {"form": answer}
    assert remembered.known("question 2") == {}  # the oldest are forgotten
    ledger = tmp_path / "cache" / "preflight.json"
    ledger.write_text('{"question 69": {"form": {"memory": 1}}, "question 68": 5}')
    assert remembered.known("question 69") == remembered.known("question 68") == {}
    ledger.write_text("{")
    assert remembered.known("question 69") == {}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_the_memory_is_within_15_percent_of_a_tuning(tmp_path: Path) -> None:
    from gatewheel.finetune.preflight import preflight

    base = tuning.write(tmp_path / "base")
    settings = Settings(**{**SMALL.model_dump(), "steps": 3, "batch": 60, "micro_tokens": 2048})
    seen = preflight(base, tuning.examples(80), settings, nf4=False)
    environment = {**os.environ, **FRUGAL, "PYTHONPATH": str(Path(tuning.__file__).parent)}
    command = [sys.executable, "-c", TUNE, str(base), settings.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert seen.memory == pytest.approx(1024 * int(done.stdout.split()[-1]), rel=0.15)


def test_the_count_of_a_large_model_is_about_what_is_known() -> None:
    from gatewheel.finetune.footprint import footprint

    lora = footprint(LLAMA_8B, Settings(), nf4=False, size=2, tokens=512)
    qlora = footprint(LLAMA_8B, Settings(), nf4=True, size=2, tokens=512)
    assert lora.weights == pytest.approx(16.1e9, rel=0.03)  # 8.03 billion in bfloat16
    assert qlora.weights == pytest.approx(5.7e9, rel=0.03)  # and the two tables of words stay as they are
    assert lora.pairs == pytest.approx(42e6 * 22, rel=0.03)  # PEFT counts 41,943,040 at rank 16
    assert qlora.total < 0.51 * lora.total
