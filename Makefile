# Each target sets up all it needs: a virtual environment in .venv, and the compiled modules in place.
# PYTHON chooses the interpreter (3.11 or newer) for a new environment.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.PHONY: help demo test test-simulator test-ptx test-gpu test-full test-checked bench bench-gpu lint build clean

PYTHON ?= python3
PY := .venv/bin/python
VARIANT := $(MXCY_DEBUG)-$(MXCY_SANITIZE)
COMPILED := $(shell find mxcy -name '*.py[xi]' -o -name '*.pxd' -o -name '*.[ch]pp' -o -name '*.h')
# What must also hold under the engine's plain-Python twin, even in the short suite.
SERIAL := $(wildcard tests/test_engine*.py tests/test_ndarray*.py tests/test_executor*.py tests/test_ops*.py)
CUDA_TESTS := $(filter-out tests/test_cuda_ptx.py,$(wildcard tests/test_cuda*.py))

help:
	@echo 'make demo       train on real digits (examples/train_mnist.py)'
	@echo 'make test       the short suite'
	@echo 'make test-simulator  the kernels for GPUs in the simulator of Numba'
	@echo 'make test-ptx   the same, and all of them compiled for sm_80 and sm_90, without a GPU'
	@echo 'make test-gpu   the operators on mx.gpu(0); make bench-gpu  their speed'
	@echo 'make test-full  the whole suite with all promised counts; summary in docs/test-full.txt'
	@echo 'make test-checked  engine and block machine with assertions, and under ThreadSanitizer'
	@echo 'make bench      every benchmark'
	@echo 'make lint       ruff, mypy and the structure of the package'
	@echo 'make clean      remove what was built'

demo: build
	@$(PY) examples/train_mnist.py

test: build
	@export HYPOTHESIS_PROFILE=ci
	$(PY) -m pytest --durations=20
	if [ -n "$(SERIAL)" ]; then
		MXCY_ENGINE=serial MXCY_ROWS=one $(PY) -m pytest -q $(SERIAL)
	fi
	$(MAKE) test-ptx

test-simulator: build
	@NUMBA_ENABLE_CUDASIM=1 MXCY_CUDA_SOURCES=build/cuda-sources.json HYPOTHESIS_PROFILE=ci \
		$(PY) -m pytest -q $(CUDA_TESTS)

test-ptx: test-simulator
	@MXCY_TEST_PTX=1 $(PY) -m pytest -q tests/test_cuda_ptx.py

test-gpu: build
	@$(PY) -m pytest -q $(CUDA_TESTS)
	MXCY_TEST_CONTEXT=gpu $(PY) -m pytest -q tests/test_ops.py

bench-gpu: build
	@$(PY) benchmarks/gpu.py --keep

test-full: build
	@if [ -f benchmarks/peers/setup.sh ]; then bash benchmarks/peers/setup.sh; fi
	if [ ! -d build/ray-train ]; then  # what Ray Train needs beside Ray, for one test; pyarrow is large
		rm -rf build/ray-train.new
		$(PY) -m pip install -q --target build/ray-train.new --no-deps pyarrow && \
			$(PY) -m pip install -q --target build/ray-train.new pydantic && \
			mv build/ray-train.new build/ray-train || echo 'the test of Ray Train is left out' >&2
	fi
	export HYPOTHESIS_PROFILE=full MXCY_TEST_FULL=1
	status=0
	summary=build/test-full.txt
	$(PY) -c 'import platform, numpy; print("Python", platform.python_version(), "NumPy", numpy.__version__)' > $$summary
	git log -1 --format='Commit %h' >> $$summary 2> /dev/null || true
	MXCY_ENGINE=serial $(PY) -m pytest -q -ra --durations=20 > build/test-full-serial.log 2>&1 & beside=$$!
	MXCY_ENGINE=threaded $(PY) -m pytest -q -ra --durations=20 2>&1 | tee build/test-full-threaded.log || status=1
	wait $$beside || status=1
	for engine in threaded serial; do
		echo "MXCY_ENGINE=$$engine" >> $$summary
		grep -E '^(FAILED|ERROR|SKIPPED|XFAIL)' build/test-full-$$engine.log >> $$summary || true
		tail -n 1 build/test-full-$$engine.log >> $$summary
	done
	cp $$summary docs/test-full.txt
	cat docs/test-full.txt
	exit $$status

test-checked: build
	@PYTHON=$$PWD/$(PY) sh tests/run_checked.sh debug
	PYTHON=$$PWD/$(PY) sh tests/run_checked.sh thread

bench: build
	@for script in $(filter-out benchmarks/_% benchmarks/gpu.py,$(wildcard benchmarks/*.py)); do
		echo "== $$script"
		$(PY) $$script
	done

lint: build
	@$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest -q tests/test_layers.py

build: build/built$(VARIANT)

build/built$(VARIANT): .venv/ready setup.py $(COMPILED)
	@$(PY) setup.py -q build_ext --inplace
	rm -f build/built*
	touch $@

.venv/ready: pyproject.toml
	@usable() {
		$(PYTHON) -c 'import ensurepip, os, sys, sysconfig as s, venv
	found = os.path.exists(os.path.join(s.get_path("include"), "Python.h"))
	sys.exit(sys.version_info < (3, 11) or not found)' 2> /dev/null && command -v g++ > /dev/null
	}
	if ! usable && [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
			python3-venv python3-dev g++ libjpeg-dev ca-certificates > /dev/null
	fi
	if ! usable; then
		echo 'mxcy needs Python 3.11 or newer with venv and headers, and g++' \
			'(Debian: python3-venv python3-dev g++); PYTHON=... names another interpreter' >&2
		exit 1
	fi
	$(PY) -m pip --version &> /dev/null || $(PYTHON) -m venv --clear .venv
	read_requires='import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
	$(PY) -c "$$read_requires" > .venv/build-requires.txt
	$(PY) -m pip install -q --disable-pip-version-check -r .venv/build-requires.txt
	$(PY) setup.py -q build_ext --inplace
	$(PY) -m pip install -q --disable-pip-version-check --no-build-isolation -e '.[test]'
	touch $@

clean:
	@rm -rf build dist .venv *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find mxcy -name '*.so' -delete
	find . -name __pycache__ -type d -not -path './.peers/*' -prune -exec rm -rf {} +
