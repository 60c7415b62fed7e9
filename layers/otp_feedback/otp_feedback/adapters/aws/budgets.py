"""What recipients, limit keys and the whole stack may still send and guess, in the table.

Recipients and limit keys hold their last sends in slots, the newest in slot 0: its time, and who holds it. A window
allows so many messages: the slot that many places back must be empty, or older than the window. So one update, which
shifts the slots by one, needs no read before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from otp_feedback.adapters.aws.items import limit_key_key, read_recipient, read_sends, recipient_key, sends_key
from otp_feedback.adapters.aws.table import ConditionFailed, OnTable, own_or_refused
from otp_feedback.domain.recipient import DAY_MS, SLOTS, Limits, Recipient, Windows
from otp_feedback.usecases.ports import Refused

RELEASING_TRIES = 5
"""Others may take slots of the same limit key while a slot is looked for."""

NOBODY = "-"
"""Stands in a slot that nobody holds."""


class DynamoDBBudgets(OnTable):
    """`otp_feedback.usecases.ports.Budgets` on DynamoDB."""

    def read_recipient(self, recipient: bytes) -> Recipient | None:
        return self._read(recipient_key(recipient))

    def reserve_send(
        self, recipient: bytes, holder: str, now: int, limits: Limits, request_token: str
    ) -> Recipient | Refused[Recipient]:
        return self._reserve_window(
            recipient_key(recipient),
            limits.recipient,
            _Slots(SLOTS, holder),
            now,
            request_token,
            " AND (attribute_not_exists(#failures) OR #failures < :max_failures)",
            {":max_failures": limits.max_failures},
        )

    def release_send(self, recipient: bytes, request_token: str) -> None:
        self._shift_back(
            recipient_key(recipient), 0, SLOTS, " REMOVE #reserved_by", "#reserved_by = :request", request_token
        )

    def reserve_limit_key(
        self, limit_key: bytes, now: int, windows: Windows, request_token: str
    ) -> Recipient | Refused[Recipient]:
        slots = _Slots(windows.daily, request_token, ttl=(now + 2 * DAY_MS) // 1000)
        return self._reserve_window(limit_key_key(limit_key), windows, slots, now, request_token)

    def release_limit_key(self, limit_key: bytes, windows: Windows, request_token: str) -> None:
        """Other requests with this key may have taken slots since, so the request looks for its own, more than once."""
        key = limit_key_key(limit_key)
        for _ in range(RELEASING_TRIES):
            current = self._read(key)
            if current is None or request_token not in current.holders[: windows.daily]:
                return
            slot = current.holders.index(request_token)
            if self._shift_back(key, slot, windows.daily, "", f"#held_by{slot} = :request", request_token):
                return

    def count_sends(self, hour: int, more: int, ttl: int) -> int:
        values = {":ttl": ttl, ":more": more}
        return read_sends(self._table.update(sends_key(hour), "SET #ttl = :ttl ADD #sends :more", None, values))

    def add_failure(self, recipient: bytes) -> None:
        self._table.update(recipient_key(recipient), "ADD #failures :one", None, {":one": 1})

    def reset_failures(self, recipient: bytes, now: int) -> None:
        update = "SET #failures = :zero, #last_confirmed_at = :now"
        self._table.update(recipient_key(recipient), update, None, {":zero": 0, ":now": now})

    def unlock(self, recipient: bytes) -> Recipient | None:
        """Forget a known recipient's wrong guesses; returns it as it was, None if there is none."""
        try:
            before = self._table.update(
                recipient_key(recipient),
                "SET #failures = :zero",
                "attribute_exists(pk)",
                {":zero": 0},
                returned="ALL_OLD",
            )
        except ConditionFailed:
            return None
        return read_recipient(before)

    def _read(self, key: str) -> Recipient | None:
        item = self._table.get(key)
        return read_recipient(item) if item is not None else None

    def _reserve_window(
        self,
        key: str,
        windows: Windows,
        slots: "_Slots",
        now: int,
        request_token: str,
        condition: str = "",
        values: Mapping[str, Any] = MappingProxyType({}),
    ) -> Recipient | Refused[Recipient]:
        """Shift the slots by one and put `now` into the first, if every window allows it; one update."""
        shifts = ", ".join(
            f"#slot{n} = if_not_exists(#slot{n - 1}, :empty), #held_by{n} = if_not_exists(#held_by{n - 1}, :nobody)"
            for n in range(slots.count - 1, 0, -1)
        )
        conditions = " AND ".join(
            f"(attribute_not_exists(#slot{slot}) OR #slot{slot} <= :window{slot})" for slot, _ in windows.by_slot()
        )
        limits = {f":window{slot}": now - window for slot, window in windows.by_slot()}
        empty = {":empty": 0, ":nobody": NOBODY} if shifts else {}
        keep, kept = (", #ttl = :ttl", {":ttl": slots.ttl}) if slots.ttl is not None else ("", {})
        newest = "#slot0 = :now, #held_by0 = :holder, #reserved_by = :request"
        try:
            item = self._table.update(
                key,
                f"SET {shifts}{', ' if shifts else ''}{newest}{keep}",
                f"(attribute_not_exists(#reserved_by) OR #reserved_by <> :request) AND {conditions}{condition}",
                {":now": now, ":holder": slots.holder, ":request": request_token, **empty, **kept, **limits, **values},
            )
        except ConditionFailed as failed:
            return own_or_refused(failed.item, ("reserved_by",), request_token, read_recipient)
        return read_recipient(item)

    def _shift_back(self, key: str, first: int, count: int, remove: str, condition: str, request_token: str) -> bool:
        """Shift the slots back from `first` on: the send that fell out of the last slot is older than every window."""
        shifts = "".join(f"#slot{n} = #slot{n + 1}, #held_by{n} = #held_by{n + 1}, " for n in range(first, count - 1))
        return self._table.update_if_possible(
            key,
            f"SET {shifts}#slot{count - 1} = :empty, #held_by{count - 1} = :nobody{remove}",
            condition,
            {":empty": 0, ":nobody": NOBODY, ":request": request_token},
        )


@dataclass(frozen=True, slots=True)
class _Slots:
    count: int
    holder: str = NOBODY
    ttl: int | None = None
