"""How the Twilio emulator calls webhooks: signed form POSTs, retried as the URL's fragment says."""

import base64
import hashlib
import hmac
import ipaddress
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any
from urllib.parse import parse_qsl, urldefrag

import httpx

from local.aws import AUTH_TOKEN

RETRY_PAUSE_S = 0.05
"""Pause before the first retry of a webhook, doubled each time; Twilio documents only that all ends within 15 s."""


@dataclass(frozen=True)
class Overrides:
    """What the fragment of a webhook URL asks for.

    https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
    """

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 15.0
    total_timeout_s: float = 15.0
    retries: int = 1
    policies: frozenset[str] = frozenset({"ct"})

    @classmethod
    def parse(cls, fragment: str) -> "Overrides":
        """Read `rc=5&rp=all&ct=2000`; what is out of range counts as the nearest allowed value."""
        given = dict(parse_qsl(fragment))

        def clamped(name: str, default: int, low: int, high: int) -> int:
            value = given.get(name, "")
            return min(max(int(value), low), high) if value.isascii() and value.isdigit() else default

        return cls(
            connect_timeout_s=clamped("ct", 5000, 100, 10_000) / 1000,
            read_timeout_s=clamped("rt", 15_000, 100, 15_000) / 1000,
            total_timeout_s=clamped("tt", 15_000, 100, 15_000) / 1000,
            retries=clamped("rc", 1, 0, 5),
            policies=frozenset(given.get("rp", "ct").split(",")),
        )

    def retry(self, failure: str) -> bool:
        """Whether a failure (`ct`, `rt`, `4xx`, `5xx`) is tried again."""
        return failure in self.policies or "all" in self.policies


@dataclass(frozen=True)
class WebhookAnswer:
    """How a webhook ended: its last HTTP status (None where there was no answer), and what it said."""

    status: int | None
    content_type: str = ""
    text: str = ""
    attempts: int = 1

    def failure(self) -> str | None:
        """The retry policy's name for this outcome, None for a success."""
        if self.status is None:
            return "rt"
        return {4: "4xx", 5: "5xx"}.get(self.status // 100)


def signature(url: str, parameters: Mapping[str, str], token: str = AUTH_TOKEN) -> str:
    """`X-Twilio-Signature` of a form POST to `url` (without a fragment).

    https://www.twilio.com/docs/usage/security
    """
    signed = url + "".join(name + parameters[name] for name in sorted(parameters))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def is_local_host(host: str, own: str = "") -> bool:
    """Whether a host is this machine: nothing that the emulator sends may leave it."""
    if host in ("localhost", own):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Webhooks:
    """Posts webhooks.

    Parameters
    ----------
    fault
        Asked before each attempt: None to make it; `lost` to make it and lose its answer; a `WebhookAnswer` to take in
        place of an attempt.
    """

    def __init__(self, fault: Callable[[], "WebhookAnswer | str | None"]) -> None:
        self._fault = fault
        # Webhooks are on this machine and plain HTTP: a context that trusts nobody saves reading the authorities.
        self._client = httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
        self._stopping = threading.Event()

    def post(self, url: str, parameters: Mapping[str, str], *, faulty: bool = False) -> WebhookAnswer:
        """Call a webhook, again where its fragment says so; `faulty` lets faults be injected."""
        address, fragment = urldefrag(url)
        overrides = Overrides.parse(fragment)
        address = str(httpx.URL(address))
        headers = {
            "X-Twilio-Signature": signature(address, parameters),
            "I-Twilio-Idempotency-Token": secrets.token_hex(16),
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        deadline = time.monotonic() + overrides.total_timeout_s
        attempt = 0
        while True:
            attempt += 1
            answer, failure = self._attempt(address, parameters, headers, overrides, faulty=faulty)
            pause = RETRY_PAUSE_S * 2 ** (attempt - 1)
            if (
                failure is None
                or not overrides.retry(failure)
                or attempt > overrides.retries
                or time.monotonic() + pause > deadline
                or self._stopping.wait(pause)
            ):
                return WebhookAnswer(answer.status, answer.content_type, answer.text, attempt)

    def stop(self) -> None:
        """Give up retries and close the connections."""
        self._stopping.set()
        self._client.close()

    def _attempt(
        self, url: str, parameters: Mapping[str, str], headers: Mapping[str, str], overrides: Overrides, *, faulty: bool
    ) -> tuple[WebhookAnswer, str | None]:
        fault = self._fault() if faulty else None
        if isinstance(fault, WebhookAnswer):
            return fault, fault.failure()
        timeout = httpx.Timeout(overrides.read_timeout_s, connect=overrides.connect_timeout_s)
        try:
            response = self._client.post(url, data=dict(parameters), headers=dict(headers), timeout=timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return WebhookAnswer(None), "ct"
        except (httpx.TransportError, RuntimeError):  # RuntimeError: the emulator was stopped meanwhile
            return WebhookAnswer(None), "rt"
        if fault == "lost":
            return WebhookAnswer(None), "rt"
        answer = WebhookAnswer(response.status_code, response.headers.get("content-type", ""), response.text)
        return answer, answer.failure()


class Timers:
    """Runs things after a delay, on a few threads of its own."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Callable[[], Any]]] = []
        self._changed = threading.Condition()
        self._sequence = 0
        self._stopped = False
        self._workers = ThreadPoolExecutor(8, "twilio-callback")
        self._thread = threading.Thread(target=self._run, name="twilio-timers", daemon=True)
        self._thread.start()

    def after(self, seconds: float, action: Callable[[], Any]) -> None:
        """Run `action` in `seconds`."""
        with self._changed:
            self._sequence += 1
            heappush(self._waiting, (time.monotonic() + seconds, self._sequence, action))
            self._changed.notify()

    def clear(self) -> None:
        """Forget what has not begun."""
        with self._changed:
            self._waiting.clear()

    def stop(self) -> None:
        """Forget what has not begun, wait for what has."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify()
        self._thread.join()
        self._workers.shutdown(cancel_futures=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                action = heappop(self._waiting)[2]
            self._workers.submit(action)
