"""What can be read off a verification at a moment."""

from dataclasses import FrozenInstanceError, replace

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.keys import Mac
from otp_feedback.domain.verification import Feedback, Message, Proof, State, Status, Verification

NOW = 1_760_000_000_000


def message(number: int = 1, expires_at: int = NOW + 10, **facts: object) -> Message:
    return Message(number=number, expires_at=expires_at, sent_at=NOW, **facts)  # type: ignore[arg-type]


def verification(*messages: Message, **facts: object) -> Verification:
    defaults: dict[str, object] = {
        "verification_id": "A" * 22,
        "action": Action.CODE,
        "to": "+4915112345678",
        "created_at": NOW,
        "max_attempts": 5,
        "messages": {each.number: each for each in messages or (message(),)},
        "sender": "+14155550100",
    }
    return Verification(**(defaults | facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "now", "status"),
    [
        ({}, NOW, Status.PENDING),
        ({}, NOW + 9, Status.PENDING),
        ({}, NOW + 10, Status.EXPIRED),
        ({"attempts": 4}, NOW, Status.PENDING),
        ({"attempts": 5}, NOW, Status.LOCKED),
        ({"attempts": 6}, NOW, Status.LOCKED),
        ({"attempts": 5}, NOW + 10, Status.LOCKED),
        ({"state": State.CONFIRMED}, NOW, Status.CONFIRMED),
        ({"state": State.CONFIRMED, "attempts": 5}, NOW + 10, Status.CONFIRMED),
        ({"state": State.CANCELED}, NOW + 10, Status.CANCELED),
    ],
)
def test_expired_and_locked_are_read_off_a_pending_record_alone(facts: dict[str, object], now: int, status: Status):
    assert verification(**facts).status_at(now) is status


def test_it_is_live_as_long_as_any_message_is():
    two = verification(message(1, NOW + 10), message(2, NOW + 20))
    assert [two.status_at(NOW + late) for late in (9, 10, 19, 20)] == [
        Status.PENDING,
        Status.PENDING,
        Status.PENDING,
        Status.EXPIRED,
    ]
    assert two.expires_at == NOW + 20
    assert verification(message(1, NOW + 30), message(2, NOW + 20)).expires_at == NOW + 30


def test_attempts_left_are_never_negative():
    assert [verification(attempts=n).attempts_left for n in (0, 4, 5, 9)] == [5, 1, 0, 0]


def test_messages_are_in_their_order_and_the_last_is_the_latest():
    mixed = verification(message(3), message(1), message(2))
    assert list(mixed.messages) == [1, 2, 3]
    assert mixed.latest.number == 3


def test_macs_are_those_of_all_messages_that_carry_a_secret_expired_ones_included():
    one, two = Mac("0", b"1" * 32), Mac("0", b"2" * 32)
    mixed = verification(message(1, NOW - 5, mac=one), message(2), message(3, mac=two))
    assert mixed.macs == {1: one, 3: two}


def test_the_sender_is_what_a_callback_told_or_what_was_asked_for():
    mixed = verification(message(1), message(2, sender="+14155550199"))
    assert [mixed.sender_of(mixed.messages[number]) for number in (1, 2)] == ["+14155550100", "+14155550199"]


def test_it_cannot_be_changed():
    fixed = verification()
    with pytest.raises(FrozenInstanceError):
        fixed.attempts = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        fixed.messages[1] = message()  # type: ignore[index]
    given = {1: message()}
    kept = verification(messages=given)
    given[2] = message(2)
    assert set(kept.messages) == {1}


def test_feedback_is_changed_for_one_message_in_a_copy():
    two = verification(message(1), message(2))
    changed = two.with_feedback(2, Feedback.DUE)
    assert [each.feedback for each in changed.messages.values()] == [Feedback.NONE, Feedback.DUE]
    assert changed == replace(two, messages={**two.messages, 2: replace(two.messages[2], feedback=Feedback.DUE)})
    assert two.messages[2].feedback is Feedback.NONE


def test_the_number_does_not_print():
    assert "15112345678" not in repr(verification())


def test_the_words_of_the_api():
    assert [action.value for action in Action] == ["code", "link", "password", "reply", "caller"]
    assert [status.value for status in Status] == ["pending", "confirmed", "canceled", "expired", "locked"]
    assert [feedback.value for feedback in Feedback] == ["none", "due", "reported", "rejected"]
    assert [proof.value for proof in Proof] == ["secret", "sender", "caller"]
    assert [state.value for state in State] == ["pending", "confirmed", "canceled"]
