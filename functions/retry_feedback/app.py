"""The outbox: reports that are still due, every minute."""

import os
import secrets
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.parallel import in_parallel
from otp_feedback.adapters.request_log import RequestJournal, make_logger
from otp_feedback.adapters.settings import Settings
from otp_feedback.usecases.outbox import REPORT_DEADLINE_S, Run, retry_due_reports
from otp_feedback.wiring import make_service

SERVICE = "retry_feedback"
WORKERS = 20
"""Reports in flight; Twilio answers 429 beyond an account's own concurrency."""

RESERVE_MS = int(REPORT_DEADLINE_S * 1000) + 15_000
"""Milliseconds of the invocation in which no new report is begun."""


def make_handler(
    environ: Mapping[str, str], clock: Callable[[], int] = now_ms
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """The function's handler; `clock` tells epoch milliseconds."""
    logger = make_logger(SERVICE)
    settings = Settings.from_environ(environ, needs=())
    invocation = Invocation()
    service = make_service(settings, invocation, clock)

    def handle(_event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        started = perf_counter()
        invocation.begin(context)
        journal = RequestJournal(logger, SERVICE)
        journal.note(correlation_id=context.aws_request_id)
        try:
            taken = retry_due_reports(service, _run(context, clock()), journal)
            journal.note(taken=taken)
            return {"taken": taken}
        finally:
            journal.note(duration_ms=round((perf_counter() - started) * 1000))
            journal.write()

    return handle


def _run(context: Any, now: int) -> Run:
    return Run(
        holder=secrets.token_urlsafe(8),  # an event that Lambda delivers twice has one request id
        out_of_time=lambda: context.get_remaining_time_in_millis() < RESERVE_MS,
        ends_at=now + context.get_remaining_time_in_millis(),
        in_parallel=in_parallel(WORKERS),
    )


lambda_handler = make_handler(os.environ)
