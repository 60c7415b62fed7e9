"""Direct invocations of a function, without API Gateway: by Step Functions, other Lambdas."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from otp_feedback.adapters.request_log import RequestLog
from otp_feedback.adapters.web.problems import problem_response
from otp_feedback.adapters.web.request import convert
from otp_feedback.domain.errors import MalformedRequest, Problem, Unavailable
from otp_feedback.usecases.ports import Journal


class DirectFunction[T: Struct]:
    """A Lambda function that takes a wire type's fields and returns plain values.

    It returns a refusal's problem, too. It raises `Unavailable` and faults, so that the invoker tries again.

    Parameters
    ----------
    log
        The function's log.
    body
        The wire type that it takes.
    run
        Does what is asked.
    """

    def __init__(self, log: RequestLog, body: type[T], run: Callable[[T, Journal], Struct]) -> None:
        self._log = log
        self._body = body
        self._run = run

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one event; one of API Gateway's is malformed."""
        with self._log.invoked(context) as journal:
            journal.note(route="direct")
            try:
                return dict(msgspec.to_builtins(self._run(self._read(event), journal)))
            except Problem as problem:
                journal.refused(problem)
                if isinstance(problem, Unavailable):
                    raise
                return dict(json.loads(problem_response(problem).body))

    def _read(self, event: Any) -> T:
        if not isinstance(event, Mapping):
            raise MalformedRequest("body", "must be a JSON object")
        if "requestContext" in event:
            raise MalformedRequest("requestContext", "is of the API's events, which this function does not take")
        return convert(event, self._body)
