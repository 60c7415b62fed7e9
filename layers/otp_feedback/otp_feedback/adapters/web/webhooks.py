"""Webhooks that only our own Twilio account can have sent, and which of their fields can be believed.

Twilio signs a form as its names and values in a row, without a delimiter
(https://www.twilio.com/docs/usage/security#validating-requests). Somebody who recorded one webhook can cut that row
into other fields under the same signature: a SID may swallow the field behind it, and a text that the sender wrote may
become a sender's number. So a field is believed only if the row itself shows it:

* Each name that is read stands in the row once, as a field with that field's value, or not at all. If it stands
  anywhere else, in another field's value or across fields, the webhook is ambiguous, and confirms nothing.
* A value has its full form, and the row shows where it ends: digits, lower-case letters or a fixed length end where
  Twilio's next name begins, and names that begin otherwise would be sorted elsewhere.
* A message's text has no form. It is what stands between `Body` and the next name that Twilio is known to send. If the
  form differs from that, as it does if Twilio sends a name that is not known here, nothing is certain.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import parse_qs

from otp_feedback.adapters.twilio.signature import joined, signature_is_valid
from otp_feedback.adapters.web.errors import InvalidSignature
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.domain.errors import MalformedRequest
from otp_feedback.domain.identifiers import ACCOUNT_SID, CALL_SID, E164, MESSAGE_SID

MAX_BODY_BYTES = 32_768
"""Larger than callers' bodies may be: an inbound message of 1,600 characters takes up to 15 kB in a form."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is read.

    Parameters
    ----------
    form
        The form of its value; a value of another form counts as none.
    signed
        Finds its name and value in what is signed.
    """

    form: re.Pattern[str]
    signed: re.Pattern[str]


def _field(form: str, signed: str) -> Field:
    return Field(re.compile(form, re.ASCII), re.compile(signed, re.ASCII | re.DOTALL))


_MESSAGE_SID = MESSAGE_SID.replace("(", "(?:")
_NUMBER = rf"(?:[a-z]+:)?{E164}"
_JSON_KEY = r'\\*"\s*:'
"""What follows a name that is a key of JSON, or of JSON within JSON."""

_SENDER = rf"(?<!Forwarded)From(?!City|Country|State|Zip|{_JSON_KEY}|\s)"
"""Anything may follow, since a sender's address takes every form, but not a name of geography, a word or a JSON key."""

_ACCOUNT = _field(ACCOUNT_SID, f"AccountSid({ACCOUNT_SID}|)")
_FROM = _field(_NUMBER, f"{_SENDER}({_NUMBER}|)")
_TO = _field(
    r"(?:[a-z]+:)?\+?[0-9]{3,20}|[a-z]+:\S+",  # a call may come to a SIP domain, though no message asks for that
    r"To((?:[a-z]+:)?\+?[0-9]{3,20}|rcs:[a-z0-9_.-]+)",
)

MESSAGE: Mapping[str, Field] = {
    "AccountSid": _ACCOUNT,
    "From": _FROM,
    # SmsMessageSid repeats it.
    "MessageSid": _field(_MESSAGE_SID, f"(?<!Sms)(?<!OriginalReplied)MessageSid({_MESSAGE_SID}|)"),
    "MessageType": _field("[a-z_]+", "MessageType([a-z_]*)"),
    "OriginalRepliedMessageSid": _field(_MESSAGE_SID, f"OriginalRepliedMessageSid({_MESSAGE_SID}|)"),
    # Never read. It is the sender's own text, sorted behind names that may be missing: no field may be cut out of it.
    "ProfileName": _field("(?!)", rf"ProfileName(?!{_JSON_KEY})()"),
    "To": _TO,
}
"""The fields that are read of an inbound message, beside its text and whether it opts out.

https://www.twilio.com/docs/messaging/guides/webhook-request
"""

CALL: Mapping[str, Field] = {
    "AccountSid": _ACCOUNT,
    "CallSid": _field(CALL_SID, f"(?<!Parent)CallSid({CALL_SID}|)"),
    "From": _FROM,
    "To": _TO,
}
"""The fields that are read of an inbound call.

https://www.twilio.com/docs/voice/twiml#request-parameters
"""

