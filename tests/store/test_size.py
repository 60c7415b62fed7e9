"""An item stays under 1 KB in the worst case: over it each write of it costs twice."""

from dataclasses import replace
from typing import Any

import pytest

from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.ids import encode_id
from otp_feedback.domain.keys import Mac
from otp_feedback.domain.recipient import Limits, Windows
from otp_feedback.domain.verification import Feedback, Message, Proof, Verification
from otp_feedback.usecases.ports import Confirming, DueReport, Expectation
from tests.service import DynamoDBStore
from tests.store.conftest import Kept, Put, Raw
from tests.store.records_data import LIFE, NOW, TTL, a_verification, new_recipient

WRITER = encode_id(bytes(8))


def size(value: dict[str, Any]) -> int:
    """Bytes that DynamoDB counts for an attribute's value (CapacityUnitCalculations in its developer guide)."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return min(21, (len(content.lstrip("-").strip("0")) + 1) // 2 + 1)
        case "B":
            return len(content)
        case "BOOL":
            return 1
        case "M":
            return 3 + sum(len(name) + size(each) + 1 for name, each in content.items())
    raise NotImplementedError(kind)


def item_size(item: dict[str, Any]) -> int:
    """Bytes that DynamoDB counts for an item."""
    return sum(len(name) + size(value) for name, value in item.items())


def test_the_sizes_are_those_of_the_developer_guide():
    assert item_size({"pk": {"S": "abc"}, "n": {"N": "1234567890123"}}) == 2 + 3 + 1 + 8
    assert item_size({"b": {"B": bytes(32)}, "m": {"M": {"x": {"N": "5"}}}}) == 1 + 32 + 1 + 3 + (1 + 2 + 1)


@pytest.mark.parametrize(
    ("action", "registered"),
    [(Action.CODE, False), (Action.CALLER, False), (Action.CALLER, True), (Action.REPLY, False)],
)
def test_a_verification_with_everything_in_it_stays_under_1_kb(
    store: DynamoDBStore, kept: Kept, raw: Raw, action: Action, *, registered: bool
):
    """What a caller sent itself brings no callback here, and so no sender and no error."""
    now = NOW + 123_456_789
    verification = a_verification(
        action=action,
        to="+123456789012345",
        created_at=now,
        locale="l" * 17,
        template="t" * 64,
        reference="r" * 64,
        sender="MG" + "f" * 32,
        limit_key=bytes(16),
        fingerprint=bytes(16),
        messages={},
    )
    key_id = "k" * 16
    biggest: dict[str, Any] = {
        "expires_at": now + LIFE,
        "sent_at": now,
        "idempotency": bytes(24),
        **({"registered": True, "sid": "SM" + "f" * 32} if registered else {}),
    }
    messages = [
        Message(number=number, mac=None if action is Action.REPLY else Mac(key_id, bytes(32)), **biggest)
        for number in (1, 2, 3)
    ]
    verification = replace(verification, messages={1: replace(messages[0], idempotency=None)})
    verification_id = kept(verification)
    for message in messages[1:]:
        assert isinstance(store.add_message(verification_id, message, WRITER), Verification)
    for number in (1, 2, 3):
        sender = "whatsapp:+123456789012345"
        sid = "SM" + "f" * 32
        told = () if registered else (sid, 30003, sender)
        store.advance_message(verification_id, number, Delivery.UNDELIVERED, *told)
    for _ in range(4):
        store.reserve_attempt(verification_id, frozenset({action}), Expectation(), WRITER + str(_))
    store.report_late(verification_id, messages[0], now)
    store.report_late(verification_id, messages[1], now)
    confirming = Confirming(3, messages[2].mac, frozenset({action}), Proof.SECRET)
    assert isinstance(store.confirm(verification_id, confirming, now, now + 30_000, WRITER), Verification)
    store.postpone(DueReport(verification_id, 0, now + 30_000), now + 60_000)
    item = raw(f"V#{verification_id}")
    assert item
    assert {"cb", "wb", "fn", "fs", "feedback_due_at", "feedback_shard"} <= item.keys()
    assert ("rb" in item) is (action is not Action.REPLY)
    item["ttl"] = {"N": str(TTL)}
    assert {each["M"]["f"]["S"] for each in item["ms"]["M"].values()} == {Feedback.DUE.value}
    assert item_size(item) <= 1024


def full(prefix: str, slots: int, holder: str) -> tuple[bytes, dict[str, Any]]:
    """A digest, and an item whose windows are full."""
    digest = new_recipient()[: 32 if prefix == "R" else 16]
    times = {f"s{slot}": NOW - slot * 86_400_001 for slot in range(slots)}
    return digest, {"pk": f"{prefix}#{digest.hex()}", **times, **{f"v{slot}": holder for slot in range(slots)}}


def test_a_recipient_with_everything_in_it_stays_under_1_kb(store: DynamoDBStore, put: Put, raw: Raw):
    holder = f"{encode_id(bytes(16))}#3#reply"
    recipient, item = full("R", 10, holder)
    put({**item, "f": 73})
    store.reserve_send(recipient, holder, NOW + 86_400_001, Limits(), WRITER)
    store.add_failure(recipient)
    store.reset_failures(recipient, NOW)
    store.note_inbound(recipient, NOW)
    kept = raw(f"R#{recipient.hex()}")
    assert kept
    assert {"s9", "v9", "lc", "li", "rb"} <= kept.keys()
    assert item_size(kept) <= 1024


def test_a_limit_key_with_everything_in_it_stays_under_1_kb(store: DynamoDBStore, put: Put, raw: Raw):
    key, item = full("K", 30, WRITER)
    put(item)
    store.reserve_limit_key(key, NOW + 86_400_001, Windows(0, 30, 30), WRITER)
    kept = raw(f"K#{key.hex()}")
    assert kept
    assert {"s29", "v29", "ttl", "rb"} <= kept.keys()
    assert item_size(kept) <= 1024
