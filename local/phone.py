"""The phone page: what an application does, any phone's inbox, and what Twilio knows of both.

It works without script, which only keeps it up to date.
"""

import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request, Response

from local.functions import Clock
from local.gateway import Gateway, LocalPage
from local.gateway_events import ArrivedRequest
from local.twilio_account import EmulatedMessage
from local.twilio_emulator import TwilioEmulator
from otp_feedback.domain.actions import Action, Way, actions_with, confirmed_by

FOLDER = Path(__file__).parent
DEFAULT_NUMBER = "+14155550123"
SHOWN_VERIFICATIONS = 5
REMEMBERED_RESULTS = 50
FRESH_S = 5.0
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer: with it browsers send Origin null, which is not told from a foreign page's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_URL = re.compile(r"(https?://[^\s<>\"]+)")


@dataclass(frozen=True)
class Result:
    """What came of the last thing that was done on the page; where it was refused, what had been typed for it."""

    good: bool
    text: str
    typed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Known:
    """An answer of the API, what Twilio held when it was asked for, and how long it may be shown."""

    view: dict[str, Any]
    told: list[tuple[str, str | None]]
    until: float


class Phone:
    """The page's routes.

    Parameters
    ----------
    gateway
        The application's side calls its API as any caller would.
    twilio
        Holds the messages.
    clock
        What a button moves on.
    sender
        Whom a phone without messages replies to.
    """

    def __init__(self, gateway: Gateway, twilio: TwilioEmulator, clock: Clock, sender: str) -> None:
        self._gateway, self._twilio, self._clock, self._sender = gateway, twilio, clock, sender
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._known: dict[str, _Known] = {}
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._template = environment.get_template("phone.html")

    def pages(self) -> dict[tuple[str, str], LocalPage]:
        """What is served, by method and path."""
        return {
            ("GET", "/"): self._show,
            ("GET", "/_local/phone"): self._inbox,
            ("POST", "/_local/phone"): self._act,
            ("GET", "/_local/phone.css"): lambda _: _file("phone.css", "text/css"),
            ("GET", "/_local/phone.js"): lambda _: _file("phone.js", "text/javascript"),
            ("GET", "/_local/phone.svg"): lambda _: _file("phone.svg", "image/svg+xml"),
            ("GET", "/favicon.ico"): lambda _: _file("phone.svg", "image/svg+xml"),
        }

    def _show(self, request: Request) -> Response:
        number = _number(request.args.get("number", DEFAULT_NUMBER))
        inbox = self.inbox(number)
        chosen = request.args.get("verification") or next(
            (message["verification_id"] for message in inbox["messages"] if message["verification_id"]), None
        )
        result = self._results.get(request.args.get("result", ""))
        page = self._template.render(
            number=number,
            numbers=sorted({message.to for message in self._twilio.account.outbound()} | {number}),
            actions=list(Action),
            checked=confirmed_by(Way.CHECK),
            seen_by_caller=confirmed_by(Way.WORD),
            verification=self._verification(chosen) if chosen else None,
            reply_to=next((message["sender"] for message in inbox["messages"]), self._sender),
            result=result,
            typed=result.typed if result else {},
            **inbox,
        )
        return Response(page, mimetype="text/html", headers=HEADERS)

    def _inbox(self, request: Request) -> Response:
        inbox = self.inbox(_number(request.args.get("number", DEFAULT_NUMBER)))
        return Response(json.dumps(inbox), mimetype="application/json", headers=HEADERS)

    def inbox(self, number: str) -> dict[str, Any]:
        """The messages of a number, newest first, with all that is known of each; and the funnel over all numbers."""
        everything = self._twilio.account.outbound()
        mine = [message for message in reversed(everything) if message.to.removeprefix("whatsapp:") == number]
        ids = list(dict.fromkeys(message.verification_id for message in mine if message.verification_id))
        known = {verification_id: self._verification(verification_id) for verification_id in ids[:SHOWN_VERIFICATIONS]}
        return {
            "messages": [self._view(message, known.get(message.verification_id or "")) for message in mine],
            "funnel": {
                "accepted": len(everything),
                "delivered": sum(message.status in ("delivered", "read") for message in everything),
                "confirmed": sum(message.outcome == "confirmed" for message in everything),
            },
        }

    def _view(self, message: EmulatedMessage, verification: Mapping[str, Any] | None) -> dict[str, Any]:
        confirmed_by = (verification or {}).get("message")
        return {
            "sid": message.sid,
            "sender": message.sender or message.messaging_service_sid,
            "parts": [
                {"text": part, "link": part.startswith(f"{self._gateway.listener.url}/")}
                for part in _URL.split(message.body)
                if part
            ],
            "verification_id": message.verification_id,
            "number": message.number,
            "status": message.status,
            "error_code": message.error_code,
            "confirmed": confirmed_by is not None and str(confirmed_by) == message.number,
            "feedback": message.outcome,
        }

    def _act(self, request: Request) -> Response:
        self._known.clear()
        form = request.form
        number = _number(form.get("number", DEFAULT_NUMBER))
        verification_id = form.get("verification", "")
        do = form.get("do", "")
        path = f"/verifications/{quote(verification_id, safe='')}"
        if do == "start":
            body = {"to": number, "action": form.get("action", "")}
            body |= {"locale": form["locale"]} if form.get("locale") else {}
            body |= _own_secret(form)
            answer = self._call("POST", "/verifications", body)
            verification_id = answer.get("verification_id", verification_id)
            result = _outcome(answer, "Message sent.")
        elif do == "another":
            result = _outcome(self._call("POST", f"{path}/messages", _own_secret(form)), "Another message sent.")
        elif do == "check":
            answer = self._call("POST", f"{path}/check", {"secret": form.get("secret", "")})
            result = _outcome(answer, "Confirmed.")
        elif do == "confirm":
            result = _outcome(self._call("POST", f"{path}/confirm", {}), "Confirmed.")
        elif do == "cancel":
            result = _outcome(self._call("POST", f"{path}/cancel", {}), "Canceled.")
        elif do == "later":
            self._clock.advance(601)
            result = Result(good=True, text="Ten minutes have passed for the service.")
        else:
            result = self._reply(do, number, form)
        key = secrets.token_urlsafe(8)
        self._results[key] = result if result.good else replace(result, typed=form.to_dict())
        while len(self._results) > REMEMBERED_RESULTS:
            self._results.popitem(last=False)
        query = urlencode({"number": number, "verification": verification_id, "result": key})
        return Response(status=303, headers={"Location": f"/?{query}", **HEADERS})

    def _reply(self, do: str, number: str, form: Mapping[str, str]) -> Result:
        sender = form.get("sender", "")
        if not sender or do not in ("reply", "call"):
            raise BadRequest("unknown action")
        if do == "reply":
            _, answer = self._twilio.inbound_message(number, sender, form.get("body", ""))
        else:
            _, answer = self._twilio.inbound_call(number, sender)
        return Result(good=answer.status == 200, text=f"The webhook answered {answer.status or 'nothing'}.")

    def _verification(self, verification_id: str) -> dict[str, Any]:
        """A verification as its caller sees it; asked for again when Twilio's side has changed, or after a while."""
        told = [(m.status, m.outcome) for m in self._twilio.account.outbound() if m.verification_id == verification_id]
        known = self._known.get(verification_id)
        if known is None or known.told != told or time.monotonic() > known.until:
            view = self._call("GET", f"/verifications/{quote(verification_id, safe='')}")
            if known and "verification_id" not in view and view.get("status") != 404:
                return known.view
            known = self._known[verification_id] = _Known(view, told, time.monotonic() + FRESH_S)
        return known.view

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the API as a caller does; the JSON it answers."""
        headers = {"host": self._gateway.listener.url.removeprefix("http://"), "user-agent": "phone-page"}
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            headers |= {"content-type": "application/json", "content-length": str(len(content))}
        answer = self._gateway.call(ArrivedRequest(method, path, "", headers, content))
        parsed = json.loads(answer.body)
        return parsed if isinstance(parsed, dict) else {}


def _outcome(answer: Mapping[str, Any], good: str) -> Result:
    """What to say of an answer: of a problem, its own sentence."""
    if "verification_id" in answer:
        return Result(good=True, text=good)
    return Result(good=False, text=f"Refused: {answer.get('detail', answer.get('message', 'no answer'))}")


def _own_secret(form: Mapping[str, str]) -> dict[str, str]:
    # Whatever else stands in a field, only a caller's own code is sent with a message.
    own = actions_with(lambda traits: traits.callers_own)
    return {"secret": form["secret"]} if form.get("action") in own and form.get("secret") else {}


def _number(text: str) -> str:
    # A form turns the + of a hand-written query into a space.
    digits = "".join(letter for letter in text if letter in "0123456789")
    return f"+{digits}"


def _file(name: str, mimetype: str) -> Response:
    return Response((FOLDER / name).read_bytes(), mimetype=mimetype, headers=HEADERS)
