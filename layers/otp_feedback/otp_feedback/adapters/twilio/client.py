"""What the loop needs of Twilio's Programmable Messaging REST API."""

import json
import logging
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from otp_feedback.adapters.credentials import TwilioCredentials
from otp_feedback.adapters.invocation import TimeLeft, unlimited
from otp_feedback.adapters.twilio.transport import DeadlineTransport
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.identifiers import MESSAGE_SID
from otp_feedback.domain.senders import WHATSAPP, is_messaging_service, is_whatsapp
from otp_feedback.usecases.ports import (
    Created,
    CreateOutcome,
    CreateRefused,
    FeedbackAccepted,
    FeedbackDeferred,
    FeedbackNotFound,
    FeedbackOutcome,
    FeedbackRefused,
    ListedMessage,
    NotSent,
    OutgoingMessage,
    SendUnknown,
)

LEAST_ATTEMPT_S = 1.0
"""With less time than this a create is not tried again: cut short, `NotSent` would become `SendUnknown`."""

AFTERWARDS_S = 7.5
"""Seconds kept for the write that follows a call."""

PAGE_SIZE = 20
MAX_PAGES = 5

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0

_MESSAGE_SID = re.compile(MESSAGE_SID)
_WHOLE_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)

_PASSING_REFUSALS = {401: "credentials", 403: "credentials", 408: "timeout", 425: "too-early", 429: "throttled"}

# httpx logs each request's URL at INFO, httpcore the headers of each answer at DEBUG.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)


def api_base_url(region: str | None, edge: str | None, override: str | None) -> str:
    """Where the REST API is, without a slash at its end.

    https://www.twilio.com/docs/global-infrastructure/api-domain-names

    Parameters
    ----------
    region, edge
        For example `ie1` and `dublin`; both or none.
    override
        Another address, such as the emulator's; it takes precedence.
    """
    if override:
        return override.rstrip("/")
    if region and edge:
        return f"https://api.{edge}.{region}.twilio.com"
    return "https://api.twilio.com"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    document: Mapping[str, Any]
    retry_after_s: float

    @property
    def code(self) -> int | None:
        """Twilio's error code (https://www.twilio.com/docs/api/errors); None if it is out of range."""
        code = self.document.get("code")
        return code if type(code) is int and 0 < code < 1_000_000 else None


@dataclass(frozen=True, slots=True)
class _NoAnswer:
    reason: str
    sent: bool


