.PHONY: dynalite test-promises

dynalite: .cache/dynalite/installed ## Install a second DynamoDB engine for the race tests (needs Node 20 and npm)

.cache/dynalite/installed: tests/promises/dynalite/package.json tests/promises/dynalite/package-lock.json
	@mkdir -p $(@D)
	cp tests/promises/dynalite/package.json tests/promises/dynalite/package-lock.json tests/promises/dynalite/.npmrc $(@D)
	npm ci --prefix $(@D)
	@touch $@

test-promises: setup dynalite ## Prove the promises at full length: the nightly profile, on both engines
	HYPOTHESIS_PROFILE=nightly $(PY) -m pytest -m "heavy or not heavy" tests/promises $(ARGS)
