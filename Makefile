# From a bare clone each target sets itself up: an environment in .venv with the
# exact versions of constraints.txt. Done once; again only when these files change.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

# An NVIDIA driver that answers decides between the two builds of FAISS and torch.
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: demo test lint bench clean

demo: $(STAMP)
	$(BIN)/gz demo

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m pytest tests/benchmarks -s

clean:
	rm -rf $(VENV) build dist *.egg-info

# On Linux the ordinary torch wheel brings gigabytes of CUDA that a machine without
# a card cannot use, so the CPU wheel is asked for first: from the configured index,
# then from PyTorch's own. Elsewhere the ordinary wheel is the small one.
$(STAMP): pyproject.toml constraints.txt Makefile
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gz needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	if [ $(EXTRA)-$$(uname -s)-$$(uname -m) = cpu-Linux-x86_64 ]; then \
	  $(PIP) install -q --no-deps 'torch==$(TORCH)+cpu' 2>/dev/null \
	  || $(PIP) install -q --no-deps --index-url $(TORCH_CPU_INDEX) 'torch==$(TORCH)+cpu' \
	  || echo 'No CPU build of torch was found; installing the ordinary one.'; \
	fi
	$(PIP) install -q -c constraints.txt -e '.[$(EXTRA),dev]'
	touch $(STAMP)
