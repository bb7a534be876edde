# make lab | book | book-serve | execute | test ... each sets up .venv first if it is missing or out of date

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY := $(BIN)/python
READY := $(VENV)/.ready

# where relative names of folders start: with -C, which switches on -w unless there is -s, where the shell is
FLAGS := $(firstword -$(MAKEFLAGS))
CALLED_FROM := $(if $(findstring w,$(FLAGS))$(findstring s,$(FLAGS)),$(PWD),$(CURDIR))

# where two programs share two cores, NumPy's threads stand in each other's way
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help setup lab class-check book book-serve pdf editions slides slides-pdf check-slides execute pairs checkpoint results your-data lint unit nbval check-book test wheel portable lock clean

help:
	@echo "make lab         open the notebooks in JupyterLab"
	@echo "make class-check say whether this machine is ready for a class"
	@echo "make book        build the site into _build/html"
	@echo "make book-serve  build the site and serve it on this machine"
	@echo "make pdf         print the book as a PDF into the site"
	@echo "make editions    write the notebooks for a class, without and with the solutions, into _build/editions"
	@echo "make slides      write the lecture slides into _build/slides; make slides-pdf also prints them"
	@echo "make execute     run every notebook from a fresh kernel and store its outputs"
	@echo "make test        lint, unit tests, notebooks, book"
	@echo "make wheel       run every notebook from the built wheel, in a new environment"
	@echo "make portable    unit tests and notebooks as other processors compute them (hours)"
	@echo "make your-data UNET_DATA=folder   run notebook 15 on your data, result in runs/"
	@echo "make results     measure every number of the book again (hours)"
	@echo "make checkpoint  train the model that ships with the package again"

setup: $(READY)

# from the lock, with hashes; by uv if it is there, else by pip
$(READY): requirements.lock pyproject.toml tools/setup_environment.py
	$(PYTHON) tools/setup_environment.py $(VENV)

lab: $(READY)
	$(PY) tools/lab.py

# installs nothing: it has to say what is missing
class-check:
	@$(if $(wildcard $(PY)),$(PY),$(PYTHON)) tools/class_check.py

book: $(READY)
	$(PY) tools/build_book.py

book-serve: $(READY)
	$(PY) tools/build_book.py --serve

# needs Chromium, and minutes
pdf: book
	$(PY) tools/make_pdf.py

editions: $(READY)
	$(PY) tools/make_editions.py

slides: $(READY)
	$(PY) tools/make_slides.py

slides-pdf: $(READY)
	$(PY) tools/make_slides.py --pdf

# not part of make test: every slide in Chromium, light and dark
check-slides: $(READY)
	$(PY) tools/make_slides.py --check

execute: $(READY)
	$(PY) tools/execute_notebooks.py

pairs: $(READY)
	$(PY) tools/execute_notebooks.py --pair-only

checkpoint: $(READY)
	$(PY) benchmarks/train_checkpoint.py

# what is done at this commit is not measured again; some need another environment: RESULTS="--torch-python its/python"
results: $(READY)
	$(PY) tools/make_results.py $(RESULTS)

your-data: $(READY)
	$(PY) tools/execute_notebooks.py 15 --output runs --called-from "$(CALLED_FROM)"

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

unit: $(READY)
	$(PY) -m pytest tests -n 2

# the longest first, so that neither of the two processes waits for the other at the end
LONGEST := $(foreach chapter,04 09 10 15 12 07 08 11 00,$(wildcard notebooks/$(chapter)_*.ipynb))

nbval: $(READY)
	$(PY) -m pytest --nbval $(LONGEST) $(filter-out $(LONGEST),$(wildcard notebooks/*.ipynb)) \
		-n 2 --dist loadfile --no-loadscope-reorder --durations=20

check-book: book
	$(PY) tools/check_book.py

# the book is built on what the notebooks leave of the two cores
test: lint unit
	+$(MAKE) -j 2 nbval book
	$(PY) tools/check_book.py
	@echo "all checks passed"

# the notebooks as somebody has them who installed the package: empty environment, no checkout
wheel: $(READY)
	$(PY) tools/try_wheel.py

# not part of make test: about a dozen times as long
portable: $(READY)
	$(PY) tools/try_wheel.py --borrow
	$(PY) tools/portable.py

# a new lock from pyproject.toml; needs uv
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header -q -o requirements.lock

clean:
	rm -rf _build runs .pytest_cache .ruff_cache
