"""Where a sender's inbound messages and calls go, and where they should."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from operations.stack import DeployedStack
from operations.terminal import Terminal
from operations.twilio import TwilioAccount
from otp_feedback.domain.phone import mask
from otp_feedback.domain.senders import is_messaging_service, is_whatsapp

RETRIES = "#rc=5&rp=all"
"""Twilio tries again five times, whatever went wrong; API Gateway throttles with 429, which `5xx` does not cover.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

MESSAGE_PATH = f"/twilio/message{RETRIES}"
CALL_PATH = f"/twilio/call{RETRIES}"
TWILIOS_DEMO = "demo.twilio.com"
"""Where a new number points."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a resource at Twilio: its parameter, its value now, and what it should be."""

    name: str
    now: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Change:
    """What must change at one resource.

    Parameters
    ----------
    target
        What it is, for people.
    url
        Where the settings are posted to.
    """

    target: str
    url: str
    settings: tuple[Setting, ...]

    @property
    def form(self) -> dict[str, str]:
        """The fields to post."""
        return {setting.name: setting.wanted for setting in self.settings}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a sender cannot do its work, and what to do."""

    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class SenderPlan:
    """One of the stack's senders.

    Parameters
    ----------
    sender
        What it is, for people.
    changes
        What would have to change for replies to reach the stack.
    obstacles
        Why it cannot send.
    notes
        What replies cannot do with it, or what a person must do.
    """

    sender: str
    changes: tuple[Change, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    notes: tuple[str, ...] = ()


def plan_senders(account: TwilioAccount, stack: DeployedStack, *, calls: bool = True) -> Iterator[SenderPlan]:
    """Compare each of the stack's senders at Twilio with what the stack needs; changes nothing.

    Parameters
    ----------
    calls
        Whether calls to the senders are the stack's, too.

    Raises
    ------
    OperationError
        Twilio does not answer.
    """
    for sender in stack.senders:
        if is_messaging_service(sender):
            yield _plan_service(account, stack.base_url, sender, calls=calls)
        elif is_whatsapp(sender):
            yield _plan_whatsapp(stack.base_url, sender)
        elif sender.startswith("+"):
            yield _plan_number(account, stack.base_url, sender, calls=calls)
        else:
            yield SenderPlan(f"alphanumeric sender {sender}", notes=("nobody can reply to it",))


def _plan_whatsapp(base_url: str, sender: str) -> SenderPlan:
    webhook = f"{base_url}{MESSAGE_PATH}"
    note = f"for replies, set its webhook for incoming messages to {webhook} (POST) in Twilio's console"
    return SenderPlan(f"WhatsApp sender {mask(sender.removeprefix('whatsapp:'))}", notes=(note,))


def _plan_number(account: TwilioAccount, base_url: str, e164: str, *, calls: bool) -> SenderPlan:
    name = f"number {mask(e164)}"
    number = account.number(e164)
    if number is None:
        return _foreign(name)
    target = f"{name} ({number.get('sid')})"
    if not _can(number, "sms"):
        obstacle = Obstacle(f"{target} cannot send text messages", "buy a number with SMS, or choose another sender")
        return SenderPlan(target, obstacles=(obstacle,))
    settings = _message_settings(number, base_url)
    notes: list[str] = []
    if calls and _can(number, "voice"):
        more, notes = _call_settings(number, base_url)
        settings += more
    return SenderPlan(target, changes=_change(target, account.number_url(number["sid"]), settings), notes=tuple(notes))


def _plan_service(account: TwilioAccount, base_url: str, sid: str, *, calls: bool) -> SenderPlan:
    name = f"Messaging Service {sid}"
    service = account.service(sid)
    if service is None:
        return _foreign(name)
    pool = account.pool(sid)
    notes: list[str] = []
    if not any("SMS" in (number.get("capabilities") or ()) for number in pool):
        # Its pool may hold alphanumeric senders and short codes alone.
        notes.append("its pool holds no number that can send text messages")
    settings = [
        Setting("InboundRequestUrl", _text(service, "inbound_request_url"), base_url + MESSAGE_PATH),
        Setting("InboundMethod", _text(service, "inbound_method"), "POST"),
        Setting("UseInboundWebhookOnNumber", _text(service, "use_inbound_webhook_on_number"), "false"),
    ]
    changes = [*_change(name, account.service_url(sid), settings)]
    callable_numbers = [number for number in pool if "Voice" in (number.get("capabilities") or ())]
    if calls and callable_numbers:
        known = account.numbers()
        for member in callable_numbers:
            number = known.get(str(member["sid"]))
            if number is not None:
                target = f"number {mask(str(number['phone_number']))} ({number['sid']}) of {sid}"
                more, said = _call_settings(number, base_url)
                changes += _change(target, account.number_url(number["sid"]), more)
                notes += [f"{target}: {note}" for note in said]
    return SenderPlan(name, changes=tuple(changes), notes=tuple(notes))


def _foreign(name: str) -> SenderPlan:
    advice = "check the stack's parameters Sender and AllowedSenders, and the account SID"
    return SenderPlan(name, obstacles=(Obstacle(f"{name} is not one of the account's", advice),))


def _message_settings(number: Mapping[str, Any], base_url: str) -> list[Setting]:
    # An application's addresses go before the number's own.
    return [
        Setting("SmsUrl", _text(number, "sms_url"), base_url + MESSAGE_PATH),
        Setting("SmsMethod", _text(number, "sms_method"), "POST"),
        Setting("SmsApplicationSid", _text(number, "sms_application_sid"), ""),
    ]


def _call_settings(number: Mapping[str, Any], base_url: str) -> tuple[list[Setting], list[str]]:
    if number.get("trunk_sid"):
        return [], ["its calls go to a SIP trunk, so a call confirms nothing"]
    return [
        Setting("VoiceUrl", _text(number, "voice_url"), base_url + CALL_PATH),
        Setting("VoiceMethod", _text(number, "voice_method"), "POST"),
        Setting("VoiceApplicationSid", _text(number, "voice_application_sid"), ""),
    ], []


def _change(target: str, url: str, settings: list[Setting]) -> tuple[Change, ...]:
    differing = tuple(setting for setting in settings if setting.now != setting.wanted)
    return (Change(target, url, differing),) if differing else ()


def _can(number: Mapping[str, Any], capability: str) -> bool:
    return bool((number.get("capabilities") or {}).get(capability))


def _text(resource: Mapping[str, Any], name: str) -> str:
    value = resource.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def shown(value: str) -> str:
    """A setting's value for people: an address without the user, password and query that it may hold."""
    if not value:
        return "(none)"
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"}:
        return value
    host = parts.netloc.rpartition("@")[2]
    query = "?…" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme}://{host}{parts.path}{query}{fragment}"


def tell_settings(change: Change, terminal: Terminal) -> None:
    """Show what would change at a resource."""
    terminal.say(f"{change.target}:")
    for setting in change.settings:
        terminal.say(f"  {setting.name:<26} {shown(setting.now)}")
        terminal.say(f"  {'':<23}-> {shown(setting.wanted)}")


def handed_on(setting: Setting) -> str | None:
    """The template parameter under which what a setting replaces can go on; None where nothing of note is replaced."""
    parameter = {
        "SmsUrl": "FallbackMessageUrl",
        "InboundRequestUrl": "FallbackMessageUrl",
        "VoiceUrl": "FallbackCallUrl",
    }.get(setting.name)
    host = urlsplit(setting.now).hostname
    if parameter is None or host in {None, TWILIOS_DEMO} or host == urlsplit(setting.wanted).hostname:
        return None
    return parameter
