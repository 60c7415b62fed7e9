"""A stateful stand-in for Twilio's Messages API, its webhooks and its failures.

It answers as Twilio's OpenAPI document says, signs with the account's auth token, and can be told to misbehave through
control routes under `/_emulator`.
"""

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Response

from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.servers import Listener, Observer, hold, observed
from local.twilio_account import API_VERSION, UNDELIVERABLE, EmulatedAccount, EmulatedMessage, TwilioError, new_sid
from local.twilio_routes import Kind, Operation, application, error_answer, general_error, operation_of
from local.webhooks import Timers, WebhookAnswer, Webhooks, is_local_host

API_KEYS = {"SK" + "0" * 32: "laptop-api-key-secret"}
HOLD_S = 60.0
"""How long a caller is kept waiting by a timeout fault, if it does not give up before."""
TRICKLE_PAUSE_S = 0.2


@dataclass(frozen=True)
class Delays:
    """Seconds after a message was accepted until its status changes."""

    queued: float = 0.1
    sent: float = 0.3
    delivered: float = 0.8


@dataclass(frozen=True)
class Fault:
    """A failure that is injected into the next `times` calls of an operation."""

    kind: Kind
    times: int
    status: int = 503
    acts: bool = True


@dataclass
class _Faults:
    active: dict[str, Fault] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, operation: str, fault: Fault) -> None:
        with self.lock:
            self.active.pop(operation, None)
            if fault.kind != "none":
                self.active[operation] = fault

    def take(self, operation: str) -> Fault | None:
        with self.lock:
            fault = self.active.get(operation)
            if fault is None:
                return None
            if fault.times == 1:
                del self.active[operation]
            else:
                self.active[operation] = replace(fault, times=fault.times - 1)
            return fault

    def clear(self) -> None:
        with self.lock:
            self.active.clear()


