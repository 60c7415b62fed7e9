"""Starts verifications and sends further messages, for the API's callers."""

import os
from collections.abc import Mapping

from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.web.function import HttpFunction
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.response import Response, json_response
from otp_feedback.adapters.web.wire import MessageBody, SentAnswer, StartBody
from otp_feedback.usecases.another import send_another
from otp_feedback.usecases.ports import Clock
from otp_feedback.usecases.send import Origin
from otp_feedback.usecases.start import start
from otp_feedback.wiring import Wiring, sending_service


def make_handler(environ: Mapping[str, str], clock: Clock = now_ms) -> HttpFunction:
    """The function's handler; `clock` tells epoch milliseconds."""
    wiring = Wiring("send_otp", environ, clock=clock)
    service, base_url = sending_service(wiring), wiring.base_url

    def start_verification(request: HttpRequest) -> Response:
        body = request.json(StartBody)
        sent = start(service, body.to_request(), origin(request), request.journal)
        return json_response(202, SentAnswer.of(sent))

    def send_message(request: HttpRequest) -> Response:
        body = request.json(MessageBody)
        sent = send_another(service, request.verification_id, body.to_request(), origin(request), request.journal)
        return json_response(202, SentAnswer.of(sent))

    def origin(request: HttpRequest) -> Origin:
        return Origin(request.caller, request.idempotency_key, base_url.of_stack())

    return HttpFunction(
        wiring.log,
        callers={
            "POST /verifications": start_verification,
            "POST /verifications/{verification_id}/messages": send_message,
        },
        unsigned_callers=wiring.settings.unsigned_callers,
    )


lambda_handler = make_handler(os.environ)
