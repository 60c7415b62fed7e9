"""Twilio's status callbacks."""

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
from otp_feedback.adapters.web.webhooks import STATUS, query_parameter, required, verified_webhook
from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.ids import is_verification_id
from otp_feedback.usecases.delivery_status import StatusCallback, redact, track_delivery
from otp_feedback.wiring import make_service, make_vault

SERVICE = "track_delivery"


def make_handler(
    environ: Mapping[str, str], clock: Callable[[], int] = now_ms
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """The function's handler; `clock` tells epoch milliseconds."""
    logger = make_logger(SERVICE)
    settings = Settings.from_environ(environ, needs=())
    invocation = Invocation()
    vault = make_vault(settings, invocation)
    service = make_service(settings, invocation, clock, vault)
    base_url = BaseUrl(settings, lambda: clients.client("ssm"), invocation.time_left_s)

    def status(request: HttpRequest) -> Response:
        webhook = verified_webhook(request, base_url.of_stack(), vault, STATUS)
        callback = _callback(request, webhook.certain)
        track_delivery(service.verifications, clock, callback, request.journal)
        if settings.redact_bodies:
            redact(service.twilio, callback, request.journal)
        return Response(204)

    return HttpFunction(SERVICE, logger, invocation, public={("POST", "/twilio/status"): status})


def _callback(request: HttpRequest, fields: dict[str, str]) -> StatusCallback:
    verification_id = query_parameter(request, "verification")
    if not is_verification_id(verification_id):
        raise MalformedRequest("verification", "must be a verification id")
    number = query_parameter(request, "message")
    if number not in {"1", "2", "3"}:
        raise MalformedRequest("message", "must be 1, 2 or 3")
    error_code = fields.get("ErrorCode")
    return StatusCallback(
        verification_id=verification_id,
        number=int(number),
        sid=required(fields, "MessageSid"),
        status=required(fields, "MessageStatus"),
        sender=fields.get("From"),
        error_code=int(error_code) if error_code is not None else None,
    )


lambda_handler = make_handler(os.environ)
