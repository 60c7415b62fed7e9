.PHONY: test-promises

test-promises: setup dynalite ## Prove the promises at full length: the heavy races, random lives and outages
	$(PY) -m pytest -m heavy -n 2 tests/promises $(ARGS)
