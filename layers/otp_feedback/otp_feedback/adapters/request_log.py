"""One wide log line and the metrics of each request."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from otp_feedback.adapters.invocation import Invocation
from otp_feedback.domain.errors import Problem, Unavailable

QUIET_LOGGERS = ("botocore", "httpcore", "httpx", "urllib3")
"""Their lines hold URLs, and with them numbers."""


def make_logger(service: str) -> Logger:
    """The function's logger; it never logs events, which hold secrets and numbers."""
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    return Logger(service=service)


class RequestLog:
    """What a function writes of its invocations: one line each, and their metrics.

    Parameters
    ----------
    function
        The function's name.
    invocation
        Told of each invocation's context.
    logger
        The function's logger; its own by default.
    """

    def __init__(self, function: str, invocation: Invocation, logger: Logger | None = None) -> None:
        self.function = function
        self.logger = logger or make_logger(function)
        self._invocation = invocation

    @contextmanager
    def invoked(self, context: Any) -> Iterator["RequestJournal"]:
        """Log one invocation: however it ends, its line and its metrics are written.

        Parameters
        ----------
        context
            What Lambda called the handler with.
        """
        self._invocation.begin(context)
        journal = RequestJournal(self.logger, self.function)
        journal.note(correlation_id=context.aws_request_id)
        try:
            yield journal
        finally:
            journal.note(duration_ms=round(self._invocation.spent_s() * 1000))
            journal.write()


class RequestJournal:
    """`otp_feedback.usecases.ports.Journal` for one request.

    Parameters
    ----------
    logger
        The function's logger.
    service
        The function's name; the metrics' only dimension.
    """

    def __init__(self, logger: Logger, service: str) -> None:
        self._logger = logger
        self._service = service
        self._facts: dict[str, str | int] = {}
        self._counts: Counter[str] = Counter()
        self._gauges: dict[str, int] = {}
        self._lock = threading.Lock()

    def note(self, **facts: str | int | None) -> None:
        self._facts |= _known(facts)

    def line(self, event: str, **facts: str | int | None) -> None:
        self._logger.info(event, extra=_known(facts))

    def count(self, metric: str) -> None:
        with self._lock:
            self._counts[metric] += 1

    def gauge(self, metric: str, value: int) -> None:
        with self._lock:
            self._gauges[metric] = max(value, self._gauges.get(metric, 0))

    def refused(self, problem: Problem) -> None:
        """Note the problem that refused a request."""
        self.note(outcome=problem.name, field=getattr(problem, "field", None))
        if isinstance(problem, Unavailable):
            self.count("Unavailable")

    def write(self) -> None:
        """Write the line, and the metrics in CloudWatch's embedded metric format."""
        self._logger.info("request", extra=self._facts)
        if not self._counts and not self._gauges:
            return
        metrics = EphemeralMetrics(service=self._service)
        for name, value in self._counts.items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
        for name, seconds in self._gauges.items():
            metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=seconds)
        metrics.flush_metrics()


def _known(facts: dict[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in facts.items() if value is not None}
