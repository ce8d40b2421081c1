# The only list of developer commands. Tests and the demo make network namespaces: they need root.

PACKAGES = libmnl-dev libnftnl-dev pkg-config nftables iproute2 python3
SOURCES = Sources Tests Package.swift $(wildcard Benchmarks)
RELEASE = swift build -c release --product ringfence --static-swift-stdlib

.PHONY: help setup build test demo bench lint format clean

help:
	@echo 'make setup    install what is missing from Debian, and what the schema test needs'
	@echo 'make build    build everything, tests as well'
	@echo 'make test     setup, build, every test, lint; a table, and results/test.json'
	@echo 'make demo     setup, release build, a minute of real traffic; results/demo.json'
	@echo 'make bench    measure'
	@echo 'make lint     check the format'
	@echo 'make format   put the format right'
	@echo 'make clean    remove everything that was built'

setup:
	@missing=$$(for package in $(PACKAGES); do \
		dpkg --status $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -n "$$missing" ]; then \
		apt-get update && apt-get install --yes --no-install-recommends $$missing; fi
	@python3 -c 'import jsonschema, yaml' 2>/dev/null || { \
		python3 -m pip --version >/dev/null 2>&1 || \
			{ apt-get update && apt-get install --yes --no-install-recommends python3-pip; }; \
		PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet jsonschema pyyaml; }

build: setup
	swift build --build-tests

test: build
	python3 Tests/run.py

demo: setup
	$(RELEASE)
	@python3 -B demo/demo.py "$$($(RELEASE) --show-bin-path)/ringfence"

bench: setup
	$(RELEASE)
	swift build -c release --product Bench --static-swift-stdlib
	@"$$($(RELEASE) --show-bin-path)/Bench"

lint:
	swift format lint --strict --recursive $(SOURCES)

format:
	swift format --in-place --recursive $(SOURCES)

clean:
	swift package clean
	rm -rf results
