"""The verifications' records in the table: every write of one, and what must hold for it.

A record is one item. Only `confirm` and `cancel` write its state, and only from `pending`. A message's feedback goes
from `none` to `due` to its outcome; its delivery only moves forward. What each write sets:

====================== ============================================================ ====================================
write                  sets                                                         caused by
====================== ============================================================ ====================================
create                 the whole item, with its first message                       a caller who starts one
delete_unsent          nothing more: deletes it, or refuses its first message       Twilio, which took no message
add_message            messages.n                                                   a caller who asks for another
remove_unsent_message  messages.n away, or refuses it                               Twilio, which took no message
advance_message        delivery, sid, error_code, chosen_sender of one              Twilio: its answer, its callbacks
reserve_attempt        attempts, reserved_by                                        whoever guesses, before we compare
confirm                state, confirmed_*, proof, feedback of one, feedback_*;      who knew the secret, wrote from the
                       no ttl any more                                              number, or vouches as the caller
report_late            feedback of one, feedback_*; no ttl any more                 who acted on it past its expiry
settle_feedback        feedback of one; last of all: ttl, and no feedback_*         Twilio, which took or refused it
cancel                 state, canceled_by                                           a caller
====================== ============================================================ ====================================

`feedback_*` puts a record into the outbox, and `outbox.py` has its other writes: `postpone` moves `feedback_due_at`
and counts `feedback_failures`, `leave_outbox` takes out what owes nothing.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from otp_feedback.adapters.aws.items import (
    message_map,
    outbox_shard,
    read_verification,
    verification_item,
    verification_key,
)
from otp_feedback.adapters.aws.outbox import TAKE_OUT, not_due
from otp_feedback.adapters.aws.table import ConditionFailed, OnTable, own_or_refused
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.verification import MESSAGE_NUMBERS, Feedback, Message, State, Verification
from otp_feedback.usecases.ports import Confirming, Expectation, Refused

SETTLING_TRIES = 5
"""Meanwhile each of two other messages can fall due and be done once, and each time the other form is right."""


class DynamoDBVerifications(OnTable):
    """`otp_feedback.usecases.ports.Verifications` on DynamoDB."""

    def read(self, verification_id: str) -> Verification | None:
        item = self._table.get(verification_key(verification_id))
        return read_verification(item) if item is not None else None

    def create(self, verification: Verification, ttl: int, request_token: str) -> Refused[Verification] | None:
        try:
            self._table.put_new(verification_item(verification, ttl, request_token))
        except ConditionFailed as failed:
            kept = own_or_refused(failed.item, ("created_by",), request_token, read_verification)
            return kept if isinstance(kept, Refused) else None
        return None

    def delete_unsent(self, verification_id: str, request_token: str) -> None:
        """If something was built on it, it stays, with a message that confirms nothing."""
        deleted = self._table.delete(
            verification_key(verification_id),
            "#created_by = :request AND #state = :pending AND #attempts = :zero AND attribute_not_exists(#messages.#2)",
            {":request": request_token, ":pending": State.PENDING.value, ":zero": 0},
        )
        if not deleted:
            self._refuse_unsent(verification_id, 1, "#created_by", request_token)

    def add_message(
        self, verification_id: str, message: Message, request_token: str
    ) -> Verification | Refused[Verification]:
        # The one before may have been taken back as not sent since its number was read.
        previous = f"#messages.#{message.number - 1}"
        return self._write(
            verification_id,
            "SET #messages.#n = :message",
            f"#state = :pending AND #attempts < #max_attempts AND attribute_exists({previous}) "
            "AND attribute_not_exists(#messages.#n)",
            {":message": message_map(message, request_token), ":pending": State.PENDING.value},
            number=message.number,
            own=(("messages", str(message.number), "added_by"), request_token),
        )

    def remove_unsent_message(self, verification_id: str, number: int, request_token: str) -> None:
        """If a later message was added, it stays, so that the numbers have no gap, and confirms nothing."""
        removed = self._table.update_if_possible(
            verification_key(verification_id),
            "REMOVE #messages.#n",
            "#messages.#n.#added_by = :request AND #state = :pending AND #messages.#n.#delivery = :creating "
            f"AND attribute_not_exists(#messages.#{number + 1})",
            {":request": request_token, ":pending": State.PENDING.value, ":creating": int(Delivery.CREATING)},
            number=number,
        )
        if not removed:
            self._refuse_unsent(verification_id, number, "#messages.#n.#added_by", request_token)

    def _refuse_unsent(self, verification_id: str, number: int, written_by: str, request_token: str) -> None:
        """Mark a message as never sent; its Idempotency-Key is free again."""
        self._table.update_if_possible(
            verification_key(verification_id),
            "SET #messages.#n.#delivery = :rejected REMOVE #messages.#n.#idempotency",
            f"{written_by} = :request AND #messages.#n.#delivery = :creating",
            {":request": request_token, ":creating": int(Delivery.CREATING), ":rejected": int(Delivery.REJECTED)},
            number=number,
        )

    def advance_message(
        self,
        verification_id: str,
        number: int,
        delivery: Delivery,
        sid: str | None = None,
        error_code: int | None = None,
        sender: str | None = None,
    ) -> Verification | Refused[Verification]:
        facts = {"sid": sid, "error_code": error_code, "chosen_sender": sender}
        known = {name: value for name, value in facts.items() if value is not None}
        values = {f":{name}": value for name, value in known.items()}
        sets = "".join(f", #messages.#n.#{name} = :{name}" for name in known)
        condition = "attribute_exists(#messages.#n) AND #messages.#n.#delivery < :floor"
        if sid is not None:
            condition += " AND (attribute_not_exists(#messages.#n.#sid) OR #messages.#n.#sid = :sid)"
        return self._write(
            verification_id,
            f"SET #messages.#n.#delivery = :delivery{sets}",
            condition,
            {":delivery": int(delivery), ":floor": delivery.rank_floor, **values},
            number=number,
        )

    def reserve_attempt(
        self, verification_id: str, actions: frozenset[Action], expect: Expectation, request_token: str
    ) -> Verification | Refused[Verification]:
        allowed, values = _actions_in(actions)
        some_secret = " OR ".join(f"attribute_exists(#messages.#{number}.#digest)" for number in MESSAGE_NUMBERS)
        once = "(attribute_not_exists(#reserved_by) OR #reserved_by <> :request)"
        conditions = [allowed, "#state = :pending", "#attempts < #max_attempts", once, f"({some_secret})"]
        values |= {":one": 1, ":request": request_token, ":pending": State.PENDING.value}
        if expect.to is not None:
            conditions.append("#to = :to")
            values[":to"] = expect.to
        if expect.reference is not None:
            conditions.append("#reference = :reference")
            values[":reference"] = expect.reference
        return self._write(
            verification_id,
            "SET #attempts = #attempts + :one, #reserved_by = :request",
            " AND ".join(conditions),
            values,
            own=(("reserved_by",), request_token),
        )

    def confirm(
        self, verification_id: str, confirming: Confirming, now: int, due_at: int, request_token: str
    ) -> Verification | Refused[Verification]:
        allowed, values = _actions_in(confirming.actions)
        # A message once judged late, perhaps by a clock that is ahead, is reported and stays late.
        conditions = [allowed, "#state = :pending", "#messages.#n.#expires_at > :now", "#messages.#n.#feedback = :none"]
        if confirming.mac is not None:
            conditions.append("#messages.#n.#digest = :mac")
            values[":mac"] = confirming.mac.digest
        else:
            conditions += ["#attempts < #max_attempts", "#messages.#n.#delivery <> :rejected"]
            values[":rejected"] = int(Delivery.REJECTED)
        number = confirming.message or confirming.only
        if confirming.message is None:
            conditions += [_never_sent(other) for other in MESSAGE_NUMBERS if other != number]
            values[":rejected"] = int(Delivery.REJECTED)
        values |= {
            ":pending": State.PENDING.value,
            ":confirmed": State.CONFIRMED.value,
            ":request": request_token,
            ":now": now,
            ":number": number,
            ":proof": confirming.proof.value,
            ":none": Feedback.NONE.value,
            ":due": Feedback.DUE.value,
            ":shard": outbox_shard(verification_id),
            ":due_at": due_at,
        }
        return self._write(
            verification_id,
            "SET #state = :confirmed, #confirmed_by = :request, #confirmed_at = :now, #confirmed_message = :number, "
            "#proof = :proof, #messages.#n.#feedback = :due, #feedback_shard = :shard, #feedback_due_at = :due_at, "
            "#feedback_since = if_not_exists(#feedback_since, :now) REMOVE #ttl",
            " AND ".join(conditions),
            values,
            number=number,
            own=(("confirmed_by",), request_token),
        )

    def report_late(self, verification_id: str, message: Message, due_at: int) -> Verification | Refused[Verification]:
        conditions = ["#state = :pending", "#messages.#n.#feedback = :none"]
        values: dict[str, Any] = {
            ":pending": State.PENDING.value,
            ":none": Feedback.NONE.value,
            ":due": Feedback.DUE.value,
            ":shard": outbox_shard(verification_id),
            ":due_at": due_at,
        }
        if message.mac is not None:
            conditions.append("#messages.#n.#digest = :mac")
            values[":mac"] = message.mac.digest
        return self._write(
            verification_id,
            "SET #messages.#n.#feedback = :due, #feedback_shard = :shard, "
            "#feedback_due_at = if_not_exists(#feedback_due_at, :due_at), "
            "#feedback_since = if_not_exists(#feedback_since, :due_at) REMOVE #ttl",
            " AND ".join(conditions),
            values,
            number=message.number,
        )

    def cancel(self, verification_id: str, request_token: str) -> Verification | Refused[Verification]:
        return self._write(
            verification_id,
            "SET #state = :canceled, #canceled_by = :request",
            "#state = :pending",
            {":canceled": State.CANCELED.value, ":pending": State.PENDING.value, ":request": request_token},
            own=(("canceled_by",), request_token),
        )

    def settle_feedback(self, verification: Verification, number: int, outcome: Feedback, ttl: int) -> None:
        others = [n for n in MESSAGE_NUMBERS if n != number]
        forms = [self._take_out_form(others, ttl), self._keep_form(others)]
        if any(verification.messages[n].feedback is Feedback.DUE for n in others if n in verification.messages):
            forms.reverse()
        for update, condition, values in itertools.islice(itertools.cycle(forms), SETTLING_TRIES):
            written = self._write(
                verification.verification_id,
                f"SET #messages.#n.#feedback = :outcome{update}",
                f"#messages.#n.#feedback = :due AND {condition}",
                {":outcome": outcome.value, ":due": Feedback.DUE.value, **values},
                number=number,
            )
            settled = written if isinstance(written, Verification) else written.current
            if settled is None or settled.messages[number].feedback is not Feedback.DUE:
                return

    def _take_out_form(self, others: Sequence[int], ttl: int) -> tuple[str, str, dict[str, Any]]:
        return f", {TAKE_OUT}", " AND ".join(not_due(n) for n in others), {":ttl": ttl}

    def _keep_form(self, others: Sequence[int]) -> tuple[str, str, dict[str, Any]]:
        """Leaves `feedback_due_at` alone: it may be the lease of another message's inline report."""
        another_is_due = " OR ".join(f"#messages.#{n}.#feedback = :due" for n in others)
        return "", f"({another_is_due})", {}

    def _write(
        self,
        verification_id: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
        number: int | None = None,
        own: tuple[tuple[str, ...], str] | None = None,
    ) -> Verification | Refused[Verification]:
        """Update a verification; `own` names the field that proves a repeated write to be ours."""
        try:
            item = self._table.update(verification_key(verification_id), update, condition, values, number)
        except ConditionFailed as failed:
            field, request_token = own or ((), "")
            return own_or_refused(failed.item, field, request_token, read_verification)
        return read_verification(item)


def _actions_in(actions: frozenset[Action]) -> tuple[str, dict[str, Any]]:
    values = {f":action{index}": action.value for index, action in enumerate(sorted(actions))}
    return f"#action IN ({', '.join(values)})", dict(values)


def _never_sent(number: int) -> str:
    return f"(attribute_not_exists(#messages.#{number}) OR #messages.#{number}.#delivery = :rejected)"
