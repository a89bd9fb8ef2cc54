"""The engine is chosen by figures; they are kept, a failure among them, and the choice falls back."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from gatewheel.kernel.errors import ConfigError, MissingPart, ModelError
from gatewheel.models import auto, catalogue, conversion, measure
from gatewheel.models.measure import Figures, choose, cold_ask, remembered
from gatewheel.models.weights import DEFAULT, find


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path))
    monkeypatch.setattr(measure, "_unwritten", {})
    return tmp_path


def figures(engine: str, *, load: float = 1.0, error: str = "") -> Figures:
    return Figures(engine=engine, version="1", load=load, prefill=500.0, decode=50.0, error=error)


def know(*entries: Figures) -> None:
    for entry in entries:
        measure._remember(entry, DEFAULT, 0)


def test_a_cold_ask_is_load_and_prompt_and_answer() -> None:
    assert cold_ask(figures("x", load=1.0)) == pytest.approx(1.0 + 2.0 + 2.0)
    assert cold_ask(figures("x", error="no")) == float("inf")


def test_one_engine_is_measured_for_real_and_remembered() -> None:
    measured = measure._measure("llama.cpp", DEFAULT, 1)
    assert measured.error == ""
    assert min(measured.load, measured.prefill, measured.decode) > 0
    measure._remember(measured, DEFAULT, 1)
    assert remembered(DEFAULT, threads=1) == {"llama.cpp": measured}
    assert remembered(DEFAULT, threads=64) == {}  # another number of threads is another machine


def test_the_fastest_known_engine_is_chosen_without_measuring() -> None:
    know(figures("openvino", load=3.0), figures("llama.cpp", load=2.0))
    told: list[str] = []
    engine, all_figures = choose(DEFAULT, on_progress=told.append)
    assert (engine, set(all_figures), told) == ("llama.cpp", {"openvino", "llama.cpp"}, [])


def test_an_engine_that_failed_is_not_chosen() -> None:
    know(figures("openvino", error="illegal instruction"), figures("llama.cpp", load=99.0))
    assert choose(DEFAULT)[0] == "llama.cpp"


def test_measuring_again_keeps_the_better_figures_and_forgets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    know(figures("openvino", load=1.0), figures("llama.cpp", error="killed"))
    busy = {"load": 3.0, "prefill": 600.0, "decode": 20.0}
    monkeypatch.setattr(measure, "_measure", lambda engine, *_: Figures(engine=engine, version="1", **busy))
    _, known = choose(DEFAULT, refresh=True)
    assert known["openvino"] == Figures(engine="openvino", version="1", load=1.0, prefill=600.0, decode=50.0)
    assert known["llama.cpp"] == Figures(engine="llama.cpp", version="1", **busy)
    assert remembered(DEFAULT) == known


def test_a_failure_holds_for_a_day_only(own_cache: Path) -> None:
    know(figures("openvino", error="out of memory"), figures("llama.cpp"))
    assert remembered(DEFAULT)["openvino"].error == "out of memory"
    ledger = own_cache / "machine.json"
    held = json.loads(ledger.read_text())
    for entry in held.values():
        if entry["error"]:
            entry["failed"] = time.time() - 90_000
    ledger.write_text(json.dumps(held))
    assert set(remembered(DEFAULT)) == {"llama.cpp"}


def test_a_failure_of_an_older_version_is_measured_again(own_cache: Path) -> None:
    know(figures("openvino", error="out of memory"))
    ledger = own_cache / "machine.json"
    held = json.loads(ledger.read_text())
    ledger.write_text(json.dumps({key: {k: v for k, v in e.items() if k != "failed"} for key, e in held.items()}))
    assert remembered(DEFAULT) == {}


def test_figures_hold_for_the_process_when_the_cache_cannot_be_written(own_cache: Path) -> None:
    (own_cache / "machine.json").mkdir()
    know(figures("openvino", error="broken"), figures("llama.cpp"))
    assert choose(DEFAULT)[0] == "llama.cpp"


def test_an_engine_that_fails_to_load_is_not_chosen_again(own_cache: Path) -> None:
    know(figures("openvino", load=0.1), figures("llama.cpp", load=9.0))
    (own_cache / "openvino").write_text("in the way of the conversion")
    model = auto.create(auto.Settings(context_length=256))
    assert type(model).__name__ == "LlamaCpp"
    model.close()
    chosen, known = choose(DEFAULT)
    assert chosen == "llama.cpp"
    assert "cannot keep the converted weights" in known["openvino"].error


@pytest.mark.parametrize("module", ["openvino_genai", "gguf"])
def test_an_installation_that_cannot_be_imported_is_a_missing_part(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # Python's own way of saying that it cannot be imported
    with pytest.raises(MissingPart, match=f"{module.replace('_', '-')} cannot be imported.*force-reinstall"):
        conversion.load(find(DEFAULT), threads=1, on_progress=print)


def test_when_no_engine_works_every_reason_is_told() -> None:
    know(figures("openvino", error="no AVX"), figures("llama.cpp", error="exit code -4"))
    with pytest.raises(ModelError, match=r"openvino: no AVX; llama.cpp: exit code -4"):
        choose(DEFAULT)


def test_an_engine_that_cannot_read_the_file_is_recorded_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF nonsense")
    assert "not a usable GGUF" in measure._measure("llama.cpp", str(tmp_path / "bad.gguf"), 1).error


def test_auto_makes_the_chosen_model() -> None:
    know(figures("openvino", error="not here"), figures("llama.cpp"))
    model = auto.create(auto.Settings(context_length=256))
    assert type(model).__name__ == "LlamaCpp"
    assert model.context_length == 256
    model.close()


def test_auto_without_weights_says_what_to_install() -> None:
    with pytest.raises(MissingPart, match="no weights at"):
        auto.create(auto.Settings(weights="nothing"))


def test_a_damaged_ledger_is_as_good_as_none(own_cache: Path) -> None:
    (own_cache / "machine.json").write_text("[1, 2")
    assert remembered(DEFAULT) == {}


def test_the_catalogue_joins_what_is_known_with_what_is_here() -> None:
    know(figures("llama.cpp"))
    entry = catalogue.show(DEFAULT)
    assert (entry.licence, entry.use, entry.parameters) == ("Apache-2.0", "any", 134_515_008)
    assert (entry.here, entry.quantisation, entry.size) == (True, "Q4_1", 98_362_432)
    assert entry.figures["llama.cpp"].decode == 50.0
    absent = catalogue.show("qwen2.5-0.5b-instruct")
    assert (absent.here, absent.figures, absent.size) == (False, {}, None)


def test_a_project_s_own_tables_come_first_and_bring_their_prices() -> None:
    own = {
        "main": {"use": "auto", "context_length": 2048},
        "big": {"use": "openai", "model": "gpt-4o-mini", "input_price": 0.5},
    }
    listed = catalogue.list_models(own)
    assert [entry.name for entry in listed[:2]] == ["big", "main"]
    assert (listed[0].input_price, listed[0].context_length, listed[0].publisher) == (0.5, 128000, "OpenAI")
    assert (listed[1].context_length, listed[1].here) == (2048, True)
    with pytest.raises(ConfigError, match="did you mean 'big'"):
        catalogue.show("bigg", own)


def test_every_entry_of_the_catalogue_states_its_licence_and_where_it_runs() -> None:
    for entry in catalogue.list_models():
        assert entry.licence, entry.name
        assert entry.use in ("any", "terms", "service"), entry.name
        assert entry.runs, entry.name
        assert entry.input_price is None, f"{entry.name}: prices change, so the file keeps none"
