"""The bundle of the use cases' dependencies, for tests that run them on a store of their own."""

import os
from collections.abc import Callable
from typing import Any

from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.hourly_cap import HourlyCap
from otp_feedback.domain.outcomes import Outcomes
from otp_feedback.domain.policy import Policy
from otp_feedback.usecases.ports import Service


def service_on(
    store: Any,
    twilio: Any,
    vault: Any,
    clock: Callable[[], int],
    policy: Policy,
    random_bytes: Callable[[int], bytes] = os.urandom,
    cap: int | None = None,
) -> Service:
    """A service whose records are all in one store, that never waits and that spends no time."""
    return Service(
        verifications=store,
        budgets=store,
        inbound=store,
        outbox=store,
        twilio=twilio,
        vault=vault,
        policy=policy,
        breaker=CircuitBreaker(),
        outcomes=Outcomes(store.read_outcomes, store.add_outcomes),
        hourly_cap=HourlyCap(cap, store.count_sends) if cap is not None else None,
        clock=clock,
        random_bytes=random_bytes,
        sleep=lambda _: None,
        spent_s=lambda: 0.0,
    )
