"""Starts verifications and sends further messages, over HTTP or invoked directly."""

import os
import secrets
import time
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec

from otp_feedback.adapters import aws
from otp_feedback.adapters.api import MessageBody, SentAnswer, StartBody, to_json
from otp_feedback.adapters.base_url import BaseUrl
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.dynamodb import DynamoDBStore
from otp_feedback.adapters.http import HttpFunction, HttpRequest, convert, require_idempotency_key
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.journal import RequestJournal, make_logger
from otp_feedback.adapters.problems import Reply
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.twilio import TwilioClient, api_base_url
from otp_feedback.adapters.vault import SecretVault
from otp_feedback.domain.errors import MalformedRequest, Problem
from otp_feedback.usecases.another import send_another
from otp_feedback.usecases.sending import Outbound, Sent
from otp_feedback.usecases.spend import SpendMeter
from otp_feedback.usecases.start import Origin, start

SERVICE = "send_otp"
DIRECT_CALLER = "direct"


def make_handler(
    environ: Mapping[str, str], clock: Callable[[], int] = now_ms
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """The function's handler; `clock` tells epoch milliseconds."""
    logger = make_logger(SERVICE)
    settings = Settings.from_environ(environ)
    invocation = Invocation()
    vault = SecretVault(
        aws.client("secretsmanager"),
        settings.secret_arn,
        emulated=settings.twilio_is_emulated,
        time_left=invocation.time_left_s,
    )
    base_url = BaseUrl(settings, lambda: aws.client("ssm"), invocation.time_left_s)
    store = DynamoDBStore(aws.client("dynamodb"), settings.table, invocation.time_left_s)
    cap = settings.policy.hourly_cap
    out = Outbound(
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
        spend=SpendMeter(store, cap) if cap is not None else None,
    )

    def start_verification(request: HttpRequest) -> Reply:
        body = request.json(StartBody)
        return _accepted(start(out, body.to_request(), origin(request), request.journal))

    def send_message(request: HttpRequest) -> Reply:
        body = request.json(MessageBody)
        return _accepted(
            send_another(out, request.verification_id, body.to_request(), origin(request), request.journal)
        )

    def origin(request: HttpRequest) -> Origin:
        return Origin(request.caller, request.idempotency_key, base_url.of_request(request.domain_name))

    def invoked_directly(event: Any, context: Any) -> dict[str, Any]:
        started = perf_counter()
        invocation.begin(context)
        journal = RequestJournal(logger, SERVICE)
        journal.note(correlation_id=context.aws_request_id, route="direct")
        try:
            if not isinstance(event, Mapping):
                raise MalformedRequest("body", "must be a JSON object")
            fields = dict(event)
            key = fields.pop("idempotency_key", None)
            if key is not None and not isinstance(key, str):
                raise MalformedRequest("idempotency_key", "must be a string")
            request = convert(fields, StartBody).to_request()
            came_from = Origin(DIRECT_CALLER, require_idempotency_key(key, "idempotency_key"), base_url.of_stack())
            return dict(msgspec.to_builtins(SentAnswer.of(start(out, request, came_from, journal))))
        except Problem as problem:
            journal.note(outcome=problem.name, field=getattr(problem, "field", None))
            raise
        finally:
            journal.note(duration_ms=round((perf_counter() - started) * 1000))
            journal.write()

    over_http = HttpFunction(
        SERVICE,
        logger,
        invocation,
        {
            ("POST", "/verifications"): start_verification,
            ("POST", "/verifications/{verification_id}/messages"): send_message,
        },
    )

    def handle(event: Any, context: Any) -> dict[str, Any]:
        is_http = isinstance(event, Mapping) and "requestContext" in event
        return over_http(event, context) if is_http else invoked_directly(event, context)

    return handle


def _accepted(sent: Sent) -> Reply:
    return Reply(202, to_json(SentAnswer.of(sent)), headers={"Cache-Control": "no-store"})


lambda_handler = make_handler(os.environ)
