"""Problems as RFC 9457 documents: every problem has a status, and each says what its reader can use."""

import inspect
import json

import pytest

from otp_feedback.adapters.web.problems import MEDIA_TYPE, STATUS, problem_response
from otp_feedback.domain import errors
from otp_feedback.domain.errors import (
    MalformedRequest,
    MessageRejected,
    Problem,
    TooManyMessages,
    Unavailable,
    WrongSecret,
)

PROBLEMS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Problem) and kind is not Problem
]

DESIGN = {
    "malformed-request": 400,
    "invalid-signature": 403,
    "forbidden": 403,
    "unknown-verification": 404,
    "not-found": 404,
    "already-confirmed": 409,
    "canceled": 409,
    "wrong-action": 409,
    "idempotency-conflict": 409,
    "expired": 410,
    "payload-too-large": 413,
    "invalid-recipient": 422,
    "recipient-opted-out": 422,
    "country-not-allowed": 422,
    "wrong-secret": 422,
    "locked": 423,
    "too-many-messages": 429,
    "message-rejected": 502,
    "unavailable": 503,
}

EXAMPLES: dict[type[Problem], Problem] = {
    MalformedRequest: MalformedRequest("to", "must be a number"),
    WrongSecret: WrongSecret(3),
    MessageRejected: MessageRejected(30450),
}


def example(kind: type[Problem]) -> Problem:
    """A problem of a kind."""
    return EXAMPLES.get(kind) or kind()


def test_names_and_statuses_are_those_of_the_design():
    assert {kind.name: STATUS[kind] for kind in PROBLEMS} == DESIGN


@pytest.mark.parametrize("kind", PROBLEMS, ids=lambda kind: kind.name)
def test_every_problem_is_a_document(kind: type[Problem]):
    reply = problem_response(example(kind))
    document = json.loads(reply.body)
    assert reply.content_type == MEDIA_TYPE == "application/problem+json"
    assert reply.status == document["status"] == DESIGN[kind.name]
    assert document["type"] == f"urn:otp-feedback:{kind.name}"
    assert document["title"]
    assert document["detail"]
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("problem", "members"),
    [
        (
            MalformedRequest("expect.to", "must be a string"),
            {"field": "expect.to", "detail": "expect.to must be a string."},
        ),
        (MalformedRequest("body", "takes no fields"), {"field": "body", "detail": "body takes no fields."}),
        (
            MalformedRequest("body", "takes no fields", "acton"),
            {"field": "body", "detail": "body takes no fields, not acton."},
        ),
        (WrongSecret(0), {"attempts_left": 0, "detail": "The secret is wrong. Attempts left: 0."}),
        (MessageRejected(21610), {"code": 21610}),
        (MessageRejected(None), {}),
        (TooManyMessages(30), {"retry_after_s": 30, "detail": "Too many messages were sent. Try again in 30 s."}),
        (TooManyMessages(None), {"detail": "Too many messages were sent."}),
        (Unavailable(60), {"retry_after_s": 60}),
    ],
)
def test_what_a_problem_carries_beyond_that(problem: Problem, members: dict[str, object]):
    document = json.loads(problem_response(problem).body)
    for name, value in members.items():
        assert document[name] == value
    assert document.keys() == {"type", "title", "status", "detail"} | members.keys()


@pytest.mark.parametrize(
    ("problem", "wait"),
    [
        (TooManyMessages(30), "30"),
        (TooManyMessages(None), None),
        (Unavailable(), "1"),
        (Unavailable(60), "60"),
        (errors.Locked(), None),
    ],
)
def test_the_wait_is_told_where_waiting_helps(problem: Problem, wait: str | None):
    assert problem_response(problem).headers.get("Retry-After") == wait