class TwilioEmulator:
    """The emulator at one address.

    Parameters
    ----------
    gateway_url
        Its `/twilio/message` and `/twilio/call` get what comes in.
    delays
        Those of the status callbacks.
    api_keys
        Secrets by key SID that are accepted beside the auth token.
    observers
        Told of each REST call.
    now_s
        Tells the time of its dates in epoch seconds.
    """

    def __init__(
        self,
        listener: Listener | None = None,
        gateway_url: str = "",
        delays: Delays | None = None,
        api_keys: Mapping[str, str] | None = None,
        observers: Iterable[Observer] = (),
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.listener = listener or Listener()
        self.gateway_url = gateway_url
        self.account = EmulatedAccount(partial(is_local_host, own=self.listener.bind), now_s)
        self._delays = delays or Delays()
        self._credentials = {ACCOUNT_SID: AUTH_TOKEN, **(API_KEYS if api_keys is None else api_keys)}
        self._faults = _Faults()
        self._requests: list[dict[str, Any]] = []
        self._taken_over: set[str] = set()
        self._timers = Timers()
        self._webhooks = Webhooks(self._callback_fault)
        self.listener.serve(observed(application(self), operation_of, observers))

    def stop(self) -> None:
        """Stop the callbacks, then close the address. Idempotent."""
        self.listener.stopping.set()
        self._webhooks.stop()
        self._timers.stop()
        self.listener.stop()

    def clear(self) -> None:
        """Forget messages, requests, faults, opt-outs and what was still to be delivered."""
        self._timers.clear()
        self._faults.clear()
        self.account.clear()
        self._requests.clear()
        self._taken_over.clear()

    def requests(self) -> list[dict[str, Any]]:
        """Every REST call: method, path, parameters, response_status (None where none was given)."""
        return list(self._requests)

    def set_fault(
        self, operation: Operation, kind: Kind, *, times: int = 1, status: int = 503, acts: bool = True
    ) -> None:
        """Make the next `times` calls of an operation fail; `none` ends it.

        `timeout_before` never answers and does not act, `timeout_after` acts and never answers, `status` answers with
        that HTTP status and does not act, `trickle` answers byte by byte (and acts, unless told not to).
        """
        self._faults.set(operation, Fault(kind, times, status, acts))

    def deliver(self, sid: str, status: str, error_code: int | None = None) -> WebhookAnswer | None:
        """Give a message a status and post its callback now; what would have come by itself no longer does.

        Returns
        -------
        WebhookAnswer | None
            How the callback ended; None for a message without one.

        Raises
        ------
        TwilioError
            20404: there is no such message.
        """
        self.account.get(sid)
        self._taken_over.add(sid)
        message = self.account.advance(sid, status, error_code)
        return None if message is None else self._call_back(message, status, error_code)

    def inbound_message(
        self, sender: str, to: str, body: str, sid: str | None = None, extra: Mapping[str, str] | None = None
    ) -> tuple[str, WebhookAnswer]:
        """A message from a phone to the account; its SID and the webhook's answer."""
        message = self.account.receive(sender, to, body, sid or new_sid("SM"))
        parameters = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": API_VERSION,
            "Body": body,
            "From": sender,
            "MessageSid": message.sid,
            "NumMedia": "0",
            "NumSegments": message.resource()["num_segments"],
            "SmsMessageSid": message.sid,
            "SmsSid": message.sid,
            "SmsStatus": "received",
            "To": to,
            **(extra or {}),
        }
        return message.sid, self._webhooks.post(f"{self.gateway_url}/twilio/message", parameters)

    def inbound_call(
        self, sender: str, to: str, sid: str | None = None, extra: Mapping[str, str] | None = None
    ) -> tuple[str, WebhookAnswer]:
        """A call from a phone to the account; its SID and the webhook's answer."""
        sid = sid or new_sid("CA")
        parameters = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": API_VERSION,
            "CallSid": sid,
            "CallStatus": "ringing",
            "Called": to,
            "Caller": sender,
            "Direction": "inbound",
            "From": sender,
            "To": to,
            **(extra or {}),
        }
        return sid, self._webhooks.post(f"{self.gateway_url}/twilio/call", parameters)

    def authenticate(self, header: str | None) -> None:
        """Check HTTP basic credentials.

        Raises
        ------
        TwilioError
            20003: they are not the account's.
        """
        scheme, _, encoded = (header or "").partition(" ")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        expected = self._credentials.get(user)
        if (
            scheme.lower() != "basic"
            or expected is None
            or not hmac.compare_digest(password.encode(), expected.encode())
        ):
            raise TwilioError(401, 20003, "Authenticate")

    def act(self, operation: str, action: Callable[[], Response]) -> Response:
        """Run a REST operation, or the fault that was set for it."""
        fault = self._faults.take(operation)
        if fault is None:
            return action()
        if fault.kind == "status":
            return error_answer(general_error(fault.status, "Injected fault"))
        if fault.kind == "timeout_before":
            raise hold(self.listener.stopping, HOLD_S)
        if fault.kind == "timeout_after":
            action()
            raise hold(self.listener.stopping, HOLD_S)
        answer = action() if fault.acts else error_answer(general_error(503, "Injected fault"))
        body = answer.get_data()
        answer.response = self._trickle(body)
        answer.headers["Content-Length"] = str(len(body))
        return answer

    def record(self, method: str, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Note a REST call; its status is filled in when it is answered."""
        entry = {"method": method, "path": path, "parameters": dict(parameters), "response_status": None}
        self._requests.append(entry)
        return entry

    def send_off(self, message: EmulatedMessage) -> None:
        """Let a message take its way: to the network, and to the phone unless it is one that cannot be reached."""
        if message.messaging_service_sid is not None:
            self._timers.after(self._delays.queued, partial(self._progress, message.sid, "queued"))
        self._timers.after(self._delays.sent, partial(self._progress, message.sid, "sent"))
        if message.to.removeprefix("whatsapp:").startswith(UNDELIVERABLE):
            ending = partial(self._progress, message.sid, "undelivered", 30003)
        else:
            ending = partial(self._progress, message.sid, "delivered")
        self._timers.after(self._delays.delivered, ending)

    def _progress(self, sid: str, status: str, error_code: int | None = None) -> None:
        if sid in self._taken_over:
            return
        message = self.account.advance(sid, status, error_code)
        if message is not None and message.status != "canceled":
            self._call_back(message, status, error_code)

    def _call_back(self, message: EmulatedMessage, status: str, error_code: int | None) -> WebhookAnswer | None:
        if message.status_callback is None:
            return None
        parameters = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": API_VERSION,
            "From": message.sender or "",
            "MessageSid": message.sid,
            "MessageStatus": status,
            "SmsSid": message.sid,
            "SmsStatus": status,
            "To": message.to,
        }
        if message.messaging_service_sid is not None:
            parameters["MessagingServiceSid"] = message.messaging_service_sid
        if error_code is not None:
            parameters["ErrorCode"] = str(error_code)
        if status in ("delivered", "undelivered"):
            parameters["RawDlrDoneDate"] = datetime.now(UTC).strftime("%y%m%d%H%M")
        return self._webhooks.post(message.status_callback, parameters, faulty=True)

    def _callback_fault(self) -> WebhookAnswer | str | None:
        fault = self._faults.take("status_callback")
        if fault is None:
            return None
        if fault.kind == "status":
            return WebhookAnswer(fault.status)
        return "lost" if fault.kind == "timeout_after" else WebhookAnswer(None)

    def _trickle(self, body: bytes) -> Iterator[bytes]:
        for byte in body:
            if self.listener.stopping.wait(TRICKLE_PAUSE_S):
                raise ConnectionAbortedError("the emulator was stopped")
            yield bytes([byte])
