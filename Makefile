# Every command installs what is missing first, works from any folder (make -C) and may be said twice.
HERE := $(strip $(patsubst %Makefile,%,$(MAKEFILE_LIST)))
PORT ?= 8000
WORKERS ?= 2
MINUTES ?= 5
export GRIDMGMT_HOME ?= $(or $(realpath $(HERE)),$(CURDIR))/.gridmgmt

.PHONY: help install demo test check soak bench clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' "$(HERE)Makefile" | sed -E 's/:.*## /\t/' | expand -t 10

install: ## Install PostgreSQL with PostGIS (where it may) and the Python environment
	@bash "$(HERE)tools/bootstrap.sh"

demo: ## Build the demo district and serve it on http://127.0.0.1:8000 until Ctrl-C (PORT=8001 for another port)
	@exec setpriv --pdeathsig TERM bash "$(HERE)tools/bootstrap.sh" demo $(PORT) # a killed make takes its server along

test: ## Run all tests on a real PostgreSQL and in a real browser (WORKERS=2 processes)
	@bash "$(HERE)tools/bootstrap.sh" tests
	@cd "$(HERE)." && .venv/bin/python -m pytest -n $(WORKERS) --dist worksteal

check: install ## Check style, types, the direction of imports and the migrations' SQL
	@cd "$(HERE)." && bash tools/check.sh

soak: install ## Let handhelds, office, network and kills try to lose something (MINUTES=5); 1 when they do
	@cd "$(HERE)." && .venv/bin/python -m tests.sync.soak --minutes $(MINUTES)

bench: install ## Run the benchmarks; one JSON object a line
	@cd "$(HERE)." && .venv/bin/python -m bench

clean: ## Stop the embedded database and remove the environment and caches; the data stay in .gridmgmt
	@cd "$(HERE)." && if [ -x .venv/bin/gridmgmt ]; then .venv/bin/gridmgmt db down; fi
	@cd "$(HERE)." && rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache && \
	    find . -name __pycache__ -type d -prune -exec rm -rf {} +
