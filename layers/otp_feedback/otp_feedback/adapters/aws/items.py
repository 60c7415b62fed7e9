"""The table's items: their keys, their attributes' names, and how the domain's objects are read and written.

An item over 1 KB costs each write twice, so an attribute's stored name is short. The names that the code uses are
long, and stand here beside the short ones: `attribute` turns one into the other for expressions, whose `#state` thus
stands for `st`, and the readers and writers below use the same tables. What the template names (`pk`, `ttl`,
`feedback_shard` and `feedback_due_at`) is called the same in both.
"""

import itertools
from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.ids import decode_id
from otp_feedback.domain.keys import Mac
from otp_feedback.domain.recipient import Recipient
from otp_feedback.domain.verification import Confirmation, Feedback, Message, Proof, State, Verification
from otp_feedback.usecases.ports import OUTBOX_SHARDS, DueReport

Item = dict[str, Any]
"""An item in DynamoDB's typed JSON."""

RECORD = {
    "pk": "pk",
    "state": "st",
    "action": "ac",
    "to": "to",
    "created_at": "cr",
    "attempts": "at",
    "max_attempts": "mx",
    "messages": "ms",
    "locale": "lo",
    "template": "tp",
    "sender": "se",
    "reference": "rf",
    "limit_key": "lk",
    "fingerprint": "fp",
    "is_test": "te",
    "created_by": "wb",
    "reserved_by": "rb",
    "canceled_by": "xb",
    "confirmed_by": "cb",
    "confirmed_at": "ct",
    "confirmed_message": "cm",
    "proof": "cp",
    "feedback_failures": "fn",
    "feedback_since": "fs",
    "feedback_shard": "feedback_shard",
    "feedback_due_at": "feedback_due_at",
    "ttl": "ttl",
}
"""A verification's attributes; what ends in `_by` holds the request token of that kind of write."""

MESSAGE = {
    "expires_at": "x",
    "sent_at": "c",
    "delivery": "d",
    "feedback": "f",
    "sid": "s",
    "error_code": "e",
    "idempotency": "i",
    "chosen_sender": "o",
    "registered": "r",
    "digest": "m",
    "key_id": "k",
    "added_by": "w",
}
"""What a message's map holds, under its number in `messages`."""

RECIPIENT = {
    "slot": "s",
    "held_by": "v",
    "reserved_by": "rb",
    "failures": "f",
    "last_confirmed_at": "lc",
    "last_inbound_at": "li",
    "ttl": "ttl",
}
"""A recipient's attributes, and a limit key's; a slot's number stands behind its name, from 0 for the newest send."""

BINDING = {"bound_to": "v", "bound_message": "n"}
"""The attributes of an inbound message or call: the verification that it was put to, and the number of its message."""

SENDS = {"sends": "sends", "ttl": "ttl"}
"""The attributes of the count of an hour's sends."""

LEASE = {"holder": "holder", "until": "until"}
"""The attributes of the lease of an outbox shard."""

OUTCOMES = {"outcomes": "o", "noted_at": "at"}
"""The attributes of how the last reports ended."""

KINDS = (RECORD, MESSAGE, RECIPIENT, BINDING, SENDS, LEASE, OUTCOMES)

SHORT = {name: short for kind in KINDS for name, short in kind.items()}
"""Each attribute's name in the table, by the name that the code uses."""

INDEX = "feedback-due"
"""The index in which each due report stands."""

INDEX_KEY = {"HASH": "feedback_shard", "RANGE": "feedback_due_at"}
"""The index's key."""

TTL = "ttl"
"""The attribute by which DynamoDB lets an item expire: epoch seconds."""

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def typed(values: Mapping[str, Any]) -> Item:
    """Plain values as DynamoDB's typed JSON."""
    return {name: _serializer.serialize(value) for name, value in values.items()}


def plain(item: Item) -> dict[str, Any]:
    """DynamoDB's typed JSON as plain values; numbers come as Decimal."""
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


