"""A reply by message or call: confirmed by who was asked, to whom they were asked by, once, and never by an opt-out."""

from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest

from local.aws import ACCOUNT_SID
from tests.loop.conftest import MESSAGING_SERVICE, WHATSAPP_SENDER
from tests.loop.driver import SENDER, Loop, Started, fresh_number, problem_of

EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
REJECTED = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>'
FORM = "application/x-www-form-urlencoded"
INBOUND = "I#"
"""Begins the keys of what inbound messages and calls were put to; what answers nothing may be noted, too."""

NOTED = (INBOUND, "R#")
"""Begins the keys of what may be noted of an inbound message or call that confirms nothing while a reply is awaited."""


def status(loop: Loop, started: Started) -> str:
    """What the verification is."""
    return str(loop.view(started.verification_id)["status"])


def lines_about(loop: Loop, since: int, sid: str) -> list[str]:
    """The functions' wide lines about an inbound message or call."""
    return [line for line in loop.stack.logs()[since:].splitlines() if sid in line]


def test_a_message_from_the_recipient_to_the_sender_confirms_and_reports(loop: Loop):
    started = loop.started("reply")
    answer = loop.inbound("message", started.to, body="yes please")
    assert (answer["response_status"], answer["twiml"]) == (200, EMPTY)
    assert answer["content_type"].startswith("text/xml")
    view = loop.view(started.verification_id)
    assert (view["status"], view["proof"], view["message"]) == ("confirmed", "sender", 1)
    assert loop.outcome(started.sid) == "confirmed"


def test_a_call_from_the_recipient_to_the_sender_confirms_and_is_rejected_unbilled(loop: Loop):
    started = loop.started("reply")
    answer = loop.inbound("call", started.to)
    assert (answer["response_status"], answer["twiml"]) == (200, REJECTED)
    assert loop.view(started.verification_id)["proof"] == "sender"
    assert loop.outcome(started.sid) == "confirmed"


@pytest.mark.parametrize("kind", ["message", "call"])
def test_from_the_wrong_number_nothing_is_confirmed(loop: Loop, kind: str):
    started = loop.started("reply")
    since = len(loop.stack.logs())
    with loop.unchanged(besides=INBOUND):
        answer = loop.inbound(kind, fresh_number(), body="yes")
    assert answer["response_status"] == 200
    assert status(loop, started) == "pending"
    assert len(lines_about(loop, since, answer["sid"])) == 1


@pytest.mark.parametrize("kind", ["STOP", "anything"])
def test_what_twilio_calls_an_opt_out_never_confirms(loop: Loop, kind: str):
    started = loop.started("reply")
    with loop.unchanged(besides=NOTED):
        loop.inbound("message", started.to, body="yes", parameters={"OptOutType": kind})
    assert status(loop, started) == "pending"


def test_a_forged_reply_confirms_nothing(loop: Loop):
    started = loop.started("reply")
    fields = {"MessageSid": "SM" + "9" * 32, "From": started.to, "To": SENDER, "Body": "yes"}
    with loop.unchanged():
        assert loop.webhook("/twilio/message", fields, token="guessed").status_code == 403
    assert status(loop, started) == "pending"


def test_a_webhook_that_twilio_repeats_after_our_crash_goes_on_with_the_same_verification(loop: Loop):
    to = fresh_number()
    older = loop.started("reply", to)
    loop.advance(31)
    newer = loop.started("reply", to)
    sid = "SM" + "7" * 32

    def die_after_binding(name: str, phase: str) -> None:
        if (name, phase) == ("dynamodb:PutItem", "after"):
            loop.stack.functions.kill("confirm_action")
            raise ConnectionAbortedError

    with loop.stack.observing(die_after_binding):
        fields = {"MessageSid": sid, "From": to, "To": SENDER, "Body": "yes"}
        assert loop.webhook("/twilio/message", fields).status_code == 500
    assert [status(loop, each) for each in (older, newer)] == ["pending", "pending"]
    loop.cancel(newer.verification_id)
    assert loop.webhook("/twilio/message", fields).status_code == 200
    assert [status(loop, each) for each in (older, newer)] == ["pending", "canceled"]


