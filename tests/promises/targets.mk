.PHONY: test-promises test-exhaustive

test-promises: setup dynalite ## Prove the promises at full length: all cases, the heavy races, random lives and outages
	TEST_SEED=whole $(PY) -m pytest -m "heavy or sampled" -n 2 tests/promises $(ARGS)

test-exhaustive: setup ## Every second death after each death, and every pair with each write sent twice (an hour)
	TEST_SEED=whole $(PY) -m pytest -m exhaustive -n 2 tests/promises $(ARGS)
