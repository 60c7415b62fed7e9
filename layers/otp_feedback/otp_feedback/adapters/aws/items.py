"""Verifications and recipients as DynamoDB items; names are short, as an item over 1 KB costs each write twice."""

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
from otp_feedback.usecases.ports import OUTBOX_SHARDS

Item = dict[str, Any]
"""An item in DynamoDB's typed JSON."""

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def typed(values: Mapping[str, Any]) -> Item:
    """Plain values as DynamoDB's typed JSON."""
    return {name: _serializer.serialize(value) for name, value in values.items()}


def plain(item: Item) -> dict[str, Any]:
    """DynamoDB's typed JSON as plain values; numbers come as Decimal."""
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


def verification_key(verification_id: str) -> str:
    """The partition key of a verification."""
    return f"V#{verification_id}"


def recipient_key(recipient: bytes) -> str:
    """The partition key of a recipient, given the keyed digest of its number."""
    return f"R#{recipient.hex()}"


def inbound_key(inbound_sid: str) -> str:
    """The partition key of an inbound message or call."""
    return f"I#{inbound_sid}"


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


def message_fields(message: Message) -> dict[str, Any]:
    """A message as the map that stands in its verification's item."""
    fields = {
        "x": message.expires_at,
        "c": message.sent_at,
        "d": int(message.delivery),
        "f": message.feedback.value,
        "s": message.sid,
        "e": message.error_code,
        "t": message.delivery_at,
        "i": message.idempotency,
        "o": message.sender,
        "r": message.registered or None,
        "m": message.mac.digest if message.mac else None,
        "k": message.mac.key_id if message.mac else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def verification_item(verification: Verification, ttl: int, request_token: str) -> Item:
    """A new verification as an item."""
    fields = {
        "pk": verification_key(verification.verification_id),
        "st": verification.state.value,
        "ac": verification.action.value,
        "to": verification.to,
        "cr": verification.created_at,
        "at": verification.attempts,
        "mx": verification.max_attempts,
        "ms": {str(number): message_fields(message) for number, message in verification.messages.items()},
        "lo": verification.locale,
        "tp": verification.template,
        "se": verification.sender,
        "rf": verification.reference,
        "lk": verification.limit_key,
        "fp": verification.fingerprint,
        "te": verification.is_test or None,
        "wb": request_token,
        "ttl": ttl,
    }
    return typed({name: value for name, value in fields.items() if value is not None})


def read_verification(item: Item) -> Verification:
    """The verification that an item holds."""
    fields = plain(item)
    return Verification(
        verification_id=fields["pk"].removeprefix("V#"),
        action=Action(fields["ac"]),
        to=fields["to"],
        created_at=int(fields["cr"]),
        max_attempts=int(fields["mx"]),
        messages={int(number): _read_message(int(number), each) for number, each in fields["ms"].items()},
        state=State(fields["st"]),
        attempts=int(fields["at"]),
        locale=fields.get("lo"),
        template=fields.get("tp"),
        sender=fields["se"],
        reference=fields.get("rf"),
        limit_key=_bytes(fields.get("lk")),
        fingerprint=_bytes(fields.get("fp")),
        confirmation=_read_confirmation(fields),
        feedback_failures=int(fields.get("fn", 0)),
        feedback_due_at=_int(fields.get("feedback_due_at")),
        feedback_since=_int(fields.get("fs")),
        is_test=bool(fields.get("te")),
    )


def read_recipient(item: Item) -> Recipient:
    """The recipient that an item holds."""
    fields = plain(item)
    slots = itertools.takewhile(lambda slot: f"s{slot}" in fields, itertools.count())
    sends = [int(fields[f"s{slot}"]) for slot in slots]
    return Recipient(
        sends=tuple(at for at in sends if at),
        holders=tuple(fields[f"v{slot}"] for slot in range(len(sends)) if sends[slot]),
        failures=int(fields.get("f", 0)),
        last_confirmed_at=_int(fields.get("lc")),
        last_inbound_at=_int(fields.get("li")),
    )


def _read_message(number: int, fields: Mapping[str, Any]) -> Message:
    digest = _bytes(fields.get("m"))
    return Message(
        number=number,
        expires_at=int(fields["x"]),
        sent_at=int(fields["c"]),
        mac=Mac(fields["k"], digest) if digest is not None else None,
        sid=fields.get("s"),
        delivery=Delivery(int(fields["d"])),
        error_code=_int(fields.get("e")),
        delivery_at=_int(fields.get("t")),
        feedback=Feedback(fields["f"]),
        idempotency=_bytes(fields.get("i")),
        sender=fields.get("o"),
        registered=bool(fields.get("r")),
    )


def _read_confirmation(fields: Mapping[str, Any]) -> Confirmation | None:
    if "cm" not in fields:
        return None
    return Confirmation(int(fields["ct"]), int(fields["cm"]), Proof(fields["cp"]))


def _bytes(value: Any) -> bytes | None:
    return bytes(value) if value is not None else None


def _int(value: Any) -> int | None:
    return int(value) if value is not None else None
