# Everything here is quick the second time: what is built or fetched is kept in
# target/ or in the user's cache folder until its pins change.
.PHONY: help demo image test bench lint tools clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Set up what is needed, deliver an image at dev and at prod, show where to look
	@scripts/tools gitleaks trivy syft
	@scripts/engine
	@scripts/base-image
	@scripts/vulnerability-db
	cargo build --release --locked
	@scripts/demo

image: ## Deliver the project's own image into target/image-report
	@scripts/tools gitleaks trivy syft
	@scripts/engine
	@scripts/base-image
	@scripts/vulnerability-db
	cargo build --release --locked
	@scripts/image

test: ## Run all the tests, lints and doc checks, against real engines and scanners
	@scripts/test

bench: ## Measure against the script that users would otherwise write
	@scripts/tools gitleaks trivy syft crane buildx
	@scripts/engine
	@scripts/base-image
	@scripts/vulnerability-db
	cargo build --release --locked
	@scripts/bench

lint: ## Check format, lints, docs and scripts
	@scripts/lint

tools: ## Build the scanners into target/tools/bin
	@scripts/tools gitleaks trivy syft

clean: ## Stop the test parts and remove target/ (not the user's cache folder)
	@scripts/test-parts down
	@scripts/as-root rm -rf target