class TwilioClient:
    """`otp_feedback.usecases.ports.Twilio` over httpx; one for the life of the process, shared by its threads.

    Parameters
    ----------
    credentials
        Asked before each request, so that a rotated key is used at once; may raise `Unavailable`.
    base_url
        As `api_base_url` gives it.
    time_left
        Returns the seconds that the invocation has left; a call ends in time to store its outcome.
    sleep
        Waits that many seconds.
    fraction
        Draws from [0, 1).
    """

    def __init__(
        self,
        credentials: Callable[[], TwilioCredentials],
        base_url: str,
        *,
        time_left: TimeLeft = unlimited,
        sleep: Callable[[float], None] = time.sleep,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._credentials = credentials
        self._base_url = base_url
        self._time_left = time_left
        self._sleep = sleep
        self._fraction = fraction
        encrypted = base_url.startswith("https:")
        self._http = httpx.Client(
            transport=DeadlineTransport(httpx.create_ssl_context(trust_env=False) if encrypted else None),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "otp-feedback"},
            timeout=None,  # noqa: S113 - the transport has a deadline for the whole call
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_message(self, message: OutgoingMessage, deadline_s: float) -> CreateOutcome:
        """Create a message with `ProvideFeedback`.

        Creating is not idempotent: it is tried again only where Twilio provably did not act, because nothing was sent
        or the answer was 429 ("never processed", https://www.twilio.com/docs/api/errors/20429). After any other
        unclear answer it is unknown whether there is a message (https://www.twilio.com/docs/api/errors/20500).
        401 and 403 refuse the credentials or the account before the message is looked at, so nothing was sent
        (https://www.twilio.com/docs/api/errors/20003, https://www.twilio.com/docs/api/errors/20403); asking again at
        once would not help.
        https://www.twilio.com/docs/messaging/api/message-resource

        Parameters
        ----------
        deadline_s
            Seconds for everything, pauses included.
        """
        deadline = self._deadline(deadline_s)
        form = _create_form(message)
        failures = 0
        while _never_acted(answer := self._call("POST", "Messages.json", deadline, form)):
            pause_s = self._pause_s(failures, answer)
            if pause_s + LEAST_ATTEMPT_S > deadline - time.monotonic():
                return NotSent()
            self._sleep(pause_s)
            failures += 1
        return _create_outcome(answer)

    def post_feedback(self, sid: str, deadline_s: float) -> FeedbackOutcome:
        """Report `confirmed` for a message, once; the outbox tries again.

        https://www.twilio.com/docs/messaging/api/message-feedback-resource

        Parameters
        ----------
        sid
            The message's.
        deadline_s
            Seconds for the whole call.
        """
        path = f"Messages/{quote(sid, safe='')}/Feedback.json"
        return _feedback_outcome(self._call("POST", path, self._deadline(deadline_s), {"Outcome": "confirmed"}))

    def list_messages(self, to: str, since: date, deadline_s: float) -> Sequence[ListedMessage]:
        """The newest messages to an address, at most 100.

        https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources

        Parameters
        ----------
        to
            E.164, or a `whatsapp:` address.
        since
            The first day, in UTC.
        deadline_s
            Seconds for all pages together.

        Raises
        ------
        Unavailable
            Twilio did not answer, or refused.
        """
        deadline = self._deadline(deadline_s)
        query = urlencode({"To": to, "DateSent>": since.isoformat(), "PageSize": PAGE_SIZE})
        found: list[ListedMessage] = []
        path: str | None = f"Messages.json?{query}"
        for _ in range(MAX_PAGES):
            if path is None:
                break
            answer = self._call("GET", path, deadline)
            if isinstance(answer, _NoAnswer) or answer.status >= 300 or "messages" not in answer.document:
                raise Unavailable
            found += _listed(answer.document)
            path = _next_page(answer.document)
        return found

    def redact_message(self, sid: str, deadline_s: float) -> None:
        """Empty a message's text at Twilio; the rest of it, and its feedback, stay.

        https://www.twilio.com/docs/messaging/api/message-resource#redact-a-message

        Raises
        ------
        Unavailable
            Twilio did not answer, or refused.
        """
        answer = self._call("POST", f"Messages/{quote(sid, safe='')}.json", self._deadline(deadline_s), {"Body": ""})
        if isinstance(answer, _NoAnswer) or (answer.status >= 300 and answer.status != 404):
            raise Unavailable

    def _deadline(self, deadline_s: float) -> float:
        """The moment at which a call must be over: after so many seconds, and in time to store its outcome."""
        return time.monotonic() + min(deadline_s, self._time_left() - AFTERWARDS_S)

    def _call(
        self, method: str, path: str, deadline: float, form: Mapping[str, str] | None = None
    ) -> _Answer | _NoAnswer:
        try:
            credentials = self._credentials()
        except Unavailable:
            return _NoAnswer("credentials", sent=False)
        if deadline <= time.monotonic():
            return _NoAnswer("no-time", sent=False)
        account = quote(credentials.account_sid, safe="")
        try:
            response = self._http.request(
                method,
                f"{self._base_url}/2010-04-01/Accounts/{account}/{path}",
                data=form,
                auth=(credentials.username, credentials.password),
                extensions={"deadline": deadline},
            )
        except (httpx.ConnectTimeout, httpx.PoolTimeout):
            return _NoAnswer("timeout", sent=False)
        except httpx.ConnectError:
            return _NoAnswer("unreachable", sent=False)
        except httpx.TimeoutException:
            return _NoAnswer("timeout", sent=True)
        except httpx.TransportError:
            return _NoAnswer("unreachable", sent=True)
        return _Answer(
            response.status_code, _document(response.content), _retry_after_s(response.headers.get("Retry-After", ""))
        )

    def _pause_s(self, failures: int, answer: _Answer | _NoAnswer) -> float:
        """Doubled each time, half of it random, and no shorter than Twilio asks for."""
        ceiling = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * (1 << min(failures, 10)))
        asked_for = answer.retry_after_s if isinstance(answer, _Answer) else 0.0
        return max(asked_for, ceiling * (1 + self._fraction()) / 2)


