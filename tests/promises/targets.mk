.PHONY: test-promises test-exhaustive

test-promises: setup dynalite ## Prove the promises at full length: the heavy races, random lives and outages
	$(PY) -m pytest -m heavy -n 2 tests/promises $(ARGS)

test-exhaustive: setup ## Every second death after each death, and every pair with each write sent twice (an hour)
	$(PY) -m pytest -m exhaustive -n 2 tests/promises $(ARGS)
