# Everything here is quick the second time: what is built or fetched is kept in
# target/ or in the user's cache folder until its pins change.
.PHONY: help demo unit test test-all faults fuzz lint image bench bench-matrix bench-quick tools verify-tools verify-image clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Set up what is needed, deliver an image at dev and at prod, show where to look
	@scripts/prepare demo
	@scripts/demo

unit: ## The quick loop: format, lints and the unit tests, in seconds after a change
	@scripts/unit

test: ## Run all the tests, lints and doc checks, against real engines and scanners
	@scripts/test

test-all: ## The same with what takes long to build the first time: Rekor v1, cosign and gh
	@scripts/tools $$(scripts/tools --slow)
	@scripts/test

faults: ## Let each call to the outside fail in every way, and look at ten thousand random histories
	@scripts/prepare test
	@scripts/faults

fuzz: ## Look for inputs that break what reads them: SECONDS=60 for each of them
	@scripts/fuzz $(or $(SECONDS),60) $(TARGETS)

lint: ## Check format, lints, docs and scripts
	@scripts/lint

image: ## Deliver the project's own image into target/image-report
	@scripts/prepare image
	@scripts/image

bench: ## Measure single figures, each with a goal: pushing, planning, the sandbox, the image
	@scripts/prepare bench
	@scripts/bench

bench-matrix: ## Measure builders × images × situations beside the script that users would otherwise write, into docs/performance.md: hours
	@scripts/prepare bench-matrix
	@scripts/bench matrix $(OPTIONS)

bench-quick: ## Compare a few of those, on the engine that is there, with docs/performance.md: under 3 minutes
	@scripts/prepare bench
	@scripts/bench quick

tools: ## Build the scanners into target/tools/bin
	@scripts/tools gitleaks trivy syft

verify-tools: tools ## Build the scanners once more, from nothing, and compare
	@for name in gitleaks trivy syft; do scripts/tools --again $$name || exit; done

verify-image: ## Build the project's own image twice, from nothing, and compare
	@scripts/prepare test
	@cargo build --locked
	@scripts/verify-image

clean: ## Stop the test parts and remove target/ (not the user's cache folder)
	@scripts/test-parts down
	@scripts/as-root rm -rf target
