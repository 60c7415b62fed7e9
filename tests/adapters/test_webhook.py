"""A webhook's fields, once its signature fits the public address and its account is ours."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools import Logger

from otp_feedback.adapters.request_log import RequestJournal
from otp_feedback.adapters.twilio.signature import sign
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.webhooks import (
    MAX_BODY_BYTES,
    MESSAGE,
    STATUS,
    Webhook,
    query_parameter,
    read,
    required,
    verified_webhook,
)
from otp_feedback.domain.errors import InvalidSignature, MalformedRequest, PayloadTooLarge

BASE = "https://otp.example.com"
ACCOUNT = "AC" + "1" * 32
FIELDS = {"AccountSid": ACCOUNT, "Body": "é + ", "Blank": "", "From": "+4915112345678"}


class Account:
    """Ours, in the middle of a rotation."""

    def account_sid(self) -> str:
        return ACCOUNT

    def auth_tokens(self) -> tuple[str, ...]:
        return ("token", "previous-token")


def request(
    fields: dict[str, str], signature: str | None, *, path: str = "/twilio/status", query: str = "a=1&b=%20"
) -> HttpRequest:
    """A webhook as API Gateway passes it on."""
    event: dict[str, Any] = {
        "rawPath": path,
        "rawQueryString": query,
        "headers": {} if signature is None else {"x-twilio-signature": signature},
        "body": base64.b64encode(urlencode(fields).encode()).decode(),
        "isBase64Encoded": True,
        "requestContext": {},
    }
    return HttpRequest(event, {}, RequestJournal(Logger(service="test"), "test"))


def signed(fields: dict[str, str], *, url: str = f"{BASE}/twilio/status?a=1&b=%20", token: str = "token") -> str:
    """Twilio's signature."""
    return sign(url, list(fields.items()), token)


def verified(request: HttpRequest) -> Webhook:
    """What is read of an inbound message."""
    return verified_webhook(request, BASE, Account(), MESSAGE)


def test_what_is_known_comes_back():
    webhook = verified(request(FIELDS, signed(FIELDS)))
    assert webhook.fields == {"AccountSid": ACCOUNT, "From": "+4915112345678"}
    assert (webhook.text, webhook.ambiguous) == ("é + ", frozenset())


def test_both_tokens_count_during_a_rotation():
    assert verified(request(FIELDS, signed(FIELDS, token="previous-token"))).text == FIELDS["Body"]


def test_an_address_without_a_query_is_signed_without_one():
    signature = signed(FIELDS, url=f"{BASE}/twilio/call")
    assert verified(request(FIELDS, signature, path="/twilio/call", query="")).fields


def test_a_base_url_with_a_path_and_with_the_default_port_is_recognised():
    for url in (
        "https://otp.example.com:443/twilio/status?a=1&b=%20",
        "https://otp.example.com/twilio/status?a=1&b=%20",
    ):
        assert verified(request(FIELDS, signed(FIELDS, url=url))).fields


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "AAAA",
        signed(FIELDS, token="another"),
        signed(FIELDS, token=""),
        signed(FIELDS, url=f"{BASE}/twilio/status"),
        signed(FIELDS, url="https://evil.example/twilio/status?a=1&b=%20"),
        signed(FIELDS, url="http://otp.example.com/twilio/status?a=1&b=%20"),
        signed({**FIELDS, "Body": "other"}),
        signed(FIELDS).lower(),
    ],
)
def test_another_signature_is_refused(signature: str | None):
    with pytest.raises(InvalidSignature):
        verified(request(FIELDS, signature))


@pytest.mark.parametrize("account", ["AC" + "2" * 32, "", None])
def test_another_account_is_refused_though_it_is_signed_with_our_token(account: str | None):
    fields = {name: value for name, value in {**FIELDS, "AccountSid": account}.items() if value is not None}
    with pytest.raises(InvalidSignature):
        verified(request(fields, signed(fields)))


def test_a_long_message_is_taken_and_a_longer_body_refused():
    long = {**FIELDS, "Body": "漢" * 1600}
    assert verified(request(long, signed(long))).text == "漢" * 1600
    longer = {**FIELDS, "Body": "x" * MAX_BODY_BYTES}
    with pytest.raises(PayloadTooLarge):
        verified(request(longer, signed(longer)))


SID = "SM" + "a" * 32


@pytest.mark.parametrize("name", ["AccountSid", "Body", "From", "MessageSid", "OptOutType", "To"])
def test_a_name_that_is_read_does_not_repeat(name: str):
    form = [("AccountSid", ACCOUNT), ("Body", "yes"), ("From", "+4915112345678"), ("MessageSid", SID)]
    form += [("OptOutType", "STOP"), ("To", "+14155550100")]
    read(form, MESSAGE)
    for value in (dict(form)[name], "other", ""):
        with pytest.raises(MalformedRequest) as raised:
            read([*form, (name, value)], MESSAGE)
        assert raised.value.field == name
    assert read([*form, ("Other", "1"), ("Other", "2")], MESSAGE).ambiguous == frozenset()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ErrorCode", "Unknown"),
        ("ErrorCode", ""),
        ("ErrorCode", "٣٠٠٠٣"),
        ("ErrorCode", "30003 "),
        ("MessageSid", SID + "\n"),
        ("MessageSid", SID.upper()),
        ("MessageSid", SID[:-1]),
        ("MessageSid", SID + "a"),
        ("MessageSid", "CA" + "a" * 32),
        ("MessageStatus", "Delivered"),
        ("MessageStatus", ""),
        ("From", ""),
        ("From", "Zürich"),
    ],
)
def test_a_value_without_its_form_counts_as_none(name: str, value: str):
    assert name not in read([(name, value)], STATUS).certain


@pytest.mark.parametrize(
    "sender",
    ["+4915112345678", "whatsapp:+4915112345678", "rcs:+4915112345678", None, "40404", "Acme", "anonymous", "+"],
)
def test_only_a_number_can_have_replied(sender: str | None):
    webhook = read([] if sender is None else [("From", sender)], MESSAGE)
    assert webhook.fields.get("From") == (sender if sender and "+49" in sender else None)
    assert not webhook.ambiguous


@pytest.mark.parametrize(
    "receiver", ["+14155550100", "whatsapp:+14155550100", "rcs:acme_shop_agent", "244", "messenger:1234567890"]
)
def test_each_kind_of_receiver_is_known(receiver: str):
    webhook = read([("To", receiver), ("ToCity", "NEW YORK")], MESSAGE)
    assert (webhook.fields, webhook.ambiguous) == ({"To": receiver}, frozenset())


def test_a_field_that_must_be_there():
    assert required({"a": "1"}, "a") == "1"
    for fields in ({}, {"a": ""}):
        with pytest.raises(MalformedRequest) as raised:
            required(fields, "a")
        assert raised.value.field == "a"


@pytest.mark.parametrize(("query", "value"), [("a=1", "1"), ("a=", ""), ("b=2&a=%C3%A9", "é"), ("a=1&b=1", "1")])
def test_a_parameter_of_the_query(query: str, value: str):
    assert query_parameter(request(FIELDS, None, query=query), "a") == value


@pytest.mark.parametrize("query", ["", "b=1", "a=1&a=1", "A=1"])
def test_a_parameter_that_is_not_there_once_is_malformed(query: str):
    with pytest.raises(MalformedRequest) as raised:
        query_parameter(request(FIELDS, None, query=query), "a")
    assert raised.value.field == "a"
