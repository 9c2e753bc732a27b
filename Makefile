# Pipewright on AWS. docs/aws.md explains every step; `make` lists them.
#
# The tools are installed into target/tools in pinned versions: python3 with venv, cargo and, to talk
# to a deployed stack, the AWS CLI are what has to be there.

STACK ?= pipewright
# A section of samconfig.toml.
ENVIRONMENT ?= default
# arm64 or x86_64; the parameter Architecture of the stack has to be the same.
ARCHITECTURE ?= arm64
# "ApprovalEmail=ann@example.org PipelineBuckets=arn:aws:s3:::my-source"
PARAMETERS ?=

FUNCTIONS := action-worker api approval-callback notification source-trigger stage-transition

# Amazon Linux 2023 has glibc 2.34.
TARGET := $(if $(filter arm64,$(ARCHITECTURE)),aarch64,x86_64)-unknown-linux-gnu
GLIBC := 2.34

SAM := target/tools/sam/bin/sam
CARGO_LAMBDA := target/tools/cargo-lambda/bin/cargo-lambda

comma := ,
empty :=
space := $(empty) $(empty)

.PHONY: help build validate guided deploy bootstrap delete

help:
	@echo 'make build      builds and zips the functions into target/lambda'
	@echo 'make validate   runs the gates of the template'
	@echo 'make guided     deploys, and asks for every parameter first'
	@echo 'make deploy     deploys with what samconfig.toml and PARAMETERS say'
	@echo 'make bootstrap  issues the first access key and prints it as a profile'
	@echo 'make delete     deletes the stack; table, buckets, master secret and audit trail stay'

# Its own --target-dir does nothing in this version.
build: $(CARGO_LAMBDA)
	PATH="$(dir $(abspath $(CARGO_LAMBDA))):$$PATH" $(CARGO_LAMBDA) lambda build --locked --profile functions \
		--skip-target-check --target $(TARGET).$(GLIBC) --output-format zip \
		--features $(subst $(space),$(comma),$(addsuffix /lambda,$(FUNCTIONS))) \
		$(addprefix --package ,$(FUNCTIONS))
	@ls -l $(FUNCTIONS:%=target/lambda/%/bootstrap.zip)

validate:
	cargo test --locked --package pipewright-tests --test template

guided: $(SAM)
	$(SAM) deploy --guided --template-file template.yaml --stack-name $(STACK)

deploy: $(SAM)
	$(SAM) deploy --template-file template.yaml --config-env $(ENVIRONMENT) --stack-name $(STACK) \
		$(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))

bootstrap:
	@infra/first-key $(STACK)

delete:
	aws cloudformation delete-stack --stack-name $(STACK)
	aws cloudformation wait stack-delete-complete --stack-name $(STACK)
	@echo 'Deleted. The table, the buckets, the master secret and the audit trail are still there: docs/aws.md.'

# The version that the tests deploy with.
$(SAM): tests/emulator/deploy.txt
	python3 -m venv --clear target/tools/sam
	target/tools/sam/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(CARGO_LAMBDA):
	python3 -m venv --clear target/tools/cargo-lambda
	target/tools/cargo-lambda/bin/pip install --quiet --disable-pip-version-check cargo-lambda==1.9.2
