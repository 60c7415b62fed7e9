"""Which verification each inbound message or call was put to, in the table."""

from otp_feedback.adapters.aws.items import binding_item, inbound_key, read_binding, recipient_key
from otp_feedback.adapters.aws.table import ConditionFailed, OnTable
from otp_feedback.domain.errors import Unavailable


class DynamoDBInboundBindings(OnTable):
    """`otp_feedback.usecases.ports.InboundBindings` on DynamoDB."""

    def bound_inbound(self, inbound_sid: str) -> tuple[str, int] | None:
        item = self._table.get(inbound_key(inbound_sid))
        return read_binding(item) if item is not None else None

    def bind_inbound(self, inbound_sid: str, verification_id: str, number: int) -> tuple[str, int]:
        try:
            self._table.put_new(binding_item(inbound_sid, verification_id, number))
        except ConditionFailed as failed:
            if failed.item is None:
                raise Unavailable from None
            return read_binding(failed.item)
        return verification_id, number

    def note_inbound(self, recipient: bytes, now: int) -> None:
        self._table.update_if_possible(
            recipient_key(recipient), "SET #last_inbound_at = :now", "attribute_exists(pk)", {":now": now}
        )