def test_a_reply_that_names_the_message_goes_to_that_one(loop: Loop):
    to = fresh_number()
    older = loop.started("reply", to)
    loop.advance(31)
    newer = loop.started("reply", to)
    loop.inbound("message", to, body="yes", parameters={"OriginalRepliedMessageSid": older.sid})
    assert [status(loop, each) for each in (older, newer)] == ["confirmed", "pending"]
    assert [loop.outcome(each.sid) for each in (older, newer)] == ["confirmed", "unconfirmed"]


def test_each_of_them_is_logged_once_and_without_the_body(loop: Loop):
    body, stranger = "yes, zebra 4711", fresh_number()
    since = len(loop.stack.logs())
    right, expired, opted_out = (loop.started("reply") for _ in range(3))
    forged = {"MessageSid": "SM" + "9" * 32, "From": right.to, "To": SENDER, "Body": body}
    loop.webhook("/twilio/message", forged, token="guessed")
    sids = [
        loop.inbound("message", stranger, body=body)["sid"],
        loop.inbound("message", right.to, "+14155550177", body=body)["sid"],
        loop.inbound("message", opted_out.to, body="STOP")["sid"],
        loop.inbound("message", opted_out.to, body=body, parameters={"OptOutType": "STOP"})["sid"],
        *(loop.inbound("message", right.to, body=body)["sid"] for _ in range(2)),
    ]
    loop.advance(601)
    sids.append(loop.inbound("message", expired.to, body=body)["sid"])
    logs = loop.stack.logs()[since:]
    assert [len(lines_about(loop, since, sid)) for sid in sids] == [1] * 7
    assert logs.count('"route":"POST /twilio/message"') == 8
    for hidden in ("zebra", "4711", stranger, right.to, expired.to, opted_out.to):
        assert hidden not in logs
    assert [status(loop, each) for each in (right, expired, opted_out)] == ["confirmed", "expired", "expired"]


def recorded(loop: Loop, sender: str, body: str) -> dict[str, str]:
    """A genuine message, as whoever reads one request sees it."""
    fields = {"AccountSid": ACCOUNT_SID, "ApiVersion": "2010-04-01", "Body": body, "From": sender, "FromCountry": "DE"}
    fields |= {"MessageSid": f"SM{uuid4().hex}", "NumMedia": "0", "NumSegments": "1", "To": SENDER, "ToCountry": "US"}
    assert loop.webhook("/twilio/message", fields).status_code == 200
    return fields


def replay(loop: Loop, genuine: dict[str, str], cut: list[tuple[str, str]]) -> httpx.Response:
    """Send the form cut anew, under the signature of the genuine one."""
    headers = {"X-Twilio-Signature": loop.signature("/twilio/message", genuine), "Content-Type": FORM}
    return loop.post("/twilio/message", content=urlencode(cut), headers=headers)


def test_a_recorded_reply_whose_sid_swallows_a_field_confirms_nothing_more(loop: Loop):
    first = loop.started("reply")
    genuine = recorded(loop, first.to, "yes")
    assert status(loop, first) == "confirmed"
    loop.advance(31)
    second = loop.started("reply", first.to)
    cut = [(name, value) for name, value in genuine.items() if name != "NumMedia"]
    cut = [(name, value + "NumMedia0" if name == "MessageSid" else value) for name, value in cut]
    with loop.unchanged():
        response = replay(loop, genuine, cut)
    assert (response.status_code, response.json()["field"]) == (400, "MessageSid")
    assert status(loop, second) == "pending"


def test_a_text_that_was_cut_into_a_sender_confirms_nothing(custom: Loop):
    loop = custom
    victim, attacker = loop.started("reply"), fresh_number()
    genuine = recorded(loop, attacker, f"yesFrom{victim.to}")
    cut = [*(genuine | {"Body": "yes", "From": victim.to}).items()]
    with loop.unchanged():
        repeated = replay(loop, genuine, [*cut, ("From", attacker)])
        once = replay(loop, genuine, [*filter(("FromCountry", "DE").__ne__, cut), (f"From{attacker}FromCountry", "DE")])
    assert (repeated.status_code, repeated.json()["field"]) == (400, "From")
    assert (once.status_code, once.text.endswith(REDIRECTS["message"])) == (200, True)
    assert status(loop, victim) == "pending"


