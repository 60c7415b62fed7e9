"""Webhooks that only our own Twilio account can have sent."""

from typing import Protocol
from urllib.parse import parse_qs

from otp_feedback.adapters.http import HttpRequest
from otp_feedback.adapters.signature import signature_is_valid
from otp_feedback.domain.errors import InvalidSignature, MalformedRequest

MAX_BODY_BYTES = 32_768
"""Larger than callers' bodies may be: an inbound message of 1,600 characters takes up to 15 kB in a form."""


class Account(Protocol):
    """What a webhook is checked against."""

    def account_sid(self) -> str: ...
    def auth_tokens(self) -> tuple[str, ...]: ...


def verified_form(request: HttpRequest, base_url: str, account: Account) -> dict[str, str]:
    """The fields of a webhook, once its X-Twilio-Signature fits and its account is ours.

    https://www.twilio.com/docs/usage/webhooks/webhooks-security

    Raises
    ------
    InvalidSignature, MalformedRequest, PayloadTooLarge
    """
    signature = request.header("x-twilio-signature")
    if not signature:
        raise InvalidSignature
    form = request.form(MAX_BODY_BYTES)
    url = f"{base_url}{request.raw_path}" + (f"?{request.query}" if request.query else "")
    if not signature_is_valid(url, form, signature, account.auth_tokens()):
        raise InvalidSignature
    fields = dict(form)
    if fields.get("AccountSid") != account.account_sid():
        raise InvalidSignature
    return fields


def required(fields: dict[str, str], name: str) -> str:
    """A field that the webhook must hold."""
    value = fields.get(name)
    if not value:
        raise MalformedRequest(name, "is required")
    return value


def query_parameter(request: HttpRequest, name: str) -> str:
    """A parameter of the webhook's own URL, exactly once."""
    values = parse_qs(request.query, keep_blank_values=True).get(name, [])
    if len(values) != 1:
        raise MalformedRequest(name, "is required once in the query")
    return values[0]
