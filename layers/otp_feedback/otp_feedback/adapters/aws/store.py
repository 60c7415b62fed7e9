"""The store: one table, conditional updates only."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.aws.items import (
    Item,
    inbound_key,
    lease_key,
    limit_key_key,
    message_fields,
    outbox_shard,
    outcomes_key,
    plain,
    read_recipient,
    read_verification,
    recipient_key,
    sends_key,
    typed,
    verification_item,
    verification_key,
)
from otp_feedback.adapters.invocation import TimeLeft, unlimited
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.errors import Unavailable
from otp_feedback.domain.outcomes import added, suspends
from otp_feedback.domain.recipient import DAY_MS, SLOTS, Limits, Recipient, Windows
from otp_feedback.domain.verification import Feedback, Message, State, Verification
from otp_feedback.usecases.ports import Confirming, DueReport, Expectation, Refused

INDEX = "feedback-due"

OUTBOX_FIELDS = "#feedback_shard, #feedback_due_at, #fn, #fs"

SETTLING_TRIES = 5
"""Each of two other messages can fall due and be done once while we try: each time the other form is the right one."""

RELEASING_TRIES = 5
"""Others may take slots of the same limit key while a slot is looked for."""

ADDING_TRIES = 3
"""Others may add how their reports ended meanwhile; what then is lost are few of many."""

NOBODY = "-"
"""Stands in a slot that nobody holds."""


_PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


class DynamoDBClient(Protocol):
    """The calls of boto3's low-level client that the store makes."""

    def put_item(self, **request: Any) -> Any: ...
    def get_item(self, **request: Any) -> Any: ...
    def update_item(self, **request: Any) -> Any: ...
    def delete_item(self, **request: Any) -> Any: ...
    def query(self, **request: Any) -> Any: ...


class ConditionFailed(Exception):
    """The condition of a write did not hold; carries the item as it stood."""

    def __init__(self, item: Item | None) -> None:
        super().__init__()
        self.item = item


