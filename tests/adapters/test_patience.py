"""A webhook's request is tried again for as long as Twilio waits, and no longer."""

from typing import Any, cast

import pytest

from otp_feedback.adapters.aws.clients import LONGEST_TRY_S
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.web.patience import ANSWERS_WITHIN_S, TRIES_FOR_S, patient
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.response import Response
from otp_feedback.domain.errors import MalformedRequest, Unavailable
from tests.service import DynamoDBStore

TWILIO_WAITS_S = 15
REQUEST = cast("HttpRequest", None)


class Time:
    """Passes where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def seconds(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        assert seconds > 0
        self.now += seconds


class Route:
    """Fails so many times, each after `takes` seconds."""

    def __init__(self, time: Time, failures: float, takes: float = 0.0, error: Exception | None = None) -> None:
        self._time, self._left, self._takes = time, failures, takes
        self._error = error or Unavailable()
        self.tries = 0

    def __call__(self, _request: HttpRequest) -> Response:
        self.tries += 1
        self._time.now += self._takes
        if self.tries <= self._left:
            raise self._error
        return Response(200, "done")


def run(time: Time, route: Route) -> Response:
    """Answer one request."""
    invocation = Invocation(time.seconds)
    invocation.begin(None)
    return patient(route, invocation, time.sleep)(REQUEST)


@pytest.mark.parametrize("failures", [0, 1, 2, 10])
def test_what_is_available_again_is_answered(failures: int):
    time = Time()
    route = Route(time, failures)
    assert run(time, route).status == 200
    assert route.tries == failures + 1


@pytest.mark.parametrize("takes", [0.0, 0.01, LONGEST_TRY_S])
def test_it_is_given_up_when_twelve_seconds_have_passed(takes: float):
    time = Time()
    route = Route(time, float("inf"), takes)
    with pytest.raises(Unavailable):
        run(time, route)
    assert TRIES_FOR_S - 1 <= time.now < TWILIO_WAITS_S
    assert route.tries >= 4


def test_another_problem_is_not_tried_again():
    time = Time()
    for error in (MalformedRequest("To", "is required"), ZeroDivisionError()):
        route = Route(time, 1, error=error)
        with pytest.raises(type(error)):
            run(time, route)
        assert (route.tries, time.now) == (1, 0)


class Hanging:
    """DynamoDB, which lets every call time out."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def get_item(self, **_: Any) -> None:
        """Take as long as a call may."""
        self._time.now += LONGEST_TRY_S
        raise ConnectionRefused


class ConnectionRefused(Exception):
    """Stands for botocore's."""


def test_no_call_is_begun_that_would_outlast_what_twilio_waits():
    time = Time()
    invocation = Invocation(time.seconds)
    invocation.begin(None)
    store = DynamoDBStore(cast("Any", Hanging(time)), "table", invocation.time_left_s, LONGEST_TRY_S)

    def route(_request: HttpRequest) -> Response:
        for _ in range(3):
            try:
                store.bound_inbound("SM")
            except ConnectionRefused:
                continue
        raise Unavailable

    with pytest.raises(Unavailable):
        patient(route, invocation, time.sleep)(REQUEST)
    assert time.now <= ANSWERS_WITHIN_S < TWILIO_WAITS_S


def test_the_next_invocation_is_not_limited():
    invocation = Invocation(Time().seconds)
    invocation.begin(None)
    invocation.answer_within(1.0)
    assert invocation.time_left_s() == 1.0
    invocation.begin(None)
    assert invocation.time_left_s() == float("inf")