STATUS: Mapping[str, Field] = {
    "AccountSid": _ACCOUNT,
    "ErrorCode": _field("[0-9]{1,6}", "ErrorCode([0-9]{1,6}|)"),
    # Our own sender, which may be a word: it ends where the next name begins.
    "From": _field(r"[\x20-\x7e]{1,64}", "From(.*?)(?=MessageSid)"),
    "MessageSid": _field(_MESSAGE_SID, f"(?<!Sms)MessageSid({_MESSAGE_SID}|)"),
    "MessageStatus": _field("[a-z_]+", "MessageStatus([a-z_]*)"),
}
"""The fields that are read of a status callback.

https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
"""

_TEXT = re.compile(
    r"Body(.*?)(?=Button(?:Payload|Text|Type)|Channel(?:InstallSid|Metadata|Prefix|ToAddress)|ErrorCode[0-9]+ErrorUrl"
    r"|ExternalUserId|FlowData"
    rf"|(?:FrequentlyF|F)orwarded(?:true|false)|{_SENDER})",
    re.DOTALL,
)


class Account(Protocol):
    """What a webhook is checked against."""

    def account_sid(self) -> str: ...
    def auth_tokens(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook whose signature fits.

    Parameters
    ----------
    fields
        What was read, each value in its full form.
    ambiguous
        The names that could have other values under the same signature.
    signed
        Its form as it is signed.
    """

    fields: Mapping[str, str] = field(repr=False)
    ambiguous: frozenset[str]
    signed: str = field(repr=False)

    @property
    def certain(self) -> dict[str, str]:
        """The fields that are not ambiguous."""
        return {name: value for name, value in self.fields.items() if name not in self.ambiguous}

    @property
    def text(self) -> str:
        """The text of a message; empty if it has none."""
        found = _TEXT.search(self.signed)
        return found[1] if found else ""

    @property
    def opts_out(self) -> bool:
        """Whether Twilio took it for an opt-out keyword, or somebody wants it to look so."""
        return "OptOutType" in self.signed


def verified_webhook(request: HttpRequest, base_url: str, account: Account, known: Mapping[str, Field]) -> Webhook:
    """A webhook, once its X-Twilio-Signature fits and its account is ours.

    https://www.twilio.com/docs/usage/webhooks/webhooks-security

    Parameters
    ----------
    known
        The fields that are read.

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
    if dict(form).get("AccountSid") != account.account_sid():
        raise InvalidSignature
    return read(form, known)


def read(form: list[tuple[str, str]], known: Mapping[str, Field]) -> Webhook:
    """Read a form whose signature fits.

    Raises
    ------
    MalformedRequest
        A name that is read stands in it more than once.
    """
    names = [name for name, _ in form]
    for name in (*known, "Body", "OptOutType"):
        if names.count(name) > 1:
            raise MalformedRequest(name, "must not repeat")
    signed, fields, ambiguous = joined(form), {}, set()
    for name, each in known.items():
        values = [value for other, value in form if other == name]
        told = [value if each.form.fullmatch(value) else "" for value in values]
        if told != each.signed.findall(signed):
            ambiguous.add(name)
        if any(told):
            fields[name] = told[0]
    webhook = Webhook(fields, frozenset(ambiguous), signed)
    if any(value != webhook.text for name, value in form if name == "Body"):
        return replace(webhook, ambiguous=webhook.ambiguous | {"Body"})
    return webhook


def required(fields: Mapping[str, str], name: str) -> str:
    """A field that the webhook must hold."""
    value = fields.get(name)
    if not value:
        raise MalformedRequest(name, "is required once, in the form that Twilio gives it")
    return value


def query_parameter(request: HttpRequest, name: str) -> str:
    """A parameter of the webhook's own URL, exactly once."""
    values = parse_qs(request.query, keep_blank_values=True).get(name, [])
    if len(values) != 1:
        raise MalformedRequest(name, "is required once in the query")
    return values[0]
