"""Finds and erases what the table holds of a number; for the operator, since no function's role may scan or erase."""

from collections.abc import Iterable, Sequence

from otp_feedback.adapters.aws.items import (
    inbound_key,
    inbound_sid_of,
    plain,
    read_binding,
    read_recipient,
    read_verification,
    recipient_key,
    verification_key,
)
from otp_feedback.adapters.aws.table import OnTable
from otp_feedback.domain.recipient import Recipient
from otp_feedback.domain.verification import Verification


class DynamoDBErasure(OnTable):
    """Finds a number's items by reading the whole table, and deletes those that nobody used meanwhile."""

    def verifications_to(self, numbers: Sequence[str]) -> tuple[Verification, ...]:
        """The verifications of any of these numbers; reads the whole table."""
        forms = {f":to{index}": number for index, number in enumerate(numbers)}
        condition = f"begins_with(pk, :kind) AND #to IN ({', '.join(forms)})"
        return tuple(map(read_verification, self._table.scan(condition, {":kind": verification_key(""), **forms})))

    def recipients(self, digests: Iterable[bytes]) -> dict[bytes, Recipient]:
        """Those of these recipients that exist."""
        items = {digest: self._table.get(recipient_key(digest)) for digest in digests}
        return {digest: read_recipient(item) for digest, item in items.items() if item is not None}

    def bound_to(self, verification_ids: Iterable[str]) -> dict[str, str]:
        """The SIDs of inbound messages and calls, and which of these verifications each is put to; reads it all."""
        items, wanted = self._table.scan("begins_with(pk, :kind)", {":kind": inbound_key("")}), set(verification_ids)
        bindings = {inbound_sid_of(plain(item)["pk"]): read_binding(item)[0] for item in items}
        return {sid: verification_id for sid, verification_id in bindings.items() if verification_id in wanted}

    def delete_verification(self, seen: Verification) -> bool:
        """Delete a record unless an action was confirmed, or a report fell due, since it was seen."""
        condition = "#state = :seen"
        if seen.feedback_due_at is None:
            condition += " AND attribute_not_exists(#feedback_shard)"
        return self._table.delete(
            verification_key(seen.verification_id),
            f"attribute_not_exists(pk) OR ({condition})",
            {":seen": seen.state.value},
        )

    def delete_recipient(self, recipient: bytes, seen: Recipient) -> bool:
        """Delete the budgets unless a message was sent since they were seen."""
        last = seen.sends[0] if seen.sends else 0
        return self._table.delete(
            recipient_key(recipient), "attribute_not_exists(#slot0) OR #slot0 = :last", {":last": last}
        )

    def rebind(self, inbound_sids: Iterable[str], binding: tuple[str, int]) -> None:
        """Bind inbound messages and calls to another verification's message, for ever."""
        verification_id, number = binding
        for sid in inbound_sids:
            self._table.update_if_possible(
                inbound_key(sid),
                "SET #bound_to = :verification, #bound_message = :number",
                "attribute_exists(pk)",
                {":verification": verification_id, ":number": number},
            )
