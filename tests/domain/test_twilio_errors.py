"""What Twilio's error codes mean to a caller (https://www.twilio.com/docs/api/errors)."""

import pytest

from otp_feedback.domain.errors import (
    CountryNotAllowed,
    InvalidRecipient,
    MessageRejected,
    Problem,
    RecipientOptedOut,
)
from otp_feedback.domain.twilio_errors import problem_for


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (21211, InvalidRecipient),
        (21217, InvalidRecipient),
        (21265, InvalidRecipient),
        (21614, InvalidRecipient),
        (21635, InvalidRecipient),
        (21408, CountryNotAllowed),
        (21610, RecipientOptedOut),
    ],
)
def test_what_the_caller_can_do_something_about_has_a_problem_of_its_own(code: int, problem: type[Problem]):
    assert type(problem_for(code)) is problem


@pytest.mark.parametrize("code", [20003, 21606, 30450, 99999, 0, None])
def test_everything_else_is_rejected_with_its_code(code: int | None):
    problem = problem_for(code)
    assert isinstance(problem, MessageRejected)
    assert problem.code == code
