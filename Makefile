# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: demo test check bench-offline bench-online bench-gate bench-fingerprint reliability lock clean

$(READY): requirements.txt pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY) ## the main job on real flights, as a DVC pipeline, and what came of it
	dvc repro
	featurestore summary

test: $(READY) ## the whole test suite
	python -m pytest -n 2

check: $(READY) ## style, types and layers
	ruff format --check .
	ruff check .
	mypy
	lint-imports

bench-offline: benchmarks/.ready ## the point-in-time join beside its peers
	python benchmarks/offline.py --plot docs/offline.svg

bench-online: benchmarks/.ready ## materialization and lookup, in process and over HTTP, beside Feast's
	python benchmarks/online.py
	python benchmarks/serving.py

bench-gate: benchmarks/.ready ## the gate beside a hand-fused query, Pandera, dataframely, pointblank and DuckDB
	python benchmarks/gate.py

bench-fingerprint: $(READY) ## edits that change values, and edits that do not, beside what `feast apply` notices
	python benchmarks/fingerprint.py

reliability: $(READY) ## minutes of load with faults injected; every answer is checked
	python benchmarks/reliability.py

benchmarks/.ready: $(READY) benchmarks/requirements.txt
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	touch $@

LOCK := uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --no-header
lock: ## write the requirements anew
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) benchmarks/requirements.in --output-file benchmarks/requirements.txt

clean: ## everything that was made here
	rm -rf $(VENV) data
