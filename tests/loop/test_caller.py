"""The caller's own word: about a message that was sent, and with nothing to guess where there is no secret."""

from tests.loop.driver import Loop, problem_of

SID = "SM" + "3" * 32


def refused(loop: Loop, verification_id: str) -> None:
    """Have Twilio refuse a further message of a verification."""
    loop.advance(31)
    loop.fault("create_message", "status", status=400)
    response = loop.another(verification_id, {"secret": "Callers2"})
    assert problem_of(response) == "message-rejected"


def test_a_message_that_twilio_refused_is_not_confirmed(loop):
    started = loop.started("caller")
    refused(loop, started.verification_id)
    with loop.unchanged():
        response = loop.confirm(started.verification_id, message=2)
    assert (problem_of(response), response.json()["field"]) == ("malformed-request", "message")


def test_the_only_message_that_was_sent_need_not_be_named(loop):
    started = loop.started("caller")
    refused(loop, started.verification_id)
    response = loop.confirm(started.verification_id)
    assert (response.status_code, response.json()["message"]) == (200, 1)
    assert loop.outcome(started.sid) == "confirmed"


def test_of_several_that_were_sent_one_is_named(loop):
    started = loop.started("caller")
    loop.advance(31)
    assert loop.another(started.verification_id, {"secret": "Callers2"}).status_code == 202
    with loop.unchanged():
        assert loop.confirm(started.verification_id).json()["field"] == "message"
    assert loop.confirm(started.verification_id, message=2).json()["message"] == 2


def test_where_no_message_carries_a_secret_there_is_nothing_to_check(loop):
    started = loop.started("caller", sid=SID)
    with loop.unchanged():
        for _ in range(6):
            assert problem_of(loop.check(started.verification_id, "Callers1")) == "wrong-action"
    assert loop.confirm(started.verification_id).status_code == 200


def test_a_secret_in_a_later_message_can_be_checked(loop):
    started = loop.started("caller", sid=SID)
    loop.advance(31)
    assert loop.another(started.verification_id, {"secret": "Callers2"}).status_code == 202
    assert loop.check(started.verification_id, "Callers2").json()["message"] == 2
