# make compare   set up once, then run the main job on bundled data
# make test      set up once, then pass the tests
# make test-long then the tests that take minutes each
# make mutants   then every deliberate bug
# make lesson    runs docs/lesson.ipynb
# make published every experiment and benchmark anew, for results/published (hours);
#                ARGS="--data FOLDER_OF_MNIST", and names of runs to make only those
#
# PYTHON       the interpreter to start from (3.11, 3.12 or 3.13)
# TORCH_INDEX  where the CPU build of PyTorch comes from; on Linux the default index has
#              only the CUDA build (gigabytes). Empty: take the default index's build.
# ARGS         passed on, for example: make compare ARGS="hiring --seed 3"

PYTHON ?= python3
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH_INDEX ?= ask
ARGS ?=

PIP := .venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt
ask = $(shell $(PYTHON) tools/reachable.py $(CPU_INDEX))
index = $(if $(filter ask,$(TORCH_INDEX)),$(ask),$(TORCH_INDEX))
INDEX = $(foreach url,$(index),--extra-index-url $(url))
FILES := pyproject.toml constraints.txt

.PHONY: setup compare test test-long lint mutants lesson published wheelhouse clean

setup: .venv/ready

# Not an editable install: Python before 3.13 cannot read the path it would note down where
# the folder's name is not ASCII and the locale is C. Run here, `python -m nn_parity` takes
# the code of this folder.
.venv/ready: $(FILES)
	$(PYTHON) tools/version.py
	$(PYTHON) -m venv .venv
	$(PIP) $(INDEX) ".[all,test]"
	@touch .venv/ready

.venv/ready-dev: .venv/ready
	$(PIP) $(INDEX) ".[all,dev]"
	@touch .venv/ready-dev

compare: setup
	.venv/bin/python -m nn_parity compare $(ARGS)

test: setup
	.venv/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

# The tests that take minutes each
test-long: setup
	.venv/bin/python -m pytest -n 2 --dist loadfile -m thorough $(ARGS)

lint: .venv/ready-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check nn_parity parity_tests
	.venv/bin/lint-imports
	.venv/bin/mypy

# Every deliberate bug must be noticed (about a quarter of an hour on two cores)
mutants: setup
	.venv/bin/python -m nn_parity mutants $(ARGS)

# Run the lesson anew, with the code of this folder
lesson: .venv/ready-dev
	cd docs && PYTHONPATH=.. ../.venv/bin/jupyter execute --inplace lesson.ipynb

published: setup
	PYTHONPATH=. .venv/bin/python tools/published.py $(ARGS)

# A folder with everything for a class without internet; install from it with
#   pip install --no-index --find-links wheelhouse -c constraints.txt "nn-parity[all]"
wheelhouse: setup
	.venv/bin/python -m pip wheel -w wheelhouse -c constraints.txt $(INDEX) ".[all,test]"

clean:
	rm -rf .venv build dist wheelhouse
