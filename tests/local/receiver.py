"""Stands where the webhooks go: notes each request, and answers as told."""

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.wrappers import Request, Response

from local.servers import Listener

TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@dataclass(frozen=True)
class Received:
    """One request."""

    target: str
    form: dict[str, str]
    signature: str
    content_type: str

    def is_signed(self, base_url: str, token: str = "12345") -> bool:
        """Whether the signature is Twilio's (https://www.twilio.com/docs/usage/security)."""
        signed = f"{base_url}{self.target}" + "".join(name + value for name, value in sorted(self.form.items()))
        expected = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
        return self.signature == expected


@dataclass
class Receiver:
    """A server for webhooks; `answers` are the statuses of the next ones, 200 after that."""

    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._arrived = threading.Condition()
        self.listener = Listener()
        self.listener.serve(self._application)
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.stop()

    @property
    def url(self) -> str:
        """Its address."""
        return self.listener.url

    def statuses(self) -> list[str]:
        """The message statuses that were reported, in their order."""
        return [request.form["MessageStatus"] for request in self.received]

    def wait_for(self, count: int, seconds: float = 5.0) -> list[Received]:
        """Wait until `count` requests have come, then give them."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, seconds), self.received
            return list(self.received)

    def stays_at(self, count: int, seconds: float = 0.3) -> bool:
        """Whether no further request comes for a while."""
        time.sleep(seconds)
        return len(self.received) == count

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        form = dict(parse_qsl(request.get_data().decode(), keep_blank_values=True))
        with self._arrived:
            self.received.append(
                Received(environ["REQUEST_URI"], form, request.headers.get("X-Twilio-Signature", ""), request.mimetype)
            )
            status = self.answers.pop(0) if self.answers else 200
            self._arrived.notify_all()
        return Response(TWIML, status, mimetype="text/xml")(environ, start_response)
