"""What is said of a body that is none of a wire type: the fault, and what is wanted, told from the type alone."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from otp_feedback.adapters.web.problems import problem_response
from otp_feedback.adapters.web.request import convert, decode
from otp_feedback.adapters.web.wire import CancelBody, CheckBody, ConfirmBody, Expect, MessageBody, StartBody
from otp_feedback.domain.errors import MalformedRequest
from tests.tables import for_each

BODIES: tuple[type[Struct], ...] = (StartBody, MessageBody, CheckBody, Expect, ConfirmBody, CancelBody)
GOOD: dict[type[Struct], dict[str, Any]] = {
    StartBody: {"to": "+4915112345678", "action": "code"},
    CheckBody: {"secret": "123456"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def refused(attempt: Callable[[], object]) -> MalformedRequest:
    """The problem that an attempt ends in."""
    with pytest.raises(MalformedRequest) as raised:
        attempt()
    return raised.value


def fault_of(attempt: Callable[[], object]) -> MalformedRequest | None:
    """The problem that an attempt ends in, if it does."""
    try:
        attempt()
    except MalformedRequest as problem:
        return problem
    return None


def detail(problem: MalformedRequest) -> str:
    """The sentence of the answer."""
    sentence: str = json.loads(problem_response(problem).body)["detail"]
    return sentence


def said(raw: bytes, wire_type: type[Struct]) -> str:
    """What is answered to a body."""
    return detail(refused(lambda: decode(raw, wire_type)))


@pytest.mark.parametrize(
    ("wire_type", "fields", "sentence"),
    [
        (StartBody, {"action": "sms"}, "action must be one of caller, code, link, password, reply."),
        (StartBody, {"action": 7}, "action must be one of caller, code, link, password, reply."),
        (StartBody, {"to": 4915112345678}, "to must be a string."),
        (StartBody, {"to": "+" + "4" * 64}, "to must have at most 64 characters."),
        (StartBody, {"locale": ["de"]}, "locale must be a string."),
        (StartBody, {"reference": "a b"}, "reference must match ^[A-Za-z0-9_.:-]{1,64}$."),
        (StartBody, {"limit_key": ""}, "limit_key must have 1 to 256 characters."),
        (StartBody, {"sid": {}}, "sid must be a string."),
        (CheckBody, {"secret": 123456}, "secret must be a string."),
        (CheckBody, {"secret": None}, "secret must be a string."),
        (CheckBody, {"secret": ""}, "secret must have 1 to 64 characters."),
        (CheckBody, {"expect": "order-1"}, "expect must be a JSON object."),
        (CheckBody, {"expect": {"to": 7}}, "expect.to must be a string."),
        (CheckBody, {"expect": {"too": 7}}, "expect takes no other fields than to, reference, not too."),
        (ConfirmBody, {"message": "1"}, "message must be a whole number from 1 to 3."),
        (ConfirmBody, {"message": 4}, "message must be a whole number from 1 to 3."),
        (ConfirmBody, {"message": True}, "message must be a whole number from 1 to 3."),
        (ConfirmBody, {"massage": 1}, "body takes no other fields than message, not massage."),
        (CancelBody, {"reason": "x"}, "body takes no fields, not reason."),
    ],
)
def test_it_says_what_is_wanted(wire_type: type[Struct], fields: dict[str, Any], sentence: str):
    body = GOOD.get(wire_type, {}) | fields
    assert said(json.dumps(body).encode(), wire_type) == sentence
    assert detail(refused(lambda: convert(body, wire_type))) == sentence


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "body must be JSON, in UTF-8."),
        (b"to=%2B49", "body must be JSON, in UTF-8."),
        (b'{"to": "+49', "body must be JSON, in UTF-8."),
        (b'{"to": 7, "action"', "body must be JSON, in UTF-8."),
        (b'{"to": "\xff"}', "body must be JSON, in UTF-8."),
        (b"[" * 100_000, "body must be JSON, in UTF-8."),
        (b"[]", "body must be a JSON object."),
        (b'"to"', "body must be a JSON object."),
        (b"null", "body must be a JSON object."),
        (b"{}", "to is required."),
        (b'{"to": "+4915112345678"}', "action is required."),
        (b'{"to": 7, "to": "+4915112345678", "action": "code"}', "body must hold each field once."),
    ],
)
def test_it_says_what_is_wrong_with_the_whole(raw: bytes, sentence: str):
    assert said(raw, StartBody) == sentence


WRONG: tuple[object, ...] = (7.5, [], [{}], -1, True, "\n" * 300)


@for_each(
    (each, field.encode_name, wrong) for each in BODIES for field in msgspec.structs.fields(each) for wrong in WRONG
)
def test_every_field_of_every_body_says_what_it_takes(wire_type: type[Struct], name: str, wrong: Any):
    fault = fault_of(lambda: convert(GOOD.get(wire_type, {}) | {name: wrong}, wire_type))
    if fault is None:
        assert isinstance(wrong, str)
    else:
        assert fault.field == name
        assert fault.reason.startswith("must ")


@given(st.sampled_from(BODIES), JSON)
def test_it_says_the_same_over_http_and_directly(wire_type: type[Struct], value: Any):
    directly = fault_of(lambda: convert(value, wire_type))
    over_http = fault_of(lambda: decode(json.dumps(value).encode(), wire_type))
    assert (directly and vars(directly)) == (over_http and vars(over_http))
    if directly is not None:
        assert directly.reason == "is required" or directly.reason.startswith(
            ("must be ", "must have ", "must match ", "takes ")
        )


@pytest.mark.parametrize("name", ["acton", "A", "a" * 32, "to_", "K4mqX7rt", "x9"])
def test_an_unknown_field_is_named_in_the_answer_alone(name: str):
    problem = refused(lambda: convert({**GOOD[StartBody], name: "x"}, StartBody))
    assert f", not {name}." in detail(problem)
    assert f" {name}" not in str(problem).removeprefix(
        "The request cannot be used. body takes no other fields than to, "
    )
    assert problem.field == "body"


@pytest.mark.parametrize(
    "name", ["", "1", "123456", "_a", "a" * 33, "a-b", "a b", "+4915112345678", "é", "a\n", "<b>", "٣", "a`"]
)
def test_what_is_no_name_is_not_echoed(name: str):
    answer = problem_response(refused(lambda: convert({**GOOD[StartBody], name: "x"}, StartBody))).body
    assert json.loads(answer)["detail"].endswith("secret, sid.")


def test_of_several_unknown_fields_one_that_has_a_name_is_named():
    assert (
        detail(refused(lambda: convert({"a-b": 1, "acton": 1, "tu": 1}, CancelBody)))
        == "body takes no fields, not acton."
    )
