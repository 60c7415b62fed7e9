"""The emulated Twilio account: its messages, its feedback, who opted out, and Twilio's rules for what it accepts."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.aws import ACCOUNT_SID
from local.segments import segments
from otp_feedback.domain.identifiers import E164, MESSAGING_SERVICE_SID

API_VERSION = "2010-04-01"
UNDELIVERABLE = "+1500555"
REFUSED = {
    "+15005550001": (21211, "Invalid 'To' Phone Number"),
    "+15005550003": (
        21408,
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    ),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
}
"""Recipients that are refused. Source: https://www.twilio.com/docs/iam/test-credentials"""
POOL_NUMBER = "+14155550199"
"""The sender that any Messaging Service picks."""
ERRORS = {30003: "Unreachable destination handset", 30007: "Carrier violation"}
"""Texts of error codes, as Twilio's documents show them."""
STATUS_RANK = {
    "accepted": 0, "scheduled": 0, "queued": 1, "sending": 2, "sent": 3,
    "delivered": 4, "undelivered": 4, "failed": 4, "canceled": 4, "partially_delivered": 4, "read": 5,
}  # fmt: skip
"""How far a message has come; it never goes back."""
STOP_WORDS = frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "CANCEL", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})

_E164 = re.compile(E164, re.ASCII)
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&._-]{1,11}", re.ASCII)
_SHORT_CODE = re.compile(r"[0-9]{3,8}", re.ASCII)
_SERVICE = re.compile(MESSAGING_SERVICE_SID, re.ASCII)


class TwilioError(Exception):
    """A request that Twilio refuses.

    Parameters
    ----------
    status
        The HTTP status.
    code
        Twilio's error code (https://www.twilio.com/docs/api/errors).
    message
        Its text.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def not_found(path: str) -> TwilioError:
    """Twilio's answer for a resource that does not exist."""
    return TwilioError(404, 20404, f"The requested resource {path} was not found")


@dataclass
class EmulatedMessage:
    """One Message resource, with what the emulator remembers of how it was made; times are epoch seconds."""

    sid: str
    to: str
    sender: str | None
    body: str
    status: str
    direction: str = "outbound-api"
    messaging_service_sid: str | None = None
    provide_feedback: bool = False
    outcome: str | None = None
    outcome_at: float | None = None
    status_callback: str | None = None
    validity_period: int = 36000
    error_code: int | None = None
    created_at: float = field(default_factory=time.time)
    sent_at: float | None = None
    updated_at: float = 0.0

    def __post_init__(self) -> None:
        self.updated_at = self.created_at

    @property
    def uri(self) -> str:
        """The resource's path without its suffix."""
        return f"/{API_VERSION}/Accounts/{ACCOUNT_SID}/Messages/{self.sid}"

    def resource(self) -> dict[str, Any]:
        """The message as Twilio's REST API shows it."""
        pooled = self.messaging_service_sid is not None and self.status == "accepted"
        return {
            "account_sid": ACCOUNT_SID,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": rfc2822(self.created_at),
            "date_sent": rfc2822(self.sent_at),
            "date_updated": rfc2822(self.updated_at),
            "direction": self.direction,
            "error_code": self.error_code,
            "error_message": None
            if self.error_code is None
            else ERRORS.get(self.error_code, "Message delivery failed"),
            "from": self.sender,
            "messaging_service_sid": self.messaging_service_sid,
            "num_media": "0",
            "num_segments": "0" if pooled else str(segments(self.body).count),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{self.uri}/Media.json", "feedback": f"{self.uri}/Feedback.json"},
            "to": self.to,
            "uri": f"{self.uri}.json",
        }

    def feedback_resource(self) -> dict[str, Any]:
        """The Message Feedback sub-resource."""
        return {
            "account_sid": ACCOUNT_SID,
            "date_created": rfc2822(self.created_at),
            "date_updated": rfc2822(self.outcome_at or self.created_at),
            "message_sid": self.sid,
            "outcome": self.outcome,
            "uri": f"{self.uri}/Feedback.json",
        }

    def summary(self) -> dict[str, Any]:
        """The message as `GET /_emulator/messages` lists it."""
        return {
            "sid": self.sid,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": self.status,
            "provide_feedback": self.provide_feedback,
            "feedback": self.outcome,
            "created_at": datetime.fromtimestamp(self.created_at, UTC).isoformat(timespec="milliseconds"),
            "error_code": self.error_code,
            "messaging_service_sid": self.messaging_service_sid,
            "status_callback": self.status_callback,
            "validity_period": self.validity_period,
        }

    @property
    def verification_id(self) -> str | None:
        """The verification that the status callback's URL names."""
        return self._callback_parameter("verification")

    @property
    def number(self) -> str | None:
        """The message's number within its verification, as the status callback's URL names it."""
        return self._callback_parameter("message")

    def _callback_parameter(self, name: str) -> str | None:
        values = parse_qs(urlsplit(self.status_callback or "").query).get(name)
        return values[0] if values else None


