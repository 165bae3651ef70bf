# Thin front end of the CMake presets. `make help` lists the targets.
.DEFAULT_GOAL := release
DB ?= build/orders.db
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

.PHONY: help run bootstrap release dev asan tsan test check install overload coverage clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: bootstrap release ## orders through the actors into SQLite; DATA=FILE.csv[.xz], DB=PATH, ARGS="…"
	@build/release/apps/orders/orders run $(if $(DATA),--data '$(DATA)') --db '$(DB)' $(ARGS)

bootstrap: ## install missing packages (asks before using sudo)
	@tools/bootstrap

release dev asan tsan: ## build with that preset into build/<preset>
	@cmake --preset $@ >/dev/null
	@cmake --build --preset $@ -j $(JOBS) -- --quiet

test: bootstrap ## everything: unit, compile-fail, stress, install, examples; plain, ASan+UBSan, TSan
	@for preset in dev asan tsan; do \
	    echo "== $$preset"; \
	    $(MAKE) --no-print-directory $$preset && ctest --preset $$preset || exit 1; \
	done

check: bootstrap ## formal rules: layers, headers, sizes, scripts
	@tools/check

install: release ## install into PREFIX (default /usr/local), below DESTDIR
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX)

overload: release ## ten times the load that can be taken, for a minute: Troupe, CAF, Erlang; ARGS="…"
	@bench/overload/run $(ARGS)

coverage: ## branch coverage of base and core
	@cmake --preset coverage >/dev/null
	@cmake --build --preset coverage -j $(JOBS)
	@ctest --preset coverage
	@gcovr --root . --filter src/base --filter src/core --branches --print-summary build/coverage

clean: ## remove build/
	@rm -rf build