def attribute(name: str) -> str:
    """The stored name of an attribute; the number of a slot or a message stays as it is."""
    stem = name.rstrip("0123456789")
    return (SHORT[stem] if stem else "") + name[len(stem) :]


def _stored(kind: Mapping[str, str], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {kind[name]: value for name, value in fields.items() if value is not None}


def _named(kind: Mapping[str, str], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: stored[short] for name, short in kind.items() if short in stored}


def verification_key(verification_id: str) -> str:
    """The partition key of a verification."""
    return f"V#{verification_id}"


def is_verification_key(key: str) -> bool:
    """Whether a partition key is a verification's."""
    return key.startswith(verification_key(""))


def verification_id_of(key: str) -> str:
    """The id of the verification with a partition key."""
    return key.removeprefix(verification_key(""))


def recipient_key(recipient: bytes) -> str:
    """The partition key of a recipient, given the keyed digest of its number."""
    return f"R#{recipient.hex()}"


def inbound_key(inbound_sid: str) -> str:
    """The partition key of an inbound message or call."""
    return f"I#{inbound_sid}"


def inbound_sid_of(key: str) -> str:
    """The SID of the inbound message or call with a partition key."""
    return key.removeprefix(inbound_key(""))


def limit_key_key(limit_key: bytes) -> str:
    """The partition key of a limit key, given its keyed digest."""
    return f"K#{limit_key.hex()}"


def sends_key(hour: int) -> str:
    """The partition key of the count of an hour's sends."""
    return f"C#{hour}"


def lease_key(shard: int) -> str:
    """The partition key of the lease of an outbox shard."""
    return f"L#{shard}"


def outcomes_key() -> str:
    """The partition key of how the last reports ended."""
    return "F#outcomes"


def outbox_shard(verification_id: str) -> int:
    """The outbox shard of a verification: 0 to 15."""
    return (decode_id(verification_id) or b"\0")[0] % OUTBOX_SHARDS


def message_map(message: Message, request_token: str | None = None) -> dict[str, Any]:
    """A message as the map that stands in its verification's item."""
    return _stored(
        MESSAGE,
        {
            "expires_at": message.expires_at,
            "sent_at": message.sent_at,
            "delivery": int(message.delivery),
            "feedback": message.feedback.value,
            "sid": message.sid,
            "error_code": message.error_code,
            "idempotency": message.idempotency,
            "chosen_sender": message.sender,
            "registered": message.registered or None,
            "digest": message.mac.digest if message.mac else None,
            "key_id": message.mac.key_id if message.mac else None,
            "added_by": request_token,
        },
    )


def verification_item(verification: Verification, ttl: int, request_token: str) -> Item:
    """A new verification as an item."""
    fields = {
        "pk": verification_key(verification.verification_id),
        "state": verification.state.value,
        "action": verification.action.value,
        "to": verification.to,
        "created_at": verification.created_at,
        "attempts": verification.attempts,
        "max_attempts": verification.max_attempts,
        "messages": {str(number): message_map(message) for number, message in verification.messages.items()},
        "locale": verification.locale,
        "template": verification.template,
        "sender": verification.sender,
        "reference": verification.reference,
        "limit_key": verification.limit_key,
        "fingerprint": verification.fingerprint,
        "is_test": verification.is_test or None,
        "created_by": request_token,
        "ttl": ttl,
    }
    return typed(_stored(RECORD, fields))


def binding_item(inbound_sid: str, verification_id: str, number: int) -> Item:
    """An inbound message or call that was put to a verification's message, as an item."""
    fields = _stored(BINDING, {"bound_to": verification_id, "bound_message": number})
    return typed({"pk": inbound_key(inbound_sid), **fields})


def read_verification(item: Item) -> Verification:
    """The verification that an item holds."""
    fields = _named(RECORD, plain(item))
    return Verification(
        verification_id=verification_id_of(fields["pk"]),
        action=Action(fields["action"]),
        to=fields["to"],
        created_at=int(fields["created_at"]),
        max_attempts=int(fields["max_attempts"]),
        messages={int(number): _read_message(int(number), each) for number, each in fields["messages"].items()},
        state=State(fields["state"]),
        attempts=int(fields["attempts"]),
        locale=fields.get("locale"),
        template=fields.get("template"),
        sender=fields["sender"],
        reference=fields.get("reference"),
        limit_key=_bytes(fields.get("limit_key")),
        fingerprint=_bytes(fields.get("fingerprint")),
        confirmation=_read_confirmation(fields),
        feedback_failures=int(fields.get("feedback_failures", 0)),
        feedback_due_at=_int(fields.get("feedback_due_at")),
        feedback_since=read_feedback_since(item),
        is_test=bool(fields.get("is_test")),
    )


def read_feedback_since(item: Item) -> int | None:
    """Epoch milliseconds since when a report of an item's verification has been due; None if none is."""
    return _int(_named(RECORD, plain(item)).get("feedback_since"))


def read_due_report(item: Item, shard: int) -> DueReport:
    """The entry of the outbox that an item of the index is."""
    fields = _named(RECORD, plain(item))
    return DueReport(verification_id_of(fields["pk"]), shard, int(fields["feedback_due_at"]))


def read_recipient(item: Item) -> Recipient:
    """The recipient, or the limit key, that an item holds."""
    stored = plain(item)
    fields = _named(RECIPIENT, stored)
    slots = itertools.takewhile(lambda slot: attribute(f"slot{slot}") in stored, itertools.count())
    sends = [int(stored[attribute(f"slot{slot}")]) for slot in slots]
    return Recipient(
        sends=tuple(at for at in sends if at),
        holders=tuple(stored[attribute(f"held_by{slot}")] for slot in range(len(sends)) if sends[slot]),
        failures=int(fields.get("failures", 0)),
        last_confirmed_at=_int(fields.get("last_confirmed_at")),
        last_inbound_at=_int(fields.get("last_inbound_at")),
    )


def read_binding(item: Item) -> tuple[str, int]:
    """What an inbound message or call was put to: a verification's id, and the number of its message."""
    fields = _named(BINDING, plain(item))
    return fields["bound_to"], int(fields["bound_message"])


def read_sends(item: Item) -> int:
    """The sends that an hour's item counts."""
    return int(_named(SENDS, plain(item))["sends"])


def read_outcomes(item: Item) -> tuple[str, int]:
    """How the last reports ended, and when that was noted (epoch milliseconds)."""
    fields = _named(OUTCOMES, plain(item))
    return str(fields["outcomes"]), int(fields["noted_at"])


def _read_message(number: int, stored: Mapping[str, Any]) -> Message:
    fields = _named(MESSAGE, stored)
    digest = _bytes(fields.get("digest"))
    return Message(
        number=number,
        expires_at=int(fields["expires_at"]),
        sent_at=int(fields["sent_at"]),
        mac=Mac(fields["key_id"], digest) if digest is not None else None,
        sid=fields.get("sid"),
        delivery=Delivery(int(fields["delivery"])),
        error_code=_int(fields.get("error_code")),
        feedback=Feedback(fields["feedback"]),
        idempotency=_bytes(fields.get("idempotency")),
        sender=fields.get("chosen_sender"),
        registered=bool(fields.get("registered")),
    )


def _read_confirmation(fields: Mapping[str, Any]) -> Confirmation | None:
    if "confirmed_message" not in fields:
        return None
    return Confirmation(int(fields["confirmed_at"]), int(fields["confirmed_message"]), Proof(fields["proof"]))


def _bytes(value: Any) -> bytes | None:
    return bytes(value) if value is not None else None


def _int(value: Any) -> int | None:
    return int(value) if value is not None else None
