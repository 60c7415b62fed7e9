"""Reports that are due, in the table's index, and the leases of those who work on them."""

from collections.abc import Sequence

from otp_feedback.adapters.aws.items import (
    INDEX,
    Item,
    lease_key,
    outcomes_key,
    read_due_report,
    read_feedback_since,
    read_outcomes,
    typed,
    verification_key,
)
from otp_feedback.adapters.aws.table import ConditionFailed, OnTable
from otp_feedback.domain.outcomes import added, suspends
from otp_feedback.domain.recipient import DAY_MS
from otp_feedback.domain.verification import MESSAGE_NUMBERS, Feedback
from otp_feedback.usecases.ports import DueReport

TAKE_OUT = "#ttl = :ttl REMOVE #feedback_shard, #feedback_due_at, #feedback_failures, #feedback_since"
"""The part of an update that takes a record out of the outbox and lets it expire."""

ADDING_TRIES = 3
"""Others may add their outcomes meanwhile; then a few of many are lost."""


def not_due(number: int) -> str:
    """The condition that no report of a message is due."""
    return f"(attribute_not_exists(#messages.#{number}.#feedback) OR #messages.#{number}.#feedback <> :due)"


class DynamoDBOutbox(OnTable):
    """`otp_feedback.usecases.ports.Outbox` on DynamoDB."""

    def due_reports(self, shard: int, now: int, limit: int, after: DueReport | None = None) -> Sequence[DueReport]:
        condition, values = "#feedback_shard = :shard AND #feedback_due_at <= :now", {":shard": shard, ":now": now}
        start = {"ExclusiveStartKey": _index_key(after)} if after is not None else {}
        found = self._table.query(INDEX, condition, values, limit, **start)
        return [read_due_report(item, shard) for item in found]

    def first_reports(self, shard: int, limit: int) -> Sequence[DueReport]:
        """The shard's entries whose time comes first, whether it has come or not."""
        found = self._table.query(INDEX, "#feedback_shard = :shard", {":shard": shard}, limit)
        return [read_due_report(item, shard) for item in found]

    def due_since(self, report: DueReport) -> int | None:
        """Epoch milliseconds since when an entry's record has owed a report; None if it owes none any more."""
        item = self._table.get(verification_key(report.verification_id), only="feedback_since")
        return read_feedback_since(item) if item is not None else None

    def lease_shard(self, shard: int, holder: str, now: int, until: int) -> bool:
        return self._table.update_if_possible(
            lease_key(shard),
            "SET #holder = :holder, #until = :until",
            "attribute_not_exists(pk) OR #until <= :now OR #holder = :holder",
            {":holder": holder, ":until": until, ":now": now},
        )

    def release_shard(self, shard: int, holder: str) -> None:
        self._table.update_if_possible(
            lease_key(shard), "SET #until = :zero", "#holder = :holder", {":zero": 0, ":holder": holder}
        )

    def postpone(self, report: DueReport, due_at: int) -> None:
        self._table.update_if_possible(
            verification_key(report.verification_id),
            "SET #feedback_due_at = :due_at ADD #feedback_failures :one",
            "#feedback_due_at = :seen",
            {":due_at": due_at, ":seen": report.due_at, ":one": 1},
        )

    def leave_outbox(self, verification_id: str, ttl: int) -> None:
        condition = " AND ".join(not_due(n) for n in MESSAGE_NUMBERS)
        self._table.update_if_possible(
            verification_key(verification_id),
            f"SET {TAKE_OUT}",
            f"attribute_exists(#feedback_shard) AND {condition}",
            {":ttl": ttl, ":due": Feedback.DUE.value},
        )

    def read_outcomes(self, now: int) -> str:
        return _recent(self._table.get(outcomes_key()), now)

    def add_outcomes(self, more: str, now: int) -> None:
        """Nothing is written if nothing changes, as when all reports go well and none ended in 404 before.

        If an answer is lost, the repeated write finds its own result; if others wrote since, it counts twice.
        """
        item = self._table.get(outcomes_key())
        for _ in range(ADDING_TRIES):
            seen = _noted(item)
            outcomes = added(_recent(item, now), more)
            if outcomes == seen:
                return
            try:
                self._table.update(
                    outcomes_key(),
                    "SET #outcomes = :outcomes, #noted_at = :now",
                    "attribute_not_exists(pk) OR #outcomes = :seen",
                    {":outcomes": outcomes, ":seen": seen, ":now": now},
                )
            except ConditionFailed as failed:
                item = failed.item
                if item is not None and _noted(item) == outcomes:
                    return
            else:
                return


def _noted(item: Item | None) -> str:
    return read_outcomes(item)[0] if item is not None else ""


def _recent(item: Item | None, now: int) -> str:
    """Old outcomes say nothing about today's reports; but 404s stay due until some reports go well."""
    if item is None:
        return ""
    outcomes, noted_at = read_outcomes(item)
    return outcomes if now < noted_at + DAY_MS or suspends(outcomes) else ""


def _index_key(entry: DueReport) -> Item:
    """Where an entry stands in the index; it need not stand there any more."""
    return typed(
        {
            "pk": verification_key(entry.verification_id),
            "feedback_shard": entry.shard,
            "feedback_due_at": entry.due_at,
        }
    )
