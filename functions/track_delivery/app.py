"""Twilio's status callbacks."""

import os
from collections.abc import Mapping

from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.web.function import HttpFunction
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.response import Response
from otp_feedback.adapters.web.status import status_callback
from otp_feedback.adapters.web.webhooks import STATUS, verified_webhook
from otp_feedback.usecases.delivery_status import redact, track_delivery
from otp_feedback.usecases.ports import Clock
from otp_feedback.wiring import Wiring


def make_handler(environ: Mapping[str, str], clock: Clock = now_ms) -> HttpFunction:
    """The function's handler; `clock` tells epoch milliseconds."""
    wiring = Wiring("track_delivery", environ, needs=(), clock=clock)
    vault, verifications, base_url = wiring.vault, wiring.stores.verifications, wiring.base_url
    twilio = wiring.twilio if wiring.settings.redact_bodies else None

    def status(request: HttpRequest) -> Response:
        webhook = verified_webhook(request, base_url.of_stack(), vault, STATUS)
        callback = status_callback(request, webhook)
        track_delivery(verifications, callback, request.journal)
        if twilio is not None:
            redact(twilio, callback, request.journal)
        return Response(204)

    return HttpFunction(wiring.log, public={"POST /twilio/status": status})


lambda_handler = make_handler(os.environ)