def _create_form(message: OutgoingMessage) -> dict[str, str]:
    form = {
        "To": message.to,
        "ProvideFeedback": "true",
        "StatusCallback": message.status_callback,
        "ValidityPeriod": str(message.validity_s),
        "RiskCheck": "enable",
        "Attempt": str(message.attempt),
    }
    if is_messaging_service(message.sender):
        form["MessagingServiceSid"] = message.sender
    else:
        form["From"] = message.sender
    if is_whatsapp(message.sender) and not is_whatsapp(message.to):
        form["To"] = WHATSAPP + message.to
    if message.content_sid is not None:
        form["ContentSid"] = message.content_sid
        if message.content_variables is not None:
            form["ContentVariables"] = json.dumps(dict(message.content_variables))
    elif message.body is not None:
        form["Body"] = message.body
    return form


def _never_acted(answer: _Answer | _NoAnswer) -> bool:
    match answer:
        case _Answer(status=status):
            return status == 429
        case _NoAnswer(sent=sent):
            return not sent


def _create_outcome(answer: _Answer | _NoAnswer) -> CreateOutcome:
    if isinstance(answer, _NoAnswer) or answer.status >= 500 or answer.status == HTTPStatus.REQUEST_TIMEOUT:
        return SendUnknown()
    if _refuses_credentials(answer):
        return NotSent(answer.code)
    if answer.status < 300:
        sid = answer.document.get("sid")
        return Created(sid) if isinstance(sid, str) and _MESSAGE_SID.fullmatch(sid) else SendUnknown()
    # A redirect, too, says that the request was not fulfilled (RFC 9110, 15.4), and a wrong base URL must be noticed.
    return CreateRefused(answer.code)


def _refuses_credentials(answer: _Answer) -> bool:
    """A 403 with a code of messaging (21000 to 69999, https://www.twilio.com/docs/api/errors) refuses the message."""
    about_message = answer.code is not None and 21_000 <= answer.code < 70_000
    return answer.status == HTTPStatus.UNAUTHORIZED or (answer.status == HTTPStatus.FORBIDDEN and not about_message)


def _feedback_outcome(answer: _Answer | _NoAnswer) -> FeedbackOutcome:
    if isinstance(answer, _NoAnswer):
        return FeedbackDeferred(answer.reason)
    if answer.status < 300:
        return FeedbackAccepted()
    if answer.status < 400:
        return FeedbackDeferred("redirected")
    if answer.status >= 500:
        return FeedbackDeferred("server-error")
    if reason := _PASSING_REFUSALS.get(answer.status):
        return FeedbackDeferred(reason)
    return FeedbackNotFound(answer.code) if answer.status == HTTPStatus.NOT_FOUND else FeedbackRefused(answer.code)


def _listed(document: Mapping[str, Any]) -> list[ListedMessage]:
    messages = document.get("messages")
    return [
        ListedMessage(message["sid"], message["body"], created_at)
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and isinstance(message.get("sid"), str) and isinstance(message.get("body"), str)
        if (created_at := _epoch_ms(message.get("date_created"))) is not None
    ]


def _epoch_ms(date_created: object) -> int | None:
    """Twilio's dates are RFC 2822 (https://www.twilio.com/docs/messaging/api/message-resource)."""
    try:
        return int(parsedate_to_datetime(str(date_created)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _next_page(document: Mapping[str, Any]) -> str | None:
    """The part of the next page's address behind the account's path; the address itself is opaque."""
    uri = document.get("next_page_uri")
    if not isinstance(uri, str) or "/Messages.json?" not in uri:
        return None
    return "Messages.json?" + uri.partition("/Messages.json?")[2]


def _document(body: bytes) -> Mapping[str, Any]:
    """The answer's JSON object; empty if it is something else, such as a proxy's page."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after_s(header: str) -> float:
    return float(header) if _WHOLE_SECONDS.fullmatch(header) else 0.0
