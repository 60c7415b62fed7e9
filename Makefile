SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
SAM := PYTHONPATH= PATH="$(CURDIR)/.venv/bin:$$PATH" .venv-sam/bin/sam
SOURCES := $(wildcard layers/otp_feedback/otp_feedback functions local operations tests benchmarks)
ARGS ?=
CONFIG_ENV ?= default

export PYTHONPATH := layers/otp_feedback
export SAM_CLI_TELEMETRY := 0
# Otherwise each process of the tests would compile the same modules again.
unexport PYTHONDONTWRITEBYTECODE
# The AWS CLI reads AWS_REGION first; SAM and boto3 do not read it at all.
ifneq ($(AWS_REGION),)
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif

.PHONY: help setup demo dev test test-browser test-build test-sam bench check lint format template-lint build deploy package invoke logs dynalite fuzz mutants test-mutants requirements clean

help: ## Show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/requirements.txt ## Make the virtual environment (the other targets do it when needed)

.venv/requirements.txt: requirements/dev.txt
	@requirements/environment.sh .venv requirements/dev.txt

.venv-sam/requirements.txt: requirements/sam.txt
	@requirements/environment.sh .venv-sam requirements/sam.txt

.venv-checkov/requirements.txt: requirements/checkov.txt
	@requirements/environment.sh .venv-checkov requirements/checkov.txt

.venv-fuzz/requirements.txt: requirements/fuzz.txt
	@requirements/environment.sh .venv-fuzz requirements/fuzz.txt

.venv-mutants/requirements.txt: requirements/mutants.txt
	@requirements/environment.sh .venv-mutants requirements/mutants.txt

demo: setup ## Run the whole loop on this machine once, and show what happened
	@$(PY) -m local demo

dev: setup ## Run the laptop stack until Ctrl-C (OTP_BIND=172.17.0.1: where containers reach it)
	@exec $(PY) -m local dev

# A second process would collect all tests again, which takes longer than the few that are chosen.
test: setup ## Run the tests (ARGS="-k test_leading_zeros_count" chooses; TEST_SEED=whole samples nothing)
	$(PY) -m pytest $(if $(ARGS),-n 0,-n 2 --dist loadfile) $(ARGS)

test-browser: setup ## Use the pages in a headless Chromium (Debian's package, or CHROMIUM=/path); leaves .cache/screenshots
	$(PY) -m pytest -m browser -n 2 --dist loadfile tests/browser $(ARGS)

test-build: setup ## Build the layers twice, and import every function from them alone
	$(PY) -m pytest -m slow tests/template $(ARGS)

test-sam: setup .venv-sam/requirements.txt ## Run the functions in containers with SAM CLI (needs Docker and Lambda's Python image)
	$(PY) -m pytest -m sam $(ARGS)

fuzz: setup .venv-fuzz/requirements.txt ## Send 5,000 made-up requests to the laptop stack, and hold each answer against openapi.yaml
	$(PY) -m tests.fuzz.run $(ARGS)

bench: build ## Measure what a cold start and each warm request spend of a processor
	$(PY) -m benchmarks.cold_start $(ARGS)
	$(PY) -m benchmarks.warm_requests

mutants: setup .venv-mutants/requirements.txt ## Change the domain in every small way, and see which change no test notices
	$(PY) tests/mutation/run.py $(ARGS)

test-mutants: setup ## Put faults back that were made by hand, one at a time, and see that a test notices each
	$(PY) -m pytest -m mutants -n 2 tests/mutation $(ARGS)

check: lint template-lint build test-build test ## Lint, build and test; CI adds test-browser, fuzz, test-sam, test-mutants and test-promises

lint: setup ## Check format, lint, types and the direction of imports
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy $(SOURCES)
	.venv/bin/lint-imports --cache-dir .cache/import-linter

format: setup ## Format the code and fix what can be fixed
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

template-lint: setup .venv-sam/requirements.txt .venv-checkov/requirements.txt ## Check the template with SAM, cfn-lint and checkov
	$(SAM) validate --lint --region us-east-1
	.venv/bin/cfn-lint --include-checks I --template template.yaml
	.venv-checkov/bin/python -m checkov.main --config-file .checkov.yaml --file template.yaml --skip-download

# Where it is only on the way to something else, the options are for that.
build: setup .venv-sam/requirements.txt ## Build what is deployed into .aws-sam/
	$(SAM) build $(if $(filter build,$(MAKECMDGOALS)),$(ARGS))

# Handed on by the environment, so that a shell reads nothing into them; a variable of that name that was there counts not.
export APP_NAME SENDER COUNTRIES
parameter = $(if $(filter command,$(origin $(2))),"$(1)=\"$$(printf %s "$$$(2)" | sed 's/"/\\"/g')\"")
GIVEN = $(strip $(call parameter,AppName,APP_NAME) $(call parameter,Sender,SENDER) $(call parameter,Countries,COUNTRIES) $(PARAMETERS))
# SAM takes the command line's parameters instead of samconfig.toml's: the environment's own come first.
OVERRIDES = $(if $(GIVEN),--parameter-overrides $(patsubst %,file://%,$(wildcard environments/$(CONFIG_ENV).toml)) $(GIVEN))

deploy: build ## Deploy: APP_NAME=… SENDER=… COUNTRIES=… the first time, PARAMETERS="Name=value …", CONFIG_ENV=staging or prod
	$(SAM) deploy --config-env "$(CONFIG_ENV)" $(OVERRIDES) $(ARGS)

package: build ## Upload what is built, and write .aws-sam/packaged.yaml for CDK or Terraform
	$(SAM) package --resolve-s3 --output-template-file .aws-sam/packaged.yaml $(ARGS)

invoke: setup .venv-sam/requirements.txt ## Run one function in a container on the laptop stack: FUNCTION=SendOtpFunction EVENT=events/….json
	@$(PY) -m local invoke "$(FUNCTION)" "$(EVENT)" $(ARGS)

logs: .venv-sam/requirements.txt ## Follow the logs of a deployed stack: STACK=otp-feedback-dev
	$(SAM) logs $(if $(STACK),--stack-name "$(STACK)") --tail $(ARGS)

include operations/targets.mk tests/promises/targets.mk

dynalite: .cache/dynalite/installed ## Install a second DynamoDB for the tests of races (needs Node)

.cache/dynalite/installed: requirements/dynalite/package-lock.json
	rm -rf .cache/dynalite && mkdir -p .cache
	cp -R requirements/dynalite .cache/dynalite
	cd .cache/dynalite && npm ci --ignore-scripts --no-audit --no-fund --silent
	touch $@

COMPILE := CUSTOM_COMPILE_COMMAND="make requirements" PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= \
	$(PY) -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

requirements: setup ## Compile requirements/*.in into hashed files (ARGS=--upgrade for the newest)
	$(COMPILE) $(ARGS) --output-file layers/dependencies/requirements.txt requirements/runtime.in
	$(COMPILE) $(ARGS) --output-file requirements/dev.txt requirements/dev.in
	$(COMPILE) $(ARGS) --output-file requirements/sam.txt requirements/sam.in
	$(COMPILE) $(ARGS) --output-file requirements/checkov.txt requirements/checkov.in
	$(COMPILE) $(ARGS) --output-file requirements/fuzz.txt requirements/fuzz.in
	$(COMPILE) $(ARGS) --output-file requirements/mutants.txt requirements/mutants.in

clean: ## Remove everything that was built or installed
	rm -rf .venv .venv-sam .venv-checkov .venv-fuzz .venv-mutants .aws-sam .cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
