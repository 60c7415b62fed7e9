"""A function that dies between two of its calls strands nobody: two of the deaths that the promises go through."""

from tests.loop.driver import Loop, fresh_number


def test_killed_as_twilio_answers_the_code_works_at_once_and_the_feedback_follows_the_callback(loop: Loop):
    to, key = fresh_number(), f"key-{fresh_number()}"
    with loop.stack.killing("send_otp", "after", "twilio:create_message") as happened:
        assert loop.start(to, key=key).status_code == 500
    assert happened()
    (message,) = loop.messages(to)
    again = loop.start(to, key=key).json()
    assert again["message"] == {"number": 1, "status": "unknown"}
    assert len(loop.messages(to)) == 1
    verification_id = again["verification_id"]
    assert loop.check(verification_id, loop.code(to)).status_code == 200
    loop.deliver(message["sid"], "delivered")
    loop.report_due()
    assert loop.outcome(message["sid"]) == "confirmed"
    assert loop.view(verification_id)["messages"][0]["feedback"] == "reported"


def test_killed_after_confirming_it_stays_confirmed_and_is_reported(loop: Loop):
    started = loop.started()
    with loop.stack.killing("confirm_action", "before", "twilio:feedback") as happened:
        assert loop.check(started.verification_id, loop.code(started.to)).status_code == 500
    assert happened()
    assert loop.view(started.verification_id)["status"] == "confirmed"
    loop.report_due()
    assert loop.outcome(started.sid) == "confirmed"
