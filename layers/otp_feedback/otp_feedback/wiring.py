"""The composition root: puts store, Twilio and secrets together for a function."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.aws.secret import SecretVault
from otp_feedback.adapters.aws.store import DynamoDBStore
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.twilio.client import TwilioClient, api_base_url
from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.hourly_cap import HourlyCap
from otp_feedback.domain.outcomes import Outcomes
from otp_feedback.usecases.ports import Service


def make_vault(settings: Settings, invocation: Invocation) -> SecretVault:
    """The stack's secret."""
    return SecretVault(
        clients.client("secretsmanager"),
        settings.secret_arn,
        emulated=settings.twilio_is_emulated,
        time_left=invocation.time_left_s,
    )


def make_service(
    settings: Settings, invocation: Invocation, clock: Callable[[], int], vault: SecretVault | None = None
) -> Service:
    """All that the use cases need.

    Parameters
    ----------
    clock
        Tells epoch milliseconds.
    vault
        The stack's secret, where the function has it already.
    """
    vault = vault or make_vault(settings, invocation)
    store = DynamoDBStore(clients.client("dynamodb"), settings.table, invocation.time_left_s)
    return Service(
        verifications=store,
        budgets=store,
        inbound=store,
        outbox=store,
        twilio=TwilioClient(
            vault.credentials,
            api_base_url(settings.twilio_region, settings.twilio_edge, settings.twilio_base_url),
            time_left=invocation.time_left_s,
        ),
        vault=vault,
        policy=settings.policy,
        breaker=CircuitBreaker(),
        outcomes=Outcomes(store.read_outcomes, store.add_outcomes),
        hourly_cap=None,
        clock=clock,
        random_bytes=secrets.token_bytes,
        sleep=time.sleep,
        spent_s=invocation.spent_s,
    )


def make_sending_service(settings: Settings, invocation: Invocation, clock: Callable[[], int]) -> Service:
    """All that the use cases need, and the cap on the stack's messages, for the functions that send."""
    service, cap = make_service(settings, invocation, clock), settings.policy.hourly_cap
    return service if cap is None else replace(service, hourly_cap=HourlyCap(cap, service.budgets.count_sends))
