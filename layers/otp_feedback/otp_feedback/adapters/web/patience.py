"""Trying again inside a webhook's request, for as long as Twilio waits for its answer.

Twilio waits 15 s (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides). Repeating is safe: an
inbound message's or call's SID is bound to its verification first.
"""

import time
from collections.abc import Callable

from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.web.function import Route
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.response import Response
from otp_feedback.domain.errors import Unavailable

TRIES_FOR_S = 12.0
"""Seconds since the request came in, after which it is not tried again."""

ANSWERS_WITHIN_S = 14.5
"""No outward call begins that might outlast this; the rest of Twilio's 15 s is for the network."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0

Sleep = Callable[[float], None]


def patient(route: Route, invocation: Invocation, sleep: Sleep = time.sleep) -> Route:
    """A route that is tried again while a dependency is unavailable.

    Parameters
    ----------
    sleep
        Waits, in seconds.
    """

    def run(request: HttpRequest) -> Response:
        invocation.answer_within(ANSWERS_WITHIN_S)
        pause = FIRST_PAUSE_S
        while True:
            try:
                return route(request)
            except Unavailable:
                if invocation.spent_s() + pause >= TRIES_FOR_S:
                    raise
            sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    return run