def test_a_text_that_names_a_field_goes_on_to_the_users_own_application(custom: Loop):
    loop = custom
    started = loop.started("reply")
    with loop.unchanged():
        answer = loop.inbound("message", started.to, body=f"yes From{started.to}")
    assert (answer["response_status"], answer["twiml"].endswith(REDIRECTS["message"])) == (200, True)
    assert status(loop, started) == "pending"


@pytest.mark.parametrize("sender", ["anonymous", ""])
def test_a_sender_that_is_no_number_confirms_nothing(loop: Loop, sender: str):
    started = loop.started("reply")
    with loop.unchanged():
        response = loop.webhook(
            "/twilio/message", {"MessageSid": "SM" + "6" * 32, "From": sender, "To": SENDER, "Body": "yes"}
        )
    assert (response.status_code, response.text) == (200, EMPTY)
    assert status(loop, started) == "pending"


def test_a_reply_needs_the_keyword_where_there_is_one(contrary: Loop):
    loop = contrary
    started = loop.started("reply")
    assert "Sí" in loop.messages(started.to)[0]["body"]
    with loop.unchanged(besides=INBOUND):
        for body in ("no", "", "siempre", "s i", "👍", "no he dicho sí", "dile sí a ella", "no sí", "Le gustó “Sí”"):
            loop.inbound("message", started.to, body=body)
    assert status(loop, started) == "pending"
    loop.inbound("message", started.to, body="  ¡SI,   por favor!")
    assert status(loop, started) == "confirmed"


REDIRECTS = {
    "message": '<Response><Redirect method="POST">https://bot.example.com/sms?a=1&amp;b=2</Redirect></Response>',
    "call": '<Response><Redirect method="POST">https://voice.example.com/</Redirect></Response>',
}


@pytest.mark.parametrize("kind", ["message", "call"])
def test_what_answers_nothing_goes_on_to_the_users_own_application(custom: Loop, kind: str):
    loop = custom
    with loop.unchanged(besides=INBOUND):
        answer = loop.inbound(kind, fresh_number(), body="hello bot")
    assert answer["twiml"].endswith(REDIRECTS[kind])


@pytest.mark.parametrize(("kind", "answered"), [("message", EMPTY), ("call", REJECTED)])
def test_what_answers_a_verification_does_not_go_on(custom: Loop, kind: str, answered: str):
    loop = custom
    started = loop.started("reply")
    assert loop.inbound(kind, started.to, body="yes")["twiml"] == answered
    assert status(loop, started) == "confirmed"


def test_a_reaction_by_whatsapp_confirms_nothing(loop: Loop):
    started = loop.started("reply")
    parameters = {"MessageType": "reaction", "OriginalRepliedMessageSid": started.sid}
    with loop.unchanged(besides=NOTED):
        loop.inbound("message", started.to, body="👍", parameters=parameters)
    loop.inbound("message", started.to, body="👍", parameters={"MessageType": "text"})
    assert status(loop, started) == "confirmed"


TWO_FORMS = [
    ("+525512340021", "+5215512340021"),
    ("+5491112340022", "+541112340022"),
    ("+541112340023", "+5491112340023"),
    ("+5511987650024", "+551187650024"),
    ("+551187650025", "+5511987650025"),
]


@pytest.mark.parametrize(
    ("to", "comes_from", "channel"), [(*TWO_FORMS[0], ""), (*TWO_FORMS[1], "rcs:"), (*TWO_FORMS[3], "whatsapp:")]
)
def test_a_reply_under_the_numbers_other_form_confirms(loop: Loop, to: str, comes_from: str, channel: str):
    started = loop.started("reply", to)
    loop.inbound("message", channel + comes_from, channel + SENDER, body="yes")
    assert status(loop, started) == "confirmed"
    assert loop.outcome(started.sid) == "confirmed"


