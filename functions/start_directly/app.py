"""Starts verifications for whoever may invoke the function itself: Step Functions, other Lambdas."""

import json
import os
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.aws.base_url import BaseUrl
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.request_log import RequestJournal, make_logger
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.web.problems import problem_response
from otp_feedback.adapters.web.request import convert, require_idempotency_key
from otp_feedback.adapters.web.wire import DirectBody, SentAnswer
from otp_feedback.domain.errors import MalformedRequest, Problem, Unavailable
from otp_feedback.usecases.ports import Journal
from otp_feedback.usecases.send import Origin
from otp_feedback.usecases.start import start
from otp_feedback.wiring import make_sending_service

SERVICE = "start_directly"
CALLER = ""
"""No authorised caller over HTTP has this name; a token's subject may be any other."""


def make_handler(environ: Mapping[str, str], clock: Callable[[], int] = now_ms) -> Callable[[Any, Any], dict[str, Any]]:
    """The function's handler; `clock` tells epoch milliseconds.

    It returns what `POST /verifications` answers, a refusal's problem included; `Unavailable` and faults it raises, so
    that whoever invoked it tries again.
    """
    logger = make_logger(SERVICE)
    settings = Settings.from_environ(environ)
    invocation = Invocation()
    base_url = BaseUrl(settings, lambda: clients.client("ssm"), invocation.time_left_s)
    service = make_sending_service(settings, invocation, clock)

    def handle(event: Any, context: Any) -> dict[str, Any]:
        started = perf_counter()
        invocation.begin(context)
        journal = RequestJournal(logger, SERVICE)
        journal.note(correlation_id=context.aws_request_id, route="direct")
        try:
            return started_by(event, journal)
        except Problem as problem:
            journal.note(outcome=problem.name, field=getattr(problem, "field", None))
            if isinstance(problem, Unavailable):
                journal.count("Unavailable")
                raise
            return dict(json.loads(problem_response(problem).body))
        finally:
            journal.note(duration_ms=round((perf_counter() - started) * 1000))
            journal.write()

    def started_by(event: Any, journal: Journal) -> dict[str, Any]:
        if not isinstance(event, Mapping):
            raise MalformedRequest("body", "must be a JSON object")
        if "requestContext" in event:
            raise MalformedRequest("requestContext", "is of the API's events, which this function does not take")
        body = convert(event, DirectBody)
        request = body.to_request()
        key = require_idempotency_key(body.idempotency_key, "idempotency_key")
        origin = Origin(CALLER, key, base_url.of_stack())
        return dict(msgspec.to_builtins(SentAnswer.of(start(service, request, origin, journal))))

    return handle


lambda_handler = make_handler(os.environ)
