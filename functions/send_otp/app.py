"""Starts verifications and sends further messages, for the API's callers."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.aws.base_url import BaseUrl
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.request_log import make_logger
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.web.function import HttpFunction
from otp_feedback.adapters.web.problems import Response
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.wire import MessageBody, SentAnswer, StartBody, to_json
from otp_feedback.usecases.another import send_another
from otp_feedback.usecases.send import Origin, Sent
from otp_feedback.usecases.start import start
from otp_feedback.wiring import make_sending_service

SERVICE = "send_otp"


def make_handler(
    environ: Mapping[str, str], clock: Callable[[], int] = now_ms
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """The function's handler; `clock` tells epoch milliseconds."""
    logger = make_logger(SERVICE)
    settings = Settings.from_environ(environ)
    invocation = Invocation()
    base_url = BaseUrl(settings, lambda: clients.client("ssm"), invocation.time_left_s)
    service = make_sending_service(settings, invocation, clock)

    def start_verification(request: HttpRequest) -> Response:
        body = request.json(StartBody)
        return _accepted(start(service, body.to_request(), origin(request), request.journal))

    def send_message(request: HttpRequest) -> Response:
        body = request.json(MessageBody)
        return _accepted(
            send_another(service, request.verification_id, body.to_request(), origin(request), request.journal)
        )

    def origin(request: HttpRequest) -> Origin:
        return Origin(request.caller, request.idempotency_key, base_url.of_stack())

    callers = {
        ("POST", "/verifications"): start_verification,
        ("POST", "/verifications/{verification_id}/messages"): send_message,
    }
    return HttpFunction(SERVICE, logger, invocation, callers=callers, unsigned_callers=settings.unsigned_callers)


def _accepted(sent: Sent) -> Response:
    return Response(202, to_json(SentAnswer.of(sent)), headers={"Cache-Control": "no-store"})


lambda_handler = make_handler(os.environ)
