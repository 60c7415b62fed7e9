"""The use cases' dependencies in one: a store that is all four, and the bundle, for tests that make their own."""

import os
from collections.abc import Callable
from typing import Any

from otp_feedback.adapters.aws.budgets import DynamoDBBudgets
from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.aws.inbound import DynamoDBInboundBindings
from otp_feedback.adapters.aws.outbox import DynamoDBOutbox
from otp_feedback.adapters.aws.table import DynamoDBClient, Table
from otp_feedback.adapters.aws.verifications import DynamoDBVerifications
from otp_feedback.adapters.invocation import TimeLeft, unlimited
from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.hourly_cap import HourlyCap
from otp_feedback.domain.outcomes import Outcomes
from otp_feedback.domain.policy import Policy
from otp_feedback.usecases.ports import Service


class DynamoDBStore(DynamoDBVerifications, DynamoDBBudgets, DynamoDBInboundBindings, DynamoDBOutbox):
    """All that is kept, in one object over one table, of a type that a design can change."""

    table_type: type[Table] = Table

    def __init__(
        self,
        client: DynamoDBClient,
        name: str,
        time_left: TimeLeft = unlimited,
        longest_call_s: float = LONGEST_CALL_S,
    ) -> None:
        self.client = client
        super().__init__(self.table_type(client, name, time_left, longest_call_s))


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
