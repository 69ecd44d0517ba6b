# Plumb. `make demo` and `make test` set up all they need on a fresh Debian or Ubuntu machine.
SHELL := /bin/bash
.PHONY: demo test lint bench deb setup setup-test build help

help:
	@echo "make demo    run a whole inspection line on this machine (no camera, GPU or PLC needed)"
	@echo "make test    every test, with real peers where they can be installed"
	@echo "make lint    format, clippy, shell scripts, dependency licences"
	@echo "make bench   how fast, as ratios in one run"
	@echo "make deb     the Debian package, looked at, installed into a folder and run from there"

# Says what it installs; does nothing where all is there.
setup:
	@deploy/setup.sh

setup-test:
	@deploy/setup.sh --test

build: setup
	cargo build --release --locked -p plumb-station

# DEMO="--seconds 60 --product blister_pack" passes on.
demo: build
	target="$${CARGO_TARGET_DIR:-target}"; "$$target/release/plumb" demo --data demo-data $(DEMO)

test: setup-test
	cargo test --workspace --locked

lint: setup-test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@if command -v shellcheck >/dev/null; then shellcheck deploy/*.sh deploy/*/*.sh deploy/debian/scripts/* .ci/run; fi
	@if command -v cargo-deny >/dev/null; then cargo deny --offline check bans licenses sources; \
	 else echo "lint: cargo-deny is not installed; licences and sources of dependencies were not checked"; fi

bench: build
	cargo bench --locked -p plumb-benches

deb: setup-test
	deploy/debian/build.sh
	deploy/debian/test.sh "$$(ls -t "$${CARGO_TARGET_DIR:-target}"/debian/plumb_*.deb | head -n 1)"
