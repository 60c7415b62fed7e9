"""The outbox goes on past what it has seen: an index that is behind costs queries, and no report its minute."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from otp_feedback.adapters.aws import items as records
from otp_feedback.domain.verification import Verification
from otp_feedback.usecases import outbox
from tests.promises.executor import Executor
from tests.promises.races_arena import POLICY, Arena

ENTRIES, A_PAGE = 100, 20


class Lagging:
    """A client whose index is as many queries behind as told; everything else is as it stands."""

    def __init__(self, executor: Executor, behind: int) -> None:
        self._executor = executor
        self._seen = [executor.items] * behind

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._executor, operation)

    def query(self, **request: Any) -> Any:
        """Query on the index."""
        self._seen.append(self._executor.items)
        index = Executor()
        index.items = self._seen.pop(0)
        return index.query(**request)


@pytest.fixture
def one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """All entries stand in one shard, whose turns are short."""
    monkeypatch.setattr(records, "OUTBOX_SHARDS", 1)
    monkeypatch.setattr(outbox, "OUTBOX_SHARDS", 1)
    monkeypatch.setattr(outbox, "BATCH", A_PAGE)


def leave_reports_to_outbox(arena: Arena) -> None:
    """Nothing is reported inline."""
    arena.service = replace(arena.service, policy=replace(POLICY, feedback_timeout_ms=0))


@pytest.mark.usefixtures("one_shard")
@pytest.mark.parametrize("behind", [0, 1, 2, 5])
@pytest.mark.parametrize("apart_ms", [0, 1])
def test_a_run_reports_as_much_however_far_the_index_is_behind(behind: int, apart_ms: int):
    """Promise 5: 100 reports are due, at one moment or one after another, and each is made once."""
    executor = Executor()
    arena = Arena(executor)
    leave_reports_to_outbox(arena)
    for _ in range(ENTRIES):
        verification_id, _, code = arena.started()
        assert isinstance(arena.check(verification_id, code), Verification)
        arena.now += apart_ms
    arena.now += 31_000
    lagging = Arena(Lagging(executor, behind), now=arena.now, twilio=arena.twilio, vault=arena.vault)
    lagging.retry()
    assert Counter(Counter(arena.twilio.reported).values()) == {1: ENTRIES}
    assert not any("feedback_shard" in item for item in executor.items.values())
