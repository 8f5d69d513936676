# The two commands of the README are `make demo` and `make test`.
BIN := .venv/bin
PORT ?= 8080
DATA ?= vo-data
MINUTES ?= 10

.DEFAULT_GOAL := help
.PHONY: help demo test bench fuzz lint format

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null || \
		sed -n 's/^\([a-z]*\):.*## /  make \1  /p' $(MAKEFILE_LIST)

demo: ## Install what is missing and serve the demo collection (PORT=8080 DATA=vo-data)
	@sh .ci/prepare demo
	@exec $(BIN)/vo demo --port $(PORT) --data $(DATA)

test: ## Install what is missing and run lint, type check and every test
	@sh .ci/prepare test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@sh .ci/pytest $(ARGS)

bench: export VO_BENCH_EXPOSURES ?= 500000
bench: ## Measure speed and memory on 500,000 exposures (docs/performance.md; half an hour, BENCH_WRITE=1 keeps the table)
	@sh .ci/prepare test
	$(BIN)/python -m pytest -q -s tests/bench tests/adql/test_explain.py --benchmark-enable --benchmark-columns=median,min,max $(ARGS)

fuzz: ## Search for queries that ADQL does not bear, in two processes (MINUTES=10); what they find is kept in tests/adql/found
	@sh .ci/prepare test
	@search() { FUZZ_MINUTES=$(MINUTES) $(BIN)/pytest -q -s tests/adql/test_search.py::test_search; }; \
		search & other=$$!; search; found=$$?; wait $$other && exit $$found

lint: ## Lint and type check only
	@sh .ci/prepare test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: ## Bring the code into shape
	@sh .ci/prepare test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
