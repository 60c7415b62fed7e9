"""A Twilio account with numbers, Messaging Services, keys and tokens, over HTTP and with memory."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from local.servers import Listener

SID = "AC" + "a1" * 16
TOKEN = "auth-token-b2b2b2b2b2b2b2b2b2b2b2b2"
OTHER_TOKEN = "auth-token-c3c3c3c3c3c3c3c3c3c3c3c3"
KEY = "SK" + "d4" * 16
KEY_SECRET = "key-secret-e5e5e5e5e5e5e5e5e5e5e5e5"
SERVICE = "MG" + "f6" * 16
DEMO_SMS, DEMO_VOICE = "https://demo.twilio.com/welcome/sms/reply", "https://demo.twilio.com/welcome/voice/"
PAGE = 2
"""So small that lists have several pages."""

FIELDS = {
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsApplicationSid": "sms_application_sid",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceApplicationSid": "voice_application_sid",
    "InboundRequestUrl": "inbound_request_url",
    "InboundMethod": "inbound_method",
    "UseInboundWebhookOnNumber": "use_inbound_webhook_on_number",
}


def number_sid(e164: str) -> str:
    """The SID that the account gives a number."""
    return f"PN{int(e164):032x}"


@dataclass
class ServedAccount:
    """The account; a context manager. Settings may be changed while it runs."""

    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    keys: dict[str, str] = field(default_factory=lambda: {KEY: KEY_SECRET})
    status: str = "active"
    kind: str = "Full"
    sid: str = SID
    down: int | None = None
    test_credentials: bool = False
    numbers: dict[str, dict[str, Any]] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    pools: dict[str, list[str]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = Listener()
        self._listener.serve(Request.application(self._answer))
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.stop()

    def reset(self, **settings: Any) -> None:
        """Be as new, with these settings."""
        vars(self).update(vars(ServedAccount(**settings)))

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._listener.url

    @property
    def changes(self) -> list[str]:
        """The paths of the requests that were to change something."""
        return [path for method, path in self.requests if method != "GET"]

    def buy(self, e164: str, *, sms: bool = True, voice: bool = True, **fields: Any) -> str:
        """Get a number; it points at Twilio's demo, as new ones do. Returns its SID."""
        sid = number_sid(e164)
        self.numbers[sid] = {
            "sid": sid,
            "phone_number": e164,
            "capabilities": {"sms": sms, "voice": voice, "mms": False},
            "sms_url": DEMO_SMS,
            "sms_method": "POST",
            "sms_application_sid": "",
            "voice_url": DEMO_VOICE,
            "voice_method": "POST",
            "voice_application_sid": None,
            "trunk_sid": None,
            **fields,
        }
        return sid

    def serve_with(self, *numbers: str, **fields: Any) -> str:
        """Make a Messaging Service with a pool of these numbers; returns its SID."""
        self.services[SERVICE] = {
            "sid": SERVICE,
            "inbound_request_url": None,
            "inbound_method": "POST",
            "use_inbound_webhook_on_number": False,
            **fields,
        }
        self.pools[SERVICE] = [number_sid(number) for number in numbers]
        return SERVICE

    _routes = Map(
        [
            Rule("/2010-04-01/Accounts/<account>.json", endpoint="account", methods=["GET"]),
            Rule("/2010-04-01/Accounts/<account>/Messages.json", endpoint="messages", methods=["GET"]),
            Rule("/2010-04-01/Accounts/<account>/IncomingPhoneNumbers.json", endpoint="numbers", methods=["GET"]),
            Rule("/2010-04-01/Accounts/<account>/IncomingPhoneNumbers/<sid>.json", endpoint="number", methods=["POST"]),
            Rule("/v1/Services/<sid>", endpoint="service", methods=["GET", "POST"]),
            Rule("/v1/Services/<sid>/PhoneNumbers", endpoint="pool", methods=["GET"]),
        ]
    )

    def _answer(self, request: Request) -> Response:
        self.requests.append((request.method, request.path))
        return self._respond(request)

    def _respond(self, request: Request) -> Response:
        if self.down is not None:
            return Response("<html>down</html>", self.down)
        try:
            endpoint, values = self._routes.bind_to_environ(request.environ).match()
        except NotFound:
            return _error(404, 20404)
        user, password = _login(request)
        by_key = self.keys.get(user) == password
        if not by_key and not (user == self.sid and password in self.tokens):
            return _error(401, 20003)
        if self.test_credentials:
            return _error(403, 20008)
        # A standard key reads all but the account itself.
        if values.get("account", self.sid) != self.sid or (by_key and endpoint == "account"):
            return _error(401, 20003)
        answer: Response = getattr(self, f"_{endpoint}")(request, **{k: v for k, v in values.items() if k != "account"})
        return answer

    def _account(self, _request: Request) -> Response:
        return _json({"sid": self.sid, "status": self.status, "type": self.kind})

    def _messages(self, _request: Request) -> Response:
        return _json({"messages": [], "next_page_uri": None})

    def _numbers(self, request: Request) -> Response:
        part = request.args.get("PhoneNumber", "")
        found = [number for number in self.numbers.values() if part in number["phone_number"]]
        shown, more = _page(request, found)
        following = f"{request.path}?PhoneNumber={part.replace('+', '%2B')}&Page={more}" if more else None
        return _json({"incoming_phone_numbers": shown, "next_page_uri": following})

    def _number(self, request: Request, sid: str) -> Response:
        return _change(request, self.numbers.get(sid))

    def _service(self, request: Request, sid: str) -> Response:
        return _change(request, self.services.get(sid))

    def _pool(self, request: Request, sid: str) -> Response:
        members = [self.numbers[number] for number in self.pools.get(sid, ())]
        shown, more = _page(
            request,
            [
                {
                    "sid": number["sid"],
                    "phone_number": number["phone_number"],
                    "capabilities": [
                        name for name, key in (("SMS", "sms"), ("Voice", "voice")) if number["capabilities"][key]
                    ],
                }
                for number in members
            ],
        )
        # Twilio gives its own host here.
        following = f"https://messaging.twilio.com{request.path}?Page={more}" if more else None
        return _json({"phone_numbers": shown, "meta": {"next_page_url": following, "key": "phone_numbers"}})


def _page(request: Request, found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    page = int(request.args.get("Page", 0))
    shown = found[page * PAGE : (page + 1) * PAGE]
    return shown, page + 1 if (page + 1) * PAGE < len(found) else 0


def _change(request: Request, resource: dict[str, Any] | None) -> Response:
    if resource is None:
        return _error(404, 20404)
    for name, value in request.form.items():
        key = FIELDS[name]
        resource[key] = value == "true" if isinstance(resource[key], bool) else value
    return _json(resource)


def _login(request: Request) -> tuple[str, str]:
    encoded = request.headers.get("Authorization", "").removeprefix("Basic ")
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return user, password


def _json(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(document), status, mimetype="application/json")


def _error(status: int, code: int) -> Response:
    return _json({"code": code, "message": "refused", "status": status}, status)
