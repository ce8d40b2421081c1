# The only list of developer commands. Tests and the demo make network namespaces: they need root.
# RUNLEVEL=1 keeps Debian from starting the services that come with packages.

PACKAGES = libbpf-dev libmnl-dev libnftnl-dev libsqlite3-dev linux-libc-dev pkg-config nftables \
	iproute2 iputils-ping procps prometheus python3
SOURCES = Sources Plugins Tests Package.swift $(wildcard Benchmarks)
RELEASE = swift build -c release --product ringfence --static-swift-stdlib

PAGE_PACKAGES = chromium fonts-dejavu-core
CONTAINER_PACKAGES = containernetworking-plugins podman busybox-static
DEB_PACKAGES = binutils debootstrap dpkg-dev lintian systemd
ATTACK_PACKAGES = hping3 iputils-arping conntrack python3-scapy

# How long each reader gets what nobody should send it.
FUZZ_SECONDS = 30

.PHONY: help setup build test demo attack trials counts page sample-audit monitoring fuzz sanitize mutate soak hostile \
	faults service containers deb deb-test bench lint format clean

help:
	@echo 'make setup    install what is missing from Debian and PyPI'
	@echo 'make build    build everything, tests as well'
	@echo 'make test     setup, build, every test, lint; a table, and results/test.json'
	@echo 'make demo     setup, release build, a minute of real traffic; results/demo.json'
	@echo 'make attack   setup, release build, attacks by the root of a tenant; results/attack.json'
	@echo 'make trials   setup, release build, what users of such tools reported, played; results/trials.json'
	@echo 'make counts   setup, release build, every packet counted over a kill; results/counts.json'
	@echo 'make page     setup, release build, the agent'\''s page in a real browser; results/page.json'
	@echo 'make sample-audit  setup, release build, an audit of the demo'\''s lab; docs/sample-audit.html'
	@echo 'make monitoring  setup, release build, the API and metrics against their descriptions; results/api.json'
	@echo 'make fuzz     setup, build, a million packets before three judges, FUZZ_SECONDS (30) of bad bytes for each reader'
	@echo 'make sanitize setup, the tests under the address and the thread sanitizer; results/sanitize.json'
	@echo 'make soak     500 kills under traffic, 1,000 births under siege, floods; results/soak.json'
	@echo 'make hostile  what a flood of one tenant costs others, with both layers as well; results/hostile.json'
	@echo 'make faults   each system call of the agent refused in turn; results/faults.json'
	@echo 'make service  what a service manager can count on; results/service.json'
	@echo 'make containers  the CNI plugin under reference plugins and podman; results/containers.json'
	@echo 'make deb      a Debian package in results/'
	@echo 'make deb-test setup, a package, checks, a root of its own that boots with it; results/deb.json'
	@echo 'make mutate   setup, build, changes behind the agent that the audit has to find; results/mutate.json'
	@echo 'make bench    measure'
	@echo 'make lint     check the format'
	@echo 'make format   put the format right'
	@echo 'make clean    remove everything that was built'

# Installs those of some Debian packages that are missing.
install = missing=$$(for package in $(1); do \
		dpkg --status $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -n "$$missing" ]; then \
		apt-get update && apt-get install --yes --no-install-recommends $$missing; fi

setup:
	@missing=$$(for package in $(PACKAGES); do \
		dpkg --status $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -n "$$missing" ]; then \
		apt-get update && RUNLEVEL=1 apt-get install --yes --no-install-recommends $$missing; fi
	@python3 -c 'import jsonschema, prometheus_client, schemathesis, trestle, yaml' 2>/dev/null || { \
		python3 -m pip --version >/dev/null 2>&1 || \
			{ apt-get update && apt-get install --yes --no-install-recommends python3-pip; }; \
		PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet \
			compliance-trestle jsonschema prometheus-client pyyaml schemathesis; }

build: setup
	swift build --build-tests

test: build
	python3 Tests/run.py

demo: setup
	$(RELEASE)
	@python3 -B demo/demo.py "$$($(RELEASE) --show-bin-path)/ringfence"

fuzz: build
	@python3 Tests/fuzz.py
	RINGFENCE_FUZZ_SECONDS=$(FUZZ_SECONDS) swift test --skip-build --filter '^FuzzTests\.|FrameFuzzTests'
	@python3 -B Tests/fuzz_readers.py --seconds $(FUZZ_SECONDS)
	@python3 -B Tests/fuzz_api.py "$$(swift build --show-bin-path)/ringfence" --seconds $(FUZZ_SECONDS)

sanitize: setup
	@python3 -B Tests/sanitize.py

mutate: build
	@python3 Tests/mutate.py

attack: setup
	@missing=$$(for package in $(ATTACK_PACKAGES); do \
		dpkg --status $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -n "$$missing" ]; then \
		apt-get update && apt-get install --yes --no-install-recommends $$missing; fi
	$(RELEASE)
	@python3 -B attack/attack.py "$$($(RELEASE) --show-bin-path)/ringfence"

trials: setup
	$(RELEASE)
	@python3 -B trials/trials.py --binary "$$($(RELEASE) --show-bin-path)/ringfence"

soak: build
	$(RELEASE)
	@python3 -B soak/soak.py "$$($(RELEASE) --show-bin-path)/ringfence" \
		--other "$$(swift build --show-bin-path)/ringfence"

hostile: setup
	$(RELEASE)
	@python3 -B soak/hostile.py "$$($(RELEASE) --show-bin-path)/ringfence" --host-filter

faults: setup
	$(RELEASE)
	@python3 -B soak/faults.py "$$($(RELEASE) --show-bin-path)/ringfence" --seconds 1800 --environment

service: setup
	$(RELEASE)
	@python3 -B soak/service.py "$$($(RELEASE) --show-bin-path)/ringfence"

containers: setup
	@$(call install,$(CONTAINER_PACKAGES))
	$(RELEASE)
	@python3 -B containers/containers.py "$$($(RELEASE) --show-bin-path)/ringfence"

deb: setup
	@$(call install,$(DEB_PACKAGES))
	$(RELEASE)
	@python3 -B packaging/deb.py "$$($(RELEASE) --show-bin-path)/ringfence" results

deb-test: setup
	@$(call install,$(DEB_PACKAGES))
	$(RELEASE)
	@python3 -B packaging/deb_test.py "$$($(RELEASE) --show-bin-path)/ringfence"

counts: setup
	$(RELEASE)
	@python3 -B counts/counts.py "$$($(RELEASE) --show-bin-path)/ringfence"

page: setup
	@$(call install,$(PAGE_PACKAGES))
	$(RELEASE)
	@python3 -B page/page.py "$$($(RELEASE) --show-bin-path)/ringfence"

sample-audit: setup
	@$(call install,$(PAGE_PACKAGES))
	$(RELEASE)
	@python3 -B audit/sample.py "$$($(RELEASE) --show-bin-path)/ringfence"

monitoring: setup
	$(RELEASE)
	@python3 -B monitoring/check.py "$$($(RELEASE) --show-bin-path)/ringfence"

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
