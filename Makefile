# From a bare clone each target sets itself up: an environment in .venv with the
# exact versions of constraints.txt. Done once; again only when these files change.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

# An NVIDIA driver that answers decides between the two builds of FAISS and torch.
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
# Where PyTorch publishes its CPU wheels, if the configured package index has none.
TORCH_CPU_INDEX ?=

# install ENVIRONMENT, WHAT: a fresh environment with exact versions. On Linux the
# ordinary torch wheel brings gigabytes of CUDA that a machine without a card cannot
# use, so the CPU wheel is asked for first: from the configured package index, or from
# TORCH_CPU_INDEX where that is given. Elsewhere the ordinary wheel is the small one.
define install
$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "gz needs Python 3.11 or newer: make PYTHON=python3.12")'
$(PYTHON) -m venv --clear $(1)
if [ $(EXTRA)-$$(uname -sm | tr ' ' -) = cpu-Linux-x86_64 ]; then \
  $(1)/bin/python -m pip install -q --no-deps $(TORCH_CPU_INDEX:%=--index-url %) \
    'torch==$(TORCH)+cpu' 2>/dev/null \
  || echo 'No CPU build of torch was found (TORCH_CPU_INDEX=... names one); the ordinary one is installed.'; \
fi
$(1)/bin/python -m pip install -q -c constraints.txt $(2)
endef

.PHONY: demo demo-model test lint bench gpu-check wheel clean

demo: $(STAMP)
	$(BIN)/gz demo

# Two at a time, the slow files of commands first.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Trains the model that gz demo uses, from scratch, and a grounder on its vectors; under two
# hours on two cores.
demo-model: $(STAMP)
	$(BIN)/python -P -m model.demo.training --out build/demo-model
	cp build/demo-model/* model/demo/weights/
	$(BIN)/python -P -m model.demo.calibrating
	$(BIN)/python -P -m model.demo.annotated --out build/demo-videos
	$(BIN)/gz train --annotations build/demo-videos/annotations.jsonl --split 80/10/10 \
	  --videos build/demo-videos --model demo --out build/demo-grounder \
	  --preset small --set shape.width=96 --epochs 5
	mkdir -p model/demo/weights/grounder
	cp build/demo-grounder/config.json build/demo-grounder/model.safetensors \
	  model/demo/weights/grounder/
	$(BIN)/python -P -m model.demo.calibrating --grounder --archives 4

# Measures, and writes docs/benchmarks.md and the README's rows; BENCH names some, or is --all.
bench: $(STAMP)
	$(BIN)/python tests/benchmarks/table.py $(BENCH)

# Everything that only a graphics card shows, in under ten minutes; docs/gpu.md says what.
# GPU_CHECK takes options, such as '--only encoding'; PYTHON of a machine that has its own torch
# may run tests/gpu_check.py as it is.
gpu-check: $(STAMP)
	$(BIN)/python tests/gpu_check.py $(GPU_CHECK)

# The wheel as a stranger installs it, run where other people's index.py and model/ lie.
wheel: $(STAMP)
	rm -rf build dist
	$(BIN)/python -m build -q --wheel
	@$(call install,build/venv,"$$(ls dist/*.whl)[$(EXTRA)]")
	GZ=$(CURDIR)/build/venv/bin/gz sh tests/hostile_folder.sh

clean:
	rm -rf $(VENV) build dist *.egg-info

$(STAMP): pyproject.toml constraints.txt Makefile
	@$(call install,$(VENV),-e '.[$(EXTRA)$(comma)dev]')
	@touch $(STAMP)

comma := ,