@pytest.mark.parametrize(("to", "comes_from"), [TWO_FORMS[2], TWO_FORMS[4]])
def test_a_message_that_is_named_is_found_under_the_numbers_other_form(loop: Loop, to: str, comes_from: str):
    older = loop.started("reply", to)
    loop.advance(31)
    newer = loop.started("reply", to)
    parameters = {"OriginalRepliedMessageSid": older.sid}
    loop.inbound("message", f"whatsapp:{comes_from}", f"whatsapp:{SENDER}", body="yes", parameters=parameters)
    assert [status(loop, each) for each in (older, newer)] == ["confirmed", "pending"]


def test_a_call_from_the_numbers_other_form_confirms(loop: Loop):
    started = loop.started("reply", "+541112340026")
    loop.inbound("call", "+5491112340026")
    assert status(loop, started) == "confirmed"


def test_a_reply_by_rcs_answers_what_came_from_an_rcs_sender(custom: Loop):
    loop = custom
    started = loop.started("reply", sender=MESSAGING_SERVICE)
    fields = {"MessageSid": started.sid, "MessageStatus": "sent", "From": "rcs:example_x1y2z3_agent"}
    target = f"/twilio/status?verification={started.verification_id}&message=1"
    assert loop.webhook(target, fields).status_code == 204
    with loop.unchanged(besides=NOTED):
        loop.inbound("message", started.to, "+14155550199", body="yes")
    loop.inbound("message", f"rcs:{started.to}", "rcs:example_x1y2z3_agent", body="yes")
    assert status(loop, started) == "confirmed"


def test_whatsapp_needs_a_content_template(custom: Loop):
    loop = custom
    for template in (None, "plain"):
        fields = {"template": template} if template else {}
        with loop.unchanged():
            response = loop.start(fresh_number(), "code", sender=WHATSAPP_SENDER, **fields)
        assert (problem_of(response), response.json()["field"]) == ("malformed-request", "template")
    assert loop.start(fresh_number(), "code", sender=WHATSAPP_SENDER, template="content").status_code == 202
    registered = loop.start(fresh_number(), "caller", sender=WHATSAPP_SENDER, sid="SM" + "5" * 32)
    assert registered.status_code == 202


def test_an_opt_out_goes_on_to_the_users_own_application(custom: Loop):
    loop = custom
    started = loop.started("reply")
    assert loop.inbound("message", started.to, body="STOP")["twiml"].endswith(REDIRECTS["message"])
    assert status(loop, started) == "pending"


def test_with_a_messaging_service_the_sender_is_learned_from_the_callbacks(custom: Loop):
    loop = custom
    started = loop.started("reply", sender=MESSAGING_SERVICE)
    assert loop.messages(started.to)[0]["messaging_service_sid"] == MESSAGING_SERVICE
    with loop.unchanged(besides=NOTED):
        loop.inbound("message", started.to, "+14155550199", body="yes")
    assert status(loop, started) == "pending"
    loop.deliver(started.sid, "sent")
    with loop.unchanged(besides=NOTED):
        loop.inbound("message", started.to, "+14155550177", body="yes")
    loop.inbound("message", started.to, "+14155550199", body="yes")
    assert status(loop, started) == "confirmed"


def test_a_reply_by_whatsapp_confirms(custom: Loop):
    loop = custom
    to = fresh_number()
    response = loop.start(to, "reply", template="hi", sender=WHATSAPP_SENDER)
    assert response.status_code == 202, response.text
    verification_id = response.json()["verification_id"]
    (message,) = loop.messages(f"whatsapp:{to}")
    started = Started(verification_id, to, response.json())
    with loop.unchanged(besides=NOTED):
        loop.inbound("message", to, "+14155550100", body="yes")
    loop.inbound("message", f"whatsapp:{to}", WHATSAPP_SENDER, body="yes")
    assert status(loop, started) == "confirmed"
    assert loop.outcome(message["sid"]) == "confirmed"
