# SPDX-License-Identifier: GPL-3.0-or-later
# Everything a developer runs, for Linux and macOS. `make` alone lists it; every target makes what it needs.
# On Windows the same commands are written out plainly in CONTRIBUTING.md.

PYTHON ?= python3.11
BLENDERS = 4.2.23 4.5.15 5.0.1
# More arguments for pytest, as in: make test ARGS="-k motion"
ARGS ?=

VENV = .venv
PY = $(VENV)/bin/python
READY = $(VENV)/.ready
OUT = out/demo
# Tests and servers share the processor with whatever else runs: waiting threads sleep instead of spinning.
export OMP_WAIT_POLICY = PASSIVE

.PHONY: help env demo test test-processors test-matrix attack farm-check check coverage build release bench clean

help:
	@echo "make demo         animate demo/astronaut.png with demo/voice.wav; $(OUT)/demo.blend and demo.mp4"
	@echo "make test         all tests, with Blender 4.5 as a Python module"
	@echo "make test-processors  the numerical tests under each instruction set of this processor"
	@echo "make test-matrix  the add-on's tests in each of Blender $(BLENDERS)"
	@echo "make attack       hostile files, broken messages and killed processes; figures go into docs/trust.md"
	@echo "make farm-check   a job array in Slurm on this machine, one worker killed; Debian only, as root"
	@echo "make check        ruff (lint and format), strict mypy, and who may import whom"
	@echo "make coverage     which lines of core and server the tests without Blender reach"
	@echo "make build        the extension zip in dist/, checked by Blender's own validator"
	@echo "make release VERSION=0.2.0  writes the version, heads the changelog, commits and tags"
	@echo "make bench        how fast this machine analyses and decodes, and how long Blender's main thread is busy"
	@echo "make env          only the environment in $(VENV)"
	@echo "make clean        remove everything that make made"

env: $(READY)

$(READY): pyproject.toml tools/make_env.py
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "Python 3.11 is needed (Blender's Python module has no other) and $(PYTHON) was not found." >&2; \
	  echo "Debian 12: sudo apt-get install python3.11 python3.11-venv. Elsewhere: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	$(PYTHON) tools/make_env.py $(VENV)

demo: $(READY)
	rm -rf $(OUT)
	$(PY) -m server.cli animate --source demo/astronaut.png --audio demo/voice.wav --idle 1 \
	  --emotion "0:neutral,2:neutral,2.8:happy:0.7,4.2:happy:0.5,5.2:surprised" --out $(OUT)
	$(PY) demo/make_blend.py $(OUT)

test: $(READY)
	$(PY) tools/run_tests.py $(ARGS)

# What rounding decides, under each instruction set that this processor has.
test-processors: $(READY)
	$(PY) tools/instruction_sets.py $(ARGS)

check: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-cache

# Only reported: no test run fails for its coverage.
coverage: $(READY)
	$(PY) -m pytest -q -n auto --dist loadfile --cov=core --cov=server --cov-report=term:skip-covered \
	  --cov-report=xml:out/coverage.xml tests/wire tests/core tests/server $(ARGS)

# One environment per Blender, holding Blender's side alone; the server these tests start is the one in $(VENV).
test-matrix: $(READY) $(BLENDERS:%=test-blender-%)

test-blender-%: .venv-bpy-%/.ready $(READY)
	EDTALK_PYTHON="$(CURDIR)/$(PY)" $(PY) tools/run_tests.py --python .venv-bpy-$*/bin/python --only-blender $(ARGS)

.PRECIOUS: .venv-bpy-%/.ready
.venv-bpy-%/.ready: tools/make_env.py
	$(PYTHON) tools/make_env.py .venv-bpy-$* --bpy $*

# Some eight minutes.
attack: $(READY)
	$(PY) tools/attack.py $(ARGS)

farm-check: $(READY)
	$(PY) tools/farm_check.py $(ARGS)

build: $(READY)
	$(PY) tools/build_extension.py --out dist

release: $(READY)
	$(PY) tools/make_release.py $(VERSION)

bench: $(READY)
	$(PY) -m server.cli bench
	$(PY) tools/bench_desk.py

clean:
	rm -rf $(VENV) .venv-bpy-* .coverage out dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
