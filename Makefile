# Two commands set up a fresh machine: `make demo` and `make test`. Both use the active virtual environment, else .venv.

PYTHON3 ?= python3
VENV := $(or $(VIRTUAL_ENV),$(CURDIR)/.venv)
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt

# A stamp belongs to one checkout and one environment, so that a fresh clone never trusts another's install.
STAMP := build/stamps$(subst /,_,$(VENV))
WANTED := pyproject.toml setup.py constraints.txt

# Recompiles what a change in csrc/ touched; half a second where nothing changed.
COMPILE = $(PYTHON) setup.py --quiet build_ext --inplace

.PHONY: help demo test lint bench sanitize clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      install smartcore and run its demonstration"
	@echo "make test      install what tests need, lint, run the tests"
	@echo "make lint      ruff and mypy"
	@echo "make bench     benchmarks beside the peers, into bench/results, about four minutes"
	@echo "make sanitize  the core's own tests, its fuzzer and the engine's tests under ASan and UBSan"
	@echo "make clean     remove what was built (.venv stays)"

demo: $(STAMP)/demo
	$(COMPILE)
	$(VENV)/bin/smartcore demo

test: lint
	$(PYTHON) -m pytest

lint: $(STAMP)/test
	$(COMPILE)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

bench: $(STAMP)/bench
	$(COMPILE)
	$(PYTHON) bench/run.py

$(PYTHON):
	$(PYTHON3) -m venv $(VENV)

# Editable, so that a change of Python needs no install; without isolation, so that setup.py can run again by itself.
$(STAMP)/demo $(STAMP)/test $(STAMP)/bench: $(WANTED) | $(PYTHON)
	$(PIP) "setuptools>=77" "pybind11>=3.0"
	$(PIP) --no-build-isolation --editable ".$(EXTRAS)"
	@mkdir -p $(@D) && touch $@ $(STAMP)/demo

$(STAMP)/demo: EXTRAS = [parquet]
$(STAMP)/test: EXTRAS = [test]
$(STAMP)/bench: EXTRAS = [test,bench]

# The sanitised core lives in build/sanitize: the module in src/ stays the fast one.
SANITIZED := build/sanitize
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
objects = $(patsubst %.cpp,$(SANITIZED)/cpp/%.o,$(shell find $(1) -name '*.cpp' -not -path 'csrc/bind/*'))
CORE := $(call objects,csrc)
CASES := $(call objects,tests/cpp)
FUZZ := $(call objects,tests/fuzz)
FUZZ_SECONDS ?= 30
FUZZ_SEED ?= 1
ENGINE_TESTS ?= $(wildcard $(foreach name,engine core book features bar_clock refusals properties events snapshot,\
	tests/test_$(name)*.py))
preload = $(foreach library,libasan.so libstdc++.so,$(shell $(CXX) -print-file-name=$(library)))

sanitize: $(STAMP)/test $(SANITIZED)/core_tests $(SANITIZED)/fuzz_events
	$(SANITIZED)/core_tests
	cd $(SANITIZED) && ./fuzz_events $(FUZZ_SECONDS) $(FUZZ_SEED)
	SMARTCORE_SANITIZE=1 $(PYTHON) setup.py --quiet build --build-lib $(SANITIZED)/lib
	$(if $(ENGINE_TESTS),,@echo "no engine tests yet"; exit 1)
	LD_PRELOAD="$(preload)" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=$(CURDIR)/$(SANITIZED)/lib \
		$(PYTHON) -m pytest $(ENGINE_TESTS)

$(SANITIZED)/core_tests: $(CORE) $(CASES)
$(SANITIZED)/fuzz_events: $(CORE) $(FUZZ)
$(SANITIZED)/core_tests $(SANITIZED)/fuzz_events:
	$(CXX) $(SANITIZE) $^ -o $@

$(SANITIZED)/cpp/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) -std=c++20 -O1 -g -ffp-contract=off -Wall -Wextra -Wpedantic -Werror $(SANITIZE) -Icsrc -MMD -c $< -o $@

-include $(patsubst %.o,%.d,$(CORE) $(CASES) $(FUZZ))

clean:
	rm -rf build dist src/*.egg-info src/smartcore/_core*.so .pytest_cache .mypy_cache .ruff_cache
