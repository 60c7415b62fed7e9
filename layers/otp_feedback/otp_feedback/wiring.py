"""The composition root: makes what a function needs from its environment."""

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.aws.base_url import BaseUrl
from otp_feedback.adapters.aws.budgets import DynamoDBBudgets
from otp_feedback.adapters.aws.inbound import DynamoDBInboundBindings
from otp_feedback.adapters.aws.outbox import DynamoDBOutbox
from otp_feedback.adapters.aws.secret import SecretVault
from otp_feedback.adapters.aws.table import DynamoDBClient, Table
from otp_feedback.adapters.aws.verifications import DynamoDBVerifications
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.request_log import RequestLog
from otp_feedback.adapters.settings import SENDING, Settings
from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.hourly_cap import HourlyCap
from otp_feedback.domain.outcomes import Outcomes
from otp_feedback.usecases.ports import Budgets, Clock, InboundBindings, Outbox, Service, Verifications

if TYPE_CHECKING:
    from otp_feedback.adapters.twilio.client import TwilioClient


class Stores(NamedTuple):
    """The table, by what the use cases need of it."""

    verifications: Verifications
    budgets: Budgets
    inbound: InboundBindings
    outbox: Outbox


class Wiring:
    """The parts of one function, each made once, when it is first asked for.

    A handler asks at init for what every invocation needs, since Lambda gives init more processor. What only some
    invocations need is made when they ask for it.

    Parameters
    ----------
    function
        The function's name, for its log and its metrics.
    environ
        What the settings are read from.
    needs
        Variables that it must have, as `Settings.from_environ` takes them.
    clock
        Tells epoch milliseconds.
    seconds
        Tells seconds that have passed, from any beginning.
    sleep
        Waits so many seconds.

    Raises
    ------
    ConfigurationError
        A setting is missing or wrong.
    """

    def __init__(
        self,
        function: str,
        environ: Mapping[str, str],
        needs: Collection[str] = SENDING,
        clock: Clock = now_ms,
        seconds: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = Settings.from_environ(environ, needs)
        self.invocation = Invocation(seconds)
        self.log = RequestLog(function, self.invocation)
        self._clock = clock
        self._sleep = sleep

    @cached_property
    def vault(self) -> SecretVault:
        """The stack's secret."""
        return SecretVault(
            clients.client("secretsmanager"),
            self.settings.secret_arn,
            emulated=self.settings.twilio_is_emulated,
            time_left=self.invocation.time_left_s,
        )

    @cached_property
    def base_url(self) -> BaseUrl:
        """The stack's public address; its client is made only if no setting fixes the address."""
        return BaseUrl(self.settings, lambda: clients.client("ssm"), self.invocation.time_left_s)

    @cached_property
    def stores(self) -> Stores:
        """The table."""
        return self._stores(clients.client("dynamodb"), clients.LONGEST_CALL_S)

    @cached_property
    def twilio(self) -> "TwilioClient":
        """Twilio's REST API."""
        # httpx is a tenth of a cold start: a function that asks Twilio nothing does without.
        from otp_feedback.adapters.twilio.client import TwilioClient, api_base_url  # noqa: PLC0415

        return TwilioClient(
            self.vault.credentials,
            api_base_url(self.settings.twilio_region, self.settings.twilio_edge, self.settings.twilio_base_url),
            time_left=self.invocation.time_left_s,
        )

    @cached_property
    def service(self) -> Service:
        """What the use cases need, without the cap on messages: `sending_service` adds that."""
        return Service(
            **self.stores._asdict(),
            twilio=self.twilio,
            vault=self.vault,
            policy=self.settings.policy,
            breaker=CircuitBreaker(),
            outcomes=Outcomes(self.stores.outbox.read_outcomes, self.stores.outbox.add_outcomes),
            hourly_cap=None,
            clock=self._clock,
            random_bytes=secrets.token_bytes,
            sleep=self._sleep,
            spent_s=self.invocation.spent_s,
        )

    @cached_property
    def service_trying_once(self) -> Service:
        """For requests that are tried again whole: none of their calls is repeated, so the last one may begin later."""
        client = clients.client("dynamodb", clients.ONE_TRY_CONFIG)
        return replace(self.service, **self._stores(client, clients.LONGEST_TRY_S)._asdict())

    def _stores(self, client: DynamoDBClient, longest_call_s: float) -> Stores:
        table = Table(client, self.settings.table, self.invocation.time_left_s, longest_call_s)
        return Stores(
            verifications=DynamoDBVerifications(table),
            budgets=DynamoDBBudgets(table),
            inbound=DynamoDBInboundBindings(table),
            outbox=DynamoDBOutbox(table),
        )


def sending_service(wiring: Wiring) -> Service:
    """The service of a function that sends: only such a function has the setting of the cap on the stack's messages."""
    cap = wiring.settings.policy.hourly_cap
    if cap is None:
        return wiring.service
    return replace(wiring.service, hourly_cap=HourlyCap(cap, wiring.stores.budgets.count_sends))
