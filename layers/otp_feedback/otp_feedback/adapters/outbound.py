"""What both functions that send messages send with."""

import secrets
import time
from collections.abc import Callable

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.aws.secret import SecretVault
from otp_feedback.adapters.aws.store import DynamoDBStore
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.twilio.client import TwilioClient, api_base_url
from otp_feedback.usecases.hourly_cap import HourlyCap
from otp_feedback.usecases.sending import Outbound


def make_outbound(settings: Settings, invocation: Invocation, clock: Callable[[], int]) -> Outbound:
    """The stack's own store, Twilio and secrets; `clock` tells epoch milliseconds."""
    vault = SecretVault(
        clients.client("secretsmanager"),
        settings.secret_arn,
        emulated=settings.twilio_is_emulated,
        time_left=invocation.time_left_s,
    )
    store = DynamoDBStore(clients.client("dynamodb"), settings.table, invocation.time_left_s)
    cap = settings.policy.hourly_cap
    return Outbound(
        store=store,
        twilio=TwilioClient(
            vault.credentials,
            api_base_url(settings.twilio_region, settings.twilio_edge, settings.twilio_base_url),
            time_left=invocation.time_left_s,
        ),
        vault=vault,
        clock=clock,
        random_bytes=secrets.token_bytes,
        sleep=time.sleep,
        policy=settings.policy,
        spend=HourlyCap(store, cap) if cap is not None else None,
    )
