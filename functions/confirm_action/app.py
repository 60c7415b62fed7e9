"""Confirms actions, whatever the way in: the caller's check or word, the public link, a reply."""

import os
from collections.abc import Callable, Mapping
from time import perf_counter, sleep

from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.web.function import HttpFunction
from otp_feedback.adapters.web.inbound import InboundRoutes
from otp_feedback.adapters.web.link import LinkRoutes
from otp_feedback.adapters.web.patience import patient
from otp_feedback.adapters.web.twiml import REJECTED_CALL
from otp_feedback.adapters.web.verification import VerificationRoutes
from otp_feedback.usecases.ports import Clock
from otp_feedback.wiring import Wiring

ONE = "/verifications/{verification_id}"


def make_handler(
    environ: Mapping[str, str],
    clock: Clock = now_ms,
    seconds: Callable[[], float] = perf_counter,
    sleep: Callable[[float], None] = sleep,
) -> HttpFunction:
    """The function's handler; its clocks and how it waits are `Wiring`'s."""
    wiring = Wiring("confirm_action", environ, ("OTP_APP_NAME",), clock, seconds, sleep)
    settings = wiring.settings
    verification = VerificationRoutes(wiring.service)
    link = LinkRoutes(settings, wiring.service)
    inbound = InboundRoutes(
        settings, wiring.base_url.of_stack, wiring.vault, service=lambda: wiring.service_trying_once
    )
    return HttpFunction(
        wiring.log,
        callers={
            f"GET {ONE}": verification.show,
            f"POST {ONE}/check": verification.check,
            f"POST {ONE}/confirm": verification.confirm,
            f"POST {ONE}/cancel": verification.cancel,
        },
        public={
            "GET /confirm": link.ask,
            "HEAD /confirm": link.ask,
            "POST /confirm": link.tap,
            "POST /twilio/message": patient(inbound.message, wiring.invocation, sleep),
            "POST /twilio/call": patient(inbound.call, wiring.invocation, sleep),
        },
        failing={"POST /twilio/call": REJECTED_CALL},
        unsigned_callers=settings.unsigned_callers,
    )


lambda_handler = make_handler(os.environ)