def rfc2822(moment: float | None) -> str | None:
    """Epoch seconds as Twilio writes dates (`Thu, 30 Jul 2015 20:12:31 +0000`)."""
    return None if moment is None else format_datetime(datetime.fromtimestamp(moment, UTC).replace(microsecond=0))


class EmulatedAccount:
    """The account's resources. Every method is safe to call from several threads.

    Parameters
    ----------
    is_callback_host
        Whether callbacks may go to a host.
    now_s
        Tells epoch seconds.
    """

    def __init__(self, is_callback_host: Callable[[str], bool], now_s: Callable[[], float] = time.time) -> None:
        self._is_callback_host = is_callback_host
        self._now_s = now_s
        self._lock = threading.RLock()
        self._messages: dict[str, EmulatedMessage] = {}
        self._opted_out: set[tuple[str, str]] = set()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._messages.clear()
            self._opted_out.clear()

    def create(self, parameters: Mapping[str, str]) -> EmulatedMessage:
        """Accept a message.

        Raises
        ------
        TwilioError
            Twilio would refuse it.
        """
        to = _recipient(parameters)
        sender, service = _sender(parameters)
        body = parameters.get("Body", "")
        if not body and not parameters.get("MediaUrl") and not parameters.get("ContentSid"):
            raise TwilioError(400, 21602, "Message body is required.")
        if len(body) > 1600:
            raise TwilioError(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        if sender == to:
            raise TwilioError(400, 21266, "'To' and 'From' number cannot be the same")
        provide_feedback = _boolean(parameters, "ProvideFeedback")
        message = EmulatedMessage(
            sid=new_sid("SM"),
            to=to,
            sender=sender,
            body=body
            or f"[content template {parameters.get('ContentSid', '')}] {parameters.get('ContentVariables', '')}",
            status="queued" if service is None else "accepted",
            messaging_service_sid=service,
            provide_feedback=provide_feedback,
            outcome="unconfirmed" if provide_feedback else None,
            status_callback=self._status_callback(parameters),
            validity_period=_validity_period(parameters),
            created_at=self._now_s(),
        )
        with self._lock:
            if (to, sender or service or "") in self._opted_out:
                raise TwilioError(400, 21610, "Attempt to send to unsubscribed recipient")
            self._messages[message.sid] = message
        return message

    def receive(self, sender: str, to: str, body: str, sid: str) -> EmulatedMessage:
        """Take in an inbound message; opt-out keywords act as Twilio lets them."""
        now = self._now_s()
        message = EmulatedMessage(sid, to, sender, body, "received", direction="inbound", created_at=now, sent_at=now)
        word = body.strip().upper()
        with self._lock:
            self._messages.setdefault(sid, message)
            pairs = {(sender, to)} | {
                (sender, sent.messaging_service_sid)
                for sent in self._messages.values()
                if sent.sender == to and sent.to == sender and sent.messaging_service_sid
            }
            if word in STOP_WORDS:
                self._opted_out |= pairs
            elif word in START_WORDS:
                self._opted_out -= pairs
        return message

    def get(self, sid: str) -> EmulatedMessage:
        """The message of a SID.

        Raises
        ------
        TwilioError
            20404: there is none.
        """
        with self._lock:
            if sid not in self._messages:
                raise not_found(f"/{API_VERSION}/Accounts/{ACCOUNT_SID}/Messages/{sid}.json")
            return self._messages[sid]

    def all(self) -> list[EmulatedMessage]:
        """Every message, oldest first."""
        with self._lock:
            return list(self._messages.values())

    def outbound(self) -> list[EmulatedMessage]:
        """The messages that were sent through the API, oldest first."""
        return [message for message in self.all() if message.direction == "outbound-api"]

    def delete(self, sid: str) -> None:
        """Delete a message and its feedback."""
        with self._lock:
            self.get(sid)
            del self._messages[sid]

    def update(self, sid: str, parameters: Mapping[str, str]) -> EmulatedMessage:
        """Redact a message (`Body=`), or cancel one that is still scheduled."""
        with self._lock:
            message = self.get(sid)
            if parameters.get("Body"):
                raise TwilioError(400, 20001, "Only an empty 'Body' is accepted")
            if "Body" in parameters:
                message.body = ""
            if "Status" in parameters:
                if parameters["Status"] != "canceled" or message.status not in ("accepted", "scheduled"):
                    raise TwilioError(400, 20001, "Only a message that is not sent yet can be canceled")
                message.status = "canceled"
            message.updated_at = self._now_s()
            return message

    def confirm(self, sid: str, outcome: str | None) -> EmulatedMessage:
        """Post Message Feedback.

        What Twilio answers for a message that was sent without `ProvideFeedback` is not documented; here it is 404.
        """
        with self._lock:
            message = self.get(sid)
            if outcome not in (None, "confirmed", "unconfirmed"):
                raise TwilioError(400, 20001, "'Outcome' must be confirmed or unconfirmed")
            if not message.provide_feedback:
                raise not_found(f"{message.uri}/Feedback.json")
            if outcome is not None:
                message.outcome, message.outcome_at = outcome, self._now_s()
            return message

    def advance(self, sid: str, status: str, error_code: int | None = None) -> EmulatedMessage | None:
        """Move a message's status forward, never back; None if the message is gone."""
        with self._lock:
            message = self._messages.get(sid)
            if message is None:
                return None
            if message.sender is None and status != "accepted":
                message.sender = POOL_NUMBER
            if STATUS_RANK.get(status, 0) >= STATUS_RANK.get(message.status, 0):
                message.status = status
                message.error_code = error_code or message.error_code
                message.updated_at = self._now_s()
                message.sent_at = message.sent_at or (message.updated_at if status == "sent" else None)
            return message

    def listing(self, parameters: Mapping[str, str], path: str, query: str) -> dict[str, Any]:
        """One page of the message list, newest first, with Twilio's paging fields."""
        size, page = _integer(parameters, "PageSize", 50, 1, 1000), _integer(parameters, "Page", 0, 0, 10**6)
        chosen = [message for message in reversed(self.all()) if _matches(message, parameters)]
        start = page * size
        items = chosen[start : start + size]
        kept = "&".join(p for p in query.split("&") if p and p.split("=")[0] not in ("PageSize", "Page", "PageToken"))

        def address(number: int) -> str:
            return f"{path}?{kept}{'&' if kept else ''}PageSize={size}&Page={number}"

        return {
            "end": start + max(0, len(items) - 1),
            "first_page_uri": address(0),
            "next_page_uri": address(page + 1) + f"&PageToken=PA{items[-1].sid}"
            if start + size < len(chosen)
            else None,
            "page": page,
            "page_size": size,
            "previous_page_uri": address(page - 1) if page else None,
            "start": start,
            "uri": address(page),
            "messages": [message.resource() for message in items],
        }

    def _status_callback(self, parameters: Mapping[str, str]) -> str | None:
        url = parameters.get("StatusCallback")
        if not url:
            return None
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or "_" in host or not self._is_callback_host(host):
            raise TwilioError(400, 21609, "The 'StatusCallback' URL is not a valid URL.")
        return url


def new_sid(prefix: str) -> str:
    """A SID that no other message has."""
    return prefix + secrets.token_hex(16)


def _recipient(parameters: Mapping[str, str]) -> str:
    to = parameters.get("To", "")
    if not to:
        raise TwilioError(400, 21604, "A 'To' phone number is required.")
    if not _E164.fullmatch(to.removeprefix("whatsapp:")):
        raise TwilioError(400, 21211, "Invalid 'To' Phone Number")
    if to in REFUSED:
        raise TwilioError(400, *REFUSED[to])
    return to


def _sender(parameters: Mapping[str, str]) -> tuple[str | None, str | None]:
    sender, service = parameters.get("From") or None, parameters.get("MessagingServiceSid") or None
    if service is not None and not _SERVICE.fullmatch(service):
        raise TwilioError(404, 21705, "The Messaging Service Sid is invalid")
    if sender is None:
        if service is None:
            raise TwilioError(400, 21603, "A 'From' phone number is required.")
        return None, service
    if sender.startswith(UNDELIVERABLE):
        raise TwilioError(400, 21606, "The 'From' number is not a valid, SMS-capable Twilio phone number.")
    plain = sender.removeprefix("whatsapp:")
    channel = sender != plain
    if not _E164.fullmatch(plain) and (
        channel or not (_SHORT_CODE.fullmatch(sender) or _ALPHANUMERIC.fullmatch(sender))
    ):
        raise TwilioError(400, 21212, "Invalid 'From' Number")
    if channel != parameters["To"].startswith("whatsapp:"):
        raise TwilioError(400, 21910, "Invalid 'From' and 'To' pair. They must be of the same channel")
    return sender, service


def _boolean(parameters: Mapping[str, str], name: str) -> bool:
    value = parameters.get(name, "false")
    if value not in ("true", "false"):
        raise TwilioError(400, 20001, f"'{name}' must be true or false")
    return value == "true"


def _validity_period(parameters: Mapping[str, str]) -> int:
    value = parameters.get("ValidityPeriod", "36000")
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= 36000):
        raise TwilioError(400, 21624, "Invalid validity period value")
    return int(value)


def _integer(parameters: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = parameters.get(name, str(default))
    if not (value.isascii() and value.isdigit() and low <= int(value[:9]) <= high):
        raise TwilioError(400, 20001, f"'{name}' is out of range")
    return int(value)


def _matches(message: EmulatedMessage, parameters: Mapping[str, str]) -> bool:
    day = datetime.fromtimestamp(message.sent_at or message.created_at, UTC).date().isoformat()
    tests: Iterable[tuple[str, Callable[[str], bool]]] = (
        ("To", lambda value: message.to == value),
        ("From", lambda value: message.sender == value),
        ("DateSent", lambda value: day == value[:10]),
        ("DateSent<", lambda value: day <= value[:10]),
        ("DateSent>", lambda value: day >= value[:10]),
    )
    return all(test(parameters[name]) for name, test in tests if parameters.get(name))
