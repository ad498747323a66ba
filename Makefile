# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
OLDEST := .venv-oldest
PY := $(VENV)/bin/python
EXAMPLE ?= examples/teapot.png
NAME := $(basename $(notdir $(EXAMPLE)))

.PHONY: demo test check unit oldest e2e bench gallery clean

demo: $(VENV)/.run
	@$(PY) -m maquette generate $(EXAMPLE) -o out/$(NAME).glb --preview out/$(NAME).png --report out/$(NAME).json

test: check unit oldest e2e

# torch first and by itself: nothing that follows may choose another build of it.
$(VENV)/.run: requirements.txt constraints.txt
	@echo "installing into $(VENV), PyTorch first: some minutes, once"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q -c constraints.txt torch
	$(PY) -m pip install -q -c constraints.txt -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt requirements-dev-models.txt
	$(PY) -m pip install -q -c constraints.txt -r requirements-dev.txt -r requirements-dev-models.txt
	@touch $@

check: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

unit: $(VENV)/.dev
	$(PY) -m pytest tests -m "not e2e and not browser"

# The oldest versions that requirements.txt allows, on numpy 1.26.
$(OLDEST)/.dev: requirements.txt requirements-dev.txt constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install -q -c constraints-oldest.txt torch
	$(OLDEST)/bin/python -m pip install -q -c constraints-oldest.txt -r requirements.txt -r requirements-dev.txt
	@touch $@

oldest: $(OLDEST)/.dev
	$(OLDEST)/bin/python -m pytest tests -m "not e2e and not browser and not slow"

e2e: $(VENV)/.dev
	$(PY) -m pytest tests/e2e -m "e2e or browser" -rs

bench: $(VENV)/.dev
	$(PY) -m benchmarks

gallery: $(VENV)/.run
	$(PY) -m examples.make_gallery

clean:
	rm -rf $(VENV) $(OLDEST) out
