"""Starts verifications for whoever may invoke the function itself: Step Functions, other Lambdas."""

import os
from collections.abc import Mapping

from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.web.direct import DirectFunction
from otp_feedback.adapters.web.wire import DirectBody, SentAnswer
from otp_feedback.usecases.ports import Clock, Journal
from otp_feedback.usecases.send import Origin
from otp_feedback.usecases.start import start
from otp_feedback.wiring import Wiring, sending_service

CALLER = ""
"""No authorised caller over HTTP has this name; a token's subject may be any other."""


def make_handler(environ: Mapping[str, str], clock: Clock = now_ms) -> DirectFunction[DirectBody]:
    """The function's handler, which answers what `POST /verifications` does; `clock` tells epoch milliseconds."""
    wiring = Wiring("start_directly", environ, clock=clock)
    service, base_url = sending_service(wiring), wiring.base_url

    def start_verification(body: DirectBody, journal: Journal) -> SentAnswer:
        origin = Origin(CALLER, body.key(), base_url.of_stack())
        return SentAnswer.of(start(service, body.to_request(), origin, journal))

    return DirectFunction(wiring.log, DirectBody, start_verification)


lambda_handler = make_handler(os.environ)
