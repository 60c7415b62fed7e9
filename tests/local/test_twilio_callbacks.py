"""Status callbacks and inbound webhooks: signed, in Twilio's order, retried as the URL asks."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws import ACCOUNT_SID
from local.webhooks import Overrides, signature
from tests.local.conftest import Twilio
from tests.local.receiver import TWIML, Received, Receiver

VECTORS = Path(__file__).parents[2] / "../shared/twilio/twilio-signature-vectors.json"
SERVICE = "MG" + "a" * 32
TARGET = "/twilio/status?message=1&verification=abc"


def by_status(receiver: Receiver, *statuses: str) -> list[Received]:
    """The callbacks with these statuses, in this order, and no others; as with Twilio, any may arrive first."""
    received = {request.form["MessageStatus"]: request for request in receiver.wait_for(len(statuses))}
    assert received.keys() == set(statuses)
    return [received[status] for status in statuses]


def test_a_message_is_sent_then_delivered_and_each_callback_signed(twilio: Twilio, receiver: Receiver):
    sid = twilio.created(StatusCallback=f"{receiver.url}{TARGET}#rc=5&rp=all")["sid"]
    callbacks = by_status(receiver, "sent", "delivered")
    for callback in callbacks:
        assert callback.target == TARGET, "the fragment stays at Twilio"
        assert callback.content_type == "application/x-www-form-urlencoded"
        assert callback.is_signed(receiver.url)
        assert not callback.is_signed(receiver.url, token="another")
        assert (callback.form["MessageSid"], callback.form["AccountSid"]) == (sid, ACCOUNT_SID)
        assert callback.form["From"] == "+14155550100"
    assert "RawDlrDoneDate" in callbacks[1].form
    assert twilio.held()[0]["status"] == "delivered"


def test_a_messaging_service_tells_its_sender_with_the_first_callback(twilio: Twilio, receiver: Receiver):
    twilio.created(From="", MessagingServiceSid=SERVICE, StatusCallback=f"{receiver.url}{TARGET}")
    callbacks = by_status(receiver, "queued", "sent", "delivered")
    assert callbacks[0].form["From"].startswith("+1415")
    assert callbacks[0].form["MessagingServiceSid"] == SERVICE


@pytest.mark.parametrize("to", ["+15005550000", "+15005559999", "whatsapp:+15005550001"])
def test_only_the_reserved_range_is_undeliverable(twilio: Twilio, receiver: Receiver, to: str):
    sender = "whatsapp:+14155550100" if to.startswith("whatsapp") else "+14155550100"
    twilio.created(To=to, From=sender, StatusCallback=f"{receiver.url}{TARGET}")
    sent, undelivered = by_status(receiver, "sent", "undelivered")
    assert (sent.form.get("ErrorCode"), undelivered.form["ErrorCode"]) == (None, "30003")
    assert (twilio.held()[0]["status"], twilio.held()[0]["error_code"]) == ("undelivered", 30003)


@pytest.mark.parametrize(
    ("fragment", "answers", "attempts"),
    [
        ("#rc=5&rp=all", [500, 429, 404], 4),
        ("#rc=2&rp=5xx", [500, 500, 500, 500], 3),
        ("#rc=5&rp=5xx", [404], 1),
        ("#rc=5&rp=ct,rt,4xx", [404, 200], 2),
        ("#rc=0&rp=all", [500], 1),
        ("", [500], 1),
    ],
)
def test_retries_follow_the_fragment(
    twilio: Twilio, receiver: Receiver, fragment: str, answers: list[int], attempts: int
):
    sid = twilio.created(StatusCallback=f"{receiver.url}{TARGET}{fragment}")["sid"]
    receiver.wait_for(2)
    receiver.received.clear()
    receiver.answers = list(answers)
    outcome = twilio.control("deliver", sid=sid, status="read").json()["callback"]
    assert outcome["attempts"] == attempts == len(receiver.received)


def test_an_unreachable_webhook_is_tried_once_more_by_default(twilio: Twilio, receiver: Receiver):
    sid = twilio.created(StatusCallback=f"{receiver.url}{TARGET}")["sid"]
    receiver.listener.stop()
    assert twilio.control("deliver", sid=sid, status="sent").json()["callback"] == {
        "response_status": None,
        "attempts": 2,
    }


@pytest.mark.parametrize(
    ("fault", "made", "attempts"),
    [
        ({"fault": "timeout_before"}, 1, 2),
        ({"fault": "timeout_after"}, 2, 2),
        ({"fault": "status", "status": 500}, 1, 2),
        ({"fault": "timeout_before", "times": 9}, 0, 6),
    ],
)
def test_callbacks_can_be_lost_and_repeated(
    twilio: Twilio, receiver: Receiver, fault: dict[str, Any], made: int, attempts: int
):
    sid = twilio.created(StatusCallback=f"{receiver.url}{TARGET}#rc=5&rp=all&tt=15000")["sid"]
    receiver.wait_for(2)
    receiver.received.clear()
    twilio.control("faults", operation="status_callback", **fault)
    outcome = twilio.control("deliver", sid=sid, status="delivered").json()["callback"]
    assert (len(receiver.received), outcome["attempts"]) == (made, attempts)


def test_a_delivery_by_hand_takes_over(twilio: Twilio, receiver: Receiver):
    sid = twilio.created(StatusCallback=f"{receiver.url}{TARGET}")["sid"]
    answer = twilio.control("deliver", sid=sid, status="failed", error_code=30007)
    assert answer.json() == {"sid": sid, "status": "failed", "callback": {"response_status": 200, "attempts": 1}}
    assert receiver.stays_at(1)
    assert receiver.received[0].form["ErrorCode"] == "30007"


def test_a_status_never_goes_back(twilio: Twilio, receiver: Receiver):
    sid = twilio.created(StatusCallback=f"{receiver.url}{TARGET}")["sid"]
    for status in ("delivered", "sent"):
        twilio.control("deliver", sid=sid, status=status)
    assert receiver.statuses() == ["delivered", "sent"]
    assert twilio.held()[0]["status"] == "delivered"


def test_clearing_forgets_everything(twilio: Twilio, receiver: Receiver):
    twilio.created(StatusCallback=f"{receiver.url}{TARGET}")
    twilio.control("faults", operation="create_message", fault="status")
    assert twilio.http.delete("/_emulator").status_code == 204
    assert receiver.stays_at(0)
    assert twilio.held() == twilio.requests() == []
    assert twilio.create().status_code == 201


def test_an_inbound_message_is_signed_and_its_twiml_given_back(twilio: Twilio, receiver: Receiver):
    answer = twilio.control("inbound", kind="message", **{"from": "+4915112345678"}, to="+14155550100", body=" Ja ")
    (request,) = receiver.received
    assert request.target == "/twilio/message"
    assert request.is_signed(receiver.url)
    assert request.form.items() >= {"From": "+4915112345678", "To": "+14155550100", "Body": " Ja "}.items()
    assert request.form["MessageSid"] == request.form["SmsSid"] == answer.json()["sid"]
    assert (answer.json()["response_status"], answer.json()["twiml"]) == (200, TWIML)


def test_an_inbound_call_is_signed(twilio: Twilio, receiver: Receiver):
    answer = twilio.control("inbound", kind="call", **{"from": "+4915112345678"}, to="+14155550100")
    (request,) = receiver.received
    assert request.target == "/twilio/call"
    assert request.is_signed(receiver.url)
    assert request.form["CallSid"] == answer.json()["sid"]
    assert (request.form["CallStatus"], request.form["Direction"]) == ("ringing", "inbound")


def test_an_inbound_webhook_can_be_repeated_and_extended(twilio: Twilio, receiver: Receiver):
    message = {"kind": "message", "from": "+4915112345678", "to": "+14155550100", "body": "x"}
    sid = twilio.control("inbound", **message).json()["sid"]
    extra = {"OriginalRepliedMessageSid": "SM" + "1" * 32}
    assert twilio.control("inbound", **message, sid=sid, parameters=extra).json()["sid"] == sid
    assert [request.form["MessageSid"] for request in receiver.received] == [sid, sid]
    assert receiver.received[1].form["OriginalRepliedMessageSid"] == "SM" + "1" * 32


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"operation": "nothing", "fault": "status"}),
        ("faults", {"operation": "feedback", "fault": "explode"}),
        ("faults", {"operation": "feedback", "fault": "status", "status": 200}),
        ("faults", {"operation": "feedback", "fault": "status", "times": 0}),
        ("faults", {"operation": "feedback", "fault": "status", "times": True}),
        ("deliver", {"status": "sent"}),
        ("deliver", {"sid": "SM1", "status": "lost"}),
        ("inbound", {"kind": "letter", "from": "a", "to": "b"}),
        ("inbound", {"kind": "message", "to": "b"}),
        ("inbound", {"kind": "message", "from": "a", "to": "b", "body": 1}),
    ],
)
def test_control_requests_are_checked(twilio: Twilio, path: str, body: dict[str, Any]):
    assert twilio.control(path, **body).status_code == 400


def test_delivering_what_is_not_there(twilio: Twilio):
    assert twilio.control("deliver", sid="SM" + "0" * 32, status="sent").status_code == 404


def test_twilios_own_vectors():
    if not VECTORS.exists():
        pytest.skip("Twilio's signature vectors are not beside the repository")
    vectors = json.loads(VECTORS.read_text())
    tried = 0
    for vector in vectors["official"] + vectors["computed"]:
        names = [name for name, _ in vector["params"] or []]
        if vector.get("valid", True) and not vector.get("body") and len(names) == len(set(names)):
            tried += 1
            url = vector.get("signed_url_that_matches", vector["url"])
            signed = signature(url, dict(vector["params"] or []), vector["token"])
            assert signed == vector["signature"], vector["id"]
    assert tried >= 5


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", Overrides()),
        ("rc=5&rp=all", Overrides(retries=5, policies=frozenset({"all"}))),
        ("rc=99&ct=1&rt=99999", Overrides(retries=5, connect_timeout_s=0.1, read_timeout_s=15.0)),
        ("rc=-1&ct=x&nonsense", Overrides()),
    ],
)
def test_overrides(fragment: str, expected: Overrides):
    assert Overrides.parse(fragment) == expected