class DynamoDBStore:
    """`otp_feedback.usecases.ports.Store` on DynamoDB.

    Parameters
    ----------
    client
        A low-level client made with `CLIENT_CONFIG`, or with `ONE_TRY_CONFIG`.
    table
        The name of the table `Verifications`.
    time_left
        Tells the seconds that are left; no call is begun that might outlast them.
    longest_call_s
        Seconds that a call of the client may take.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        time_left: TimeLeft = unlimited,
        longest_call_s: float = LONGEST_CALL_S,
    ) -> None:
        self._client = client
        self._table = table
        self._time_left = time_left
        self._longest_call_s = longest_call_s

    def reserve_send(
        self, recipient: bytes, holder: str, now: int, limits: Limits, request_token: str
    ) -> Recipient | Refused[Recipient]:
        return self._reserve_window(
            recipient_key(recipient),
            limits.recipient,
            _Slots(SLOTS, holder),
            now,
            request_token,
            " AND (attribute_not_exists(#f) OR #f < :failures)",
            {":failures": limits.max_failures},
        )

    def release_send(self, recipient: bytes, request_token: str) -> None:
        self._shift_back(recipient_key(recipient), 0, SLOTS, " REMOVE #rb", "#rb = :request", request_token)

    def reserve_limit_key(
        self, limit_key: bytes, now: int, windows: Windows, request_token: str
    ) -> Recipient | Refused[Recipient]:
        slots = _Slots(windows.daily, request_token, ttl=(now + 2 * DAY_MS) // 1000)
        return self._reserve_window(limit_key_key(limit_key), windows, slots, now, request_token)

    def _read_limit_key(self, limit_key: bytes) -> Recipient | None:
        item = self._get(limit_key_key(limit_key))
        return read_recipient(item) if item is not None else None

    def release_limit_key(self, limit_key: bytes, windows: Windows, request_token: str) -> None:
        """Others of this key may have taken slots since: the request's own is looked for, and looked for again."""
        for _ in range(RELEASING_TRIES):
            current = self._read_limit_key(limit_key)
            if current is None or request_token not in current.holders[: windows.daily]:
                return
            slot = current.holders.index(request_token)
            condition = f"#v{slot} = :request"
            if self._shift_back(limit_key_key(limit_key), slot, windows.daily, "", condition, request_token):
                return

    def count_sends(self, hour: int, more: int, ttl: int) -> int:
        item = self._update(sends_key(hour), "SET #ttl = :ttl ADD #sends :more", None, {":ttl": ttl, ":more": more})
        return int(plain(item)["sends"])

    def read_recipient(self, recipient: bytes) -> Recipient | None:
        item = self._get(recipient_key(recipient))
        return read_recipient(item) if item is not None else None

    def bind_inbound(self, inbound_sid: str, verification_id: str, number: int) -> tuple[str, int]:
        try:
            self._call(
                self._client.put_item,
                Item=typed({"pk": inbound_key(inbound_sid), "v": verification_id, "n": number}),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failed:
            if failed.item is None:
                raise Unavailable from None
            return _binding(failed.item)
        return verification_id, number

    def note_inbound(self, recipient: bytes, now: int) -> None:
        self._update_if_possible(recipient_key(recipient), "SET #li = :now", "attribute_exists(pk)", {":now": now})

    def bound_inbound(self, inbound_sid: str) -> tuple[str, int] | None:
        item = self._get(inbound_key(inbound_sid))
        return _binding(item) if item is not None else None

    def create(self, verification: Verification, ttl: int, request_token: str) -> Refused[Verification] | None:
        try:
            self._call(
                self._client.put_item,
                Item=verification_item(verification, ttl, request_token),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as failed:
            kept = _own_or_refused(failed.item, ("wb",), request_token, read_verification)
            return kept if isinstance(kept, Refused) else None
        return None

    def delete_unsent(self, verification_id: str, request_token: str) -> None:
        """Where something was built on it, it stays, with a message that nobody can confirm by."""
        try:
            self._call(
                self._client.delete_item,
                Key=typed({"pk": verification_key(verification_id)}),
                ConditionExpression="#wb = :request AND #st = :pending AND #at = :zero "
                "AND attribute_not_exists(#ms.#2)",
                ExpressionAttributeNames={"#wb": "wb", "#st": "st", "#at": "at", "#ms": "ms", "#2": "2"},
                ExpressionAttributeValues=typed(
                    {":request": request_token, ":pending": State.PENDING.value, ":zero": 0}
                ),
            )
        except ConditionFailed:
            self._refuse_unsent(verification_id, 1, "#wb", request_token)

    def read(self, verification_id: str) -> Verification | None:
        item = self._get(verification_key(verification_id))
        return read_verification(item) if item is not None else None

    def add_message(
        self, verification_id: str, message: Message, request_token: str
    ) -> Verification | Refused[Verification]:
        # The one before may have been taken back as not sent since its number was read.
        previous = f"#ms.#{message.number - 1}"
        return self._write(
            verification_id,
            "SET #ms.#n = :message",
            f"#st = :pending AND #at < #mx AND attribute_exists({previous}) AND attribute_not_exists(#ms.#n)",
            {":message": message_fields(message) | {"w": request_token}, ":pending": State.PENDING.value},
            number=message.number,
            own=(("ms", str(message.number), "w"), request_token),
        )

    def remove_unsent_message(self, verification_id: str, number: int, request_token: str) -> None:
        """Where a later message was added, it stays, so that the numbers have no gap, and nobody can confirm by it."""
        removed = self._update_if_possible(
            verification_key(verification_id),
            "REMOVE #ms.#n",
            "#ms.#n.#w = :request AND #st = :pending AND #ms.#n.#d = :creating "
            f"AND attribute_not_exists(#ms.#{number + 1})",
            {":request": request_token, ":pending": State.PENDING.value, ":creating": int(Delivery.CREATING)},
            number=number,
        )
        if not removed:
            self._refuse_unsent(verification_id, number, "#ms.#n.#w", request_token)

    def _refuse_unsent(self, verification_id: str, number: int, written_by: str, request_token: str) -> None:
        """Mark a message as never sent; its Idempotency-Key is free again."""
        self._update_if_possible(
            verification_key(verification_id),
            "SET #ms.#n.#d = :rejected REMOVE #ms.#n.#i",
            f"{written_by} = :request AND #ms.#n.#d = :creating",
            {":request": request_token, ":creating": int(Delivery.CREATING), ":rejected": int(Delivery.REJECTED)},
            number=number,
        )

    def advance_message(
        self,
        verification_id: str,
        number: int,
        delivery: Delivery,
        now: int,
        sid: str | None = None,
        error_code: int | None = None,
        sender: str | None = None,
    ) -> Verification | Refused[Verification]:
        facts = {"s": sid, "e": error_code, "o": sender}
        known = {name: value for name, value in facts.items() if value is not None}
        sets = "".join(f", #ms.#n.#{name} = :{name}" for name in known)
        condition = "attribute_exists(#ms.#n) AND #ms.#n.#d < :floor"
        if sid is not None:
            condition += " AND (attribute_not_exists(#ms.#n.#s) OR #ms.#n.#s = :s)"
        return self._write(
            verification_id,
            f"SET #ms.#n.#d = :d, #ms.#n.#t = :now{sets}",
            condition,
            {":d": int(delivery), ":floor": delivery.rank_floor, ":now": now, **{f":{k}": v for k, v in known.items()}},
            number=number,
        )

    def reserve_attempt(
        self, verification_id: str, actions: frozenset[Action], expect: Expectation, request_token: str
    ) -> Verification | Refused[Verification]:
        allowed, values = _in_list("ac", [action.value for action in sorted(actions)])
        some_secret = " OR ".join(f"attribute_exists(#ms.#{number}.#m)" for number in (1, 2, 3))
        conditions = [allowed, "#st = :pending", "#at < #mx", "(attribute_not_exists(#rb) OR #rb <> :request)"]
        conditions.append(f"({some_secret})")
        values |= {":one": 1, ":request": request_token, ":pending": State.PENDING.value}
        if expect.to is not None:
            conditions.append("#to = :to")
            values[":to"] = expect.to
        if expect.reference is not None:
            conditions.append("#rf = :reference")
            values[":reference"] = expect.reference
        return self._write(
            verification_id,
            "SET #at = #at + :one, #rb = :request",
            " AND ".join(conditions),
            values,
            own=(("rb",), request_token),
        )

    def add_failure(self, recipient: bytes) -> None:
        self._update(recipient_key(recipient), "ADD #f :one", None, {":one": 1})

    def reset_failures(self, recipient: bytes, now: int) -> None:
        self._update(recipient_key(recipient), "SET #f = :zero, #lc = :now", None, {":zero": 0, ":now": now})

    def confirm(
        self, verification_id: str, confirming: Confirming, now: int, due_at: int, request_token: str
    ) -> Verification | Refused[Verification]:
        allowed, values = _in_list("ac", [action.value for action in sorted(confirming.actions)])
        # What was judged to be late, perhaps by a clock that is ahead, is reported and stays late.
        conditions = [allowed, "#st = :pending", "#ms.#n.#x > :now", "#ms.#n.#f = :none"]
        if confirming.mac is not None:
            conditions.append("#ms.#n.#m = :mac")
            values[":mac"] = confirming.mac.digest
        else:
            conditions += ["#at < #mx", "#ms.#n.#d <> :rejected"]
            values[":rejected"] = int(Delivery.REJECTED)
        number = confirming.message or confirming.only
        if confirming.message is None:
            conditions += [_never_sent(other) for other in (1, 2, 3) if other != number]
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
            "SET #st = :confirmed, #cb = :request, #ct = :now, #cm = :number, #cp = :proof, #ms.#n.#f = :due, "
            "#feedback_shard = :shard, #feedback_due_at = :due_at, #fs = if_not_exists(#fs, :now) REMOVE #ttl",
            " AND ".join(conditions),
            values,
            number=number,
            own=(("cb",), request_token),
        )

    def report_late(self, verification_id: str, message: Message, due_at: int) -> Verification | Refused[Verification]:
        conditions = ["#st = :pending", "#ms.#n.#f = :none"]
        values: dict[str, Any] = {
            ":pending": State.PENDING.value,
            ":none": Feedback.NONE.value,
            ":due": Feedback.DUE.value,
            ":shard": outbox_shard(verification_id),
            ":due_at": due_at,
        }
        if message.mac is not None:
            conditions.append("#ms.#n.#m = :mac")
            values[":mac"] = message.mac.digest
        return self._write(
            verification_id,
            "SET #ms.#n.#f = :due, #feedback_shard = :shard, "
            "#feedback_due_at = if_not_exists(#feedback_due_at, :due_at), "
            "#fs = if_not_exists(#fs, :due_at) REMOVE #ttl",
            " AND ".join(conditions),
            values,
            number=message.number,
        )

    def cancel(self, verification_id: str, request_token: str) -> Verification | Refused[Verification]:
        return self._write(
            verification_id,
            "SET #st = :canceled, #xb = :request",
            "#st = :pending",
            {":canceled": State.CANCELED.value, ":pending": State.PENDING.value, ":request": request_token},
            own=(("xb",), request_token),
        )

    def settle_feedback(self, verification: Verification, number: int, outcome: Feedback, ttl: int) -> None:
        others = [n for n in (1, 2, 3) if n != number]
        forms = [self._take_out_form(others, ttl), self._keep_form(others)]
        if any(verification.messages[n].feedback is Feedback.DUE for n in others if n in verification.messages):
            forms.reverse()
        for update, condition, values in itertools.islice(itertools.cycle(forms), SETTLING_TRIES):
            written = self._write(
                verification.verification_id,
                f"SET #ms.#n.#f = :outcome{update}",
                f"#ms.#n.#f = :due AND {condition}",
                {":outcome": outcome.value, ":due": Feedback.DUE.value, **values},
                number=number,
            )
            settled = written if isinstance(written, Verification) else written.current
            if settled is None or settled.messages[number].feedback is not Feedback.DUE:
                return

    def leave_outbox(self, verification_id: str, ttl: int) -> None:
        condition = " AND ".join(_not_due(n) for n in (1, 2, 3))
        self._update_if_possible(
            verification_key(verification_id),
            f"SET #ttl = :ttl REMOVE {OUTBOX_FIELDS}",
            f"attribute_exists(#feedback_shard) AND {condition}",
            {":ttl": ttl, ":due": Feedback.DUE.value},
        )

    def due_reports(self, shard: int, now: int, limit: int, after: DueReport | None = None) -> Sequence[DueReport]:
        start = {"ExclusiveStartKey": typed(_index_key(after))} if after is not None else {}
        answer = self._call(
            self._client.query,
            IndexName=INDEX,
            KeyConditionExpression="#shard = :shard AND #due_at <= :now",
            ExpressionAttributeNames={"#shard": "feedback_shard", "#due_at": "feedback_due_at"},
            ExpressionAttributeValues=typed({":shard": shard, ":now": now}),
            Limit=limit,
            **start,
        )
        return [
            DueReport(fields["pk"].removeprefix("V#"), shard, int(fields["feedback_due_at"]))
            for fields in map(plain, answer["Items"])
        ]

    def lease_shard(self, shard: int, holder: str, now: int, until: int) -> bool:
        try:
            self._update(
                lease_key(shard),
                "SET #holder = :holder, #until = :until",
                "attribute_not_exists(pk) OR #until <= :now OR #holder = :holder",
                {":holder": holder, ":until": until, ":now": now},
            )
        except ConditionFailed:
            return False
        return True

    def release_shard(self, shard: int, holder: str) -> None:
        self._update_if_possible(
            lease_key(shard), "SET #until = :zero", "#holder = :holder", {":zero": 0, ":holder": holder}
        )

    def postpone(self, report: DueReport, due_at: int) -> None:
        self._update_if_possible(
            verification_key(report.verification_id),
            "SET #feedback_due_at = :due_at ADD #fn :one",
            "#feedback_due_at = :seen",
            {":due_at": due_at, ":seen": report.due_at, ":one": 1},
        )

    def read_outcomes(self, now: int) -> str:
        return _outcomes(self._get(outcomes_key()), now)

    def add_outcomes(self, more: str, now: int) -> None:
        """Nothing is written where it changes nothing, as with reports that went well while none ended in 404.

        A repetition after a lost answer finds what it was to write; where others wrote since, it counts twice.
        """
        item = self._get(outcomes_key())
        for _ in range(ADDING_TRIES):
            seen = item["o"] if item is not None else {"S": ""}
            outcomes = added(_outcomes(item, now), more)
            if outcomes == seen["S"]:
                return
            try:
                self._update(
                    outcomes_key(),
                    "SET #o = :outcomes, #at = :now",
                    "attribute_not_exists(pk) OR #o = :seen",
                    {":outcomes": outcomes, ":seen": seen["S"], ":now": now},
                )
            except ConditionFailed as failed:
                item = failed.item
                if item is not None and item["o"] == {"S": outcomes}:
                    return
            else:
                return

    def _take_out_form(self, others: Sequence[int], ttl: int) -> tuple[str, str, dict[str, Any]]:
        update = f", #ttl = :ttl REMOVE {OUTBOX_FIELDS}"
        return update, " AND ".join(_not_due(n) for n in others), {":ttl": ttl}

    def _keep_form(self, others: Sequence[int]) -> tuple[str, str, dict[str, Any]]:
        """Leaves `feedback_due_at` alone: it may be the lease of another message's inline report."""
        another_is_due = " OR ".join(f"#ms.#{n}.#f = :due" for n in others)
        return "", f"({another_is_due})", {}

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
            f"#{name}{slot} = if_not_exists(#{name}{slot - 1}, :empty{name})"
            for slot in range(slots.count - 1, 0, -1)
            for name in ("s", "v")
        )
        conditions = " AND ".join(
            f"(attribute_not_exists(#s{slot}) OR #s{slot} <= :w{slot})" for slot, _ in windows.by_slot()
        )
        limits = {f":w{slot}": now - window for slot, window in windows.by_slot()}
        empty = {":emptys": 0, ":emptyv": NOBODY} if shifts else {}
        keep, kept = (", #ttl = :ttl", {":ttl": slots.ttl}) if slots.ttl is not None else ("", {})
        try:
            item = self._update(
                key,
                f"SET {shifts}{', ' if shifts else ''}#s0 = :now, #v0 = :holder, #rb = :request{keep}",
                f"(attribute_not_exists(#rb) OR #rb <> :request) AND {conditions}{condition}",
                {":now": now, ":holder": slots.holder, ":request": request_token, **empty, **kept, **limits, **values},
            )
        except ConditionFailed as failed:
            return _own_or_refused(failed.item, ("rb",), request_token, read_recipient)
        return read_recipient(item)

    def _shift_back(self, key: str, first: int, count: int, remove: str, condition: str, request_token: str) -> bool:
        """Shift the slots back from `first` on: what fell out of the last one was older than every window."""
        shifts = "".join(f"#{name}{slot} = #{name}{slot + 1}, " for slot in range(first, count - 1) for name in "sv")
        return self._update_if_possible(
            key,
            f"SET {shifts}#s{count - 1} = :zero, #v{count - 1} = :nobody{remove}",
            condition,
            {":zero": 0, ":nobody": NOBODY, ":request": request_token},
        )

    def _get(self, key: str) -> Item | None:
        answer = self._call(self._client.get_item, Key=typed({"pk": key}), ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

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
            item = self._update(verification_key(verification_id), update, condition, values, number)
        except ConditionFailed as failed:
            field, request_token = own or ((), "")
            return _own_or_refused(failed.item, field, request_token, read_verification)
        return read_verification(item)

    def _update_if_possible(
        self, key: str, update: str, condition: str, values: Mapping[str, Any], number: int | None = None
    ) -> bool:
        try:
            self._update(key, update, condition, values, number)
        except ConditionFailed:
            return False
        return True

    def _update(
        self, key: str, update: str, condition: str | None, values: Mapping[str, Any], number: int | None = None
    ) -> Item:
        """One UpdateItem; a record must exist already, a recipient need not.

        Every `#name` of an expression stands for the attribute of that name, and `#n` for the message's number.
        """
        request: dict[str, Any] = {}
        if condition is not None:
            guard = "attribute_exists(pk) AND " if key.startswith("V#") else ""
            request["ConditionExpression"] = guard + condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        names = {name: name[1:] for name in re.findall(r"#\w+", f"{update} {condition or ''}")}
        if "#n" in names:
            names["#n"] = str(number)
        answer = self._call(
            self._client.update_item,
            Key=typed({"pk": key}),
            UpdateExpression=update,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=typed(values),
            ReturnValues="ALL_NEW",
            **request,
        )
        item: Item = answer["Attributes"]
        return item

    def _call(self, operation: Callable[..., Any], **request: Any) -> Any:
        """The one place where the client's errors become ours.

        Raises
        ------
        ConditionFailed
            The condition did not hold.
        Unavailable
            DynamoDB throttled, failed or did not answer in time.
        """
        if self._time_left() < self._longest_call_s:
            raise Unavailable
        try:
            return operation(TableName=self._table, **request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "ConditionalCheckFailedException":
                raise ConditionFailed(error.response.get("Item")) from None  # type: ignore[arg-type]
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in _PASSING or status >= 500:
                raise Unavailable from error
            raise
        except (ConnectionError, HTTPClientError) as error:
            raise Unavailable from error


@dataclass(frozen=True, slots=True)
class _Slots:
    count: int
    holder: str = NOBODY
    ttl: int | None = None


def _own_or_refused[T](
    item: Item | None, field: tuple[str, ...], request_token: str, read: Callable[[Item], T]
) -> T | Refused[T]:
    """A failed condition is a success where the item shows that an earlier try of this same write was applied.

    `field` is the path to this kind of write's field; empty where there is none.
    """
    if item is None:
        return Refused(None)
    value: Any = {"M": item}
    for name in field:
        value = value.get("M", {}).get(name, {})
    return read(item) if field and value == {"S": request_token} else Refused(read(item))


def _outcomes(item: Item | None, now: int) -> str:
    """What ended long ago says nothing of today's reports, except that 404s stay due until some go well."""
    if item is None:
        return ""
    fields = plain(item)
    outcomes = str(fields["o"])
    return outcomes if now < fields["at"] + DAY_MS or suspends(outcomes) else ""


def _binding(item: Item) -> tuple[str, int]:
    fields = plain(item)
    return fields["v"], int(fields["n"])


def _index_key(entry: DueReport) -> dict[str, Any]:
    """Where an entry stands in the index; it need not stand there any more."""
    return {
        "pk": verification_key(entry.verification_id),
        "feedback_shard": entry.shard,
        "feedback_due_at": entry.due_at,
    }


def _in_list(name: str, values: Sequence[str]) -> tuple[str, dict[str, Any]]:
    placeholders = {f":{name}{index}": value for index, value in enumerate(values)}
    return f"#{name} IN ({', '.join(placeholders)})", dict(placeholders)


def _never_sent(number: int) -> str:
    return f"(attribute_not_exists(#ms.#{number}) OR #ms.#{number}.#d = :rejected)"


def _not_due(number: int) -> str:
    return f"(attribute_not_exists(#ms.#{number}.#f) OR #ms.#{number}.#f <> :due)"
