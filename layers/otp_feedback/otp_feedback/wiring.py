"""The composition root: puts store, Twilio and secrets together for a function."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.aws.budgets import DynamoDBBudgets
from otp_feedback.adapters.aws.inbound import DynamoDBInboundBindings
from otp_feedback.adapters.aws.outbox import DynamoDBOutbox
from otp_feedback.adapters.aws.secret import SecretVault
from otp_feedback.adapters.aws.table import Table
from otp_feedback.adapters.aws.verifications import DynamoDBVerifications
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
    table = Table(clients.client("dynamodb"), settings.table, invocation.time_left_s)
    budgets, outbox = DynamoDBBudgets(table), DynamoDBOutbox(table)
    cap = settings.policy.hourly_cap
    return Service(
        verifications=DynamoDBVerifications(table),
        budgets=budgets,
        inbound=DynamoDBInboundBindings(table),
        outbox=outbox,
        twilio=TwilioClient(
            vault.credentials,
            api_base_url(settings.twilio_region, settings.twilio_edge, settings.twilio_base_url),
            time_left=invocation.time_left_s,
        ),
        vault=vault,
        policy=settings.policy,
        breaker=CircuitBreaker(),
        outcomes=Outcomes(outbox.read_outcomes, outbox.add_outcomes),
        hourly_cap=HourlyCap(cap, budgets.count_sends) if cap is not None else None,
        clock=clock,
        random_bytes=secrets.token_bytes,
        sleep=time.sleep,
        spent_s=invocation.spent_s,
    )


def on_table(service: Service, table: Table) -> Service:
    """The same service with its records in a table that is called otherwise."""
    return replace(
        service,
        verifications=DynamoDBVerifications(table),
        budgets=DynamoDBBudgets(table),
        inbound=DynamoDBInboundBindings(table),
        outbox=DynamoDBOutbox(table),
    )
