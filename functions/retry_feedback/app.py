"""The outbox: reports that are still due, every minute."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.parallel import in_parallel
from otp_feedback.usecases.outbox import REPORT_DEADLINE_S, Run, retry_due_reports
from otp_feedback.usecases.ports import Clock
from otp_feedback.wiring import Wiring

WORKERS = 20
"""Reports in flight; Twilio answers 429 beyond an account's own concurrency."""

RESERVE_MS = int(REPORT_DEADLINE_S * 1000) + 15_000
"""Milliseconds of the invocation in which no new report is begun."""


def make_handler(environ: Mapping[str, str], clock: Clock = now_ms) -> Callable[[object, Any], dict[str, int]]:
    """The function's handler; `clock` tells epoch milliseconds."""
    wiring = Wiring("retry_feedback", environ, needs=(), clock=clock)
    service = wiring.service

    def handle(_event: object, context: Any) -> dict[str, int]:
        with wiring.log.invoked(context) as journal:
            run = Run(
                holder=service.new_request_token(),  # an event that Lambda delivers twice has one request id
                out_of_time=lambda: context.get_remaining_time_in_millis() < RESERVE_MS,
                ends_at=clock() + context.get_remaining_time_in_millis(),
                in_parallel=in_parallel(WORKERS),
            )
            taken = retry_due_reports(service, run, journal)
            journal.note(taken=taken)
            return {"taken": taken}

    return handle


lambda_handler = make_handler(os.environ)
