"""The in-memory DynamoDB that the other proofs stand on does what moto does, with whatever the store can send.

How: each method of the store's ports is called with drawn arguments on drawn items; a client in between sends each
request to both engines and compares answer, error and the item that is left. The methods are read off the port, and
each must have been seen to succeed and, where it has a condition, to fail, so that no new expression stays unseen.
What AWS refuses is listed by hand. 8 examples of up to three calls for each method; 200 with `-m heavy`.
"""

import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from otp_feedback.adapters.aws.items import lease_key, outbox_shard, outcomes_key, typed, verification_item
from otp_feedback.domain.actions import Action
from otp_feedback.domain.delivery import Delivery
from otp_feedback.domain.ids import encode_id
from otp_feedback.domain.keys import Mac
from otp_feedback.domain.recipient import DAY_MS, HOUR_MS, Limits, Windows
from otp_feedback.domain.verification import Feedback, Message, Proof, State, Verification
from otp_feedback.usecases.ports import (
    Budgets,
    Confirming,
    DueReport,
    Expectation,
    InboundBindings,
    Outbox,
    Verifications,
)
from tests.promises.executor import Executor
from tests.promises.races_arena import TABLE
from tests.promises.races_engines import moto
from tests.service import DynamoDBStore

NOW = 1_760_000_000_000
TOKEN, OTHER_TOKEN = "token", "another-token"
METHODS = sorted(
    name
    for port in (Budgets, InboundBindings, Outbox, Verifications)
    for name, member in vars(port).items()
    if callable(member) and not name.startswith("_")
)
EXAMPLES = [8, pytest.param(200, marks=pytest.mark.heavy)]
UNCONDITIONAL = {
    "add_failure",
    "count_sends",
    "due_reports",
    "read",
    "read_outcomes",
    "read_recipient",
    "reset_failures",
}
NEVER_REFUSED = {"add_outcomes", "bind_inbound", "bound_inbound", "release_limit_key"}
CALLS_A_SECOND = 20_000

numbers = itertools.count(1)
seen: defaultdict[str, set[str]] = defaultdict(set)


class Both:
    """A client of two engines that must not be told apart."""

    def __init__(self, trusted: Any, ours: Executor) -> None:
        self.method = ""
        self._trusted = trusted
        self._ours = ours

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            trusted, error = _outcome(getattr(self._trusted, operation), request)
            ours, our_error = _outcome(getattr(self._ours, operation), request)
            assert _code(our_error) == _code(error), (operation, request)
            assert _comparable(ours) == _comparable(trusted), (operation, request)
            if operation in {"put_item", "delete_item"}:
                self._compare_what_is_left(request.get("Key", request.get("Item")))
            seen[self.method].add(_code(our_error) or "carried out")
            if our_error is not None:
                raise our_error
            return ours

        return call

    def _compare_what_is_left(self, fields: Any) -> None:
        """An update's answer holds the item; these answers do not."""
        left = self._trusted.get_item(TableName=TABLE, Key={"pk": fields["pk"]}, ConsistentRead=True).get("Item")
        assert _plain(self._ours.peek(fields["pk"]["S"])) == _plain(left)


def _outcome(operation: Callable[..., Any], request: dict[str, Any]) -> tuple[Any, ClientError | None]:
    try:
        return operation(**request), None
    except ClientError as error:
        return {"Item": error.response.get("Item")}, error


def _code(error: ClientError | None) -> str | None:
    return error.response["Error"]["Code"] if error is not None else None


def _comparable(answer: dict[str, Any]) -> Any:
    if "Items" in answer:
        return sorted((each["feedback_due_at"]["N"], each["pk"]["S"]) for each in answer["Items"])
    return _plain(answer.get("Attributes") or answer.get("Item"))


def _plain(item: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()} if item is not None else None


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with moto() as engine:
        yield Both(engine.client, Executor(TABLE))


shards = st.integers(0, 15)
digests = st.sampled_from([b"\1" * 32, b"\2" * 32])
times = st.sampled_from([NOW - DAY_MS - 1, NOW - HOUR_MS - 1, NOW - 31_000, NOW - 1, NOW, NOW + 1, NOW + 600_000])
writers = st.sampled_from([TOKEN, OTHER_TOKEN])
sids = st.sampled_from(["SM1", "SM2"])
macs = st.builds(Mac, st.just("0"), digests)
limits = st.builds(
    Limits,
    st.builds(Windows, st.sampled_from([0, 30]), st.integers(1, 5), st.sampled_from([5, 10])),
    st.builds(Windows, st.sampled_from([0, 30]), st.integers(1, 3), st.sampled_from([1, 3])),
    st.integers(1, 5),
)


def messages(number: int) -> st.SearchStrategy[Message]:
    return st.builds(
        Message,
        st.just(number),
        times,
        times,
        st.none() | macs,
        st.none() | sids,
        st.sampled_from(Delivery),
        st.none() | st.just(30003),
        st.sampled_from(Feedback),
        st.none() | st.just(b"\3" * 24),
    )


@st.composite
def records(draw: st.DrawFn) -> tuple[str, dict[str, Any] | None]:
    """A verification's id and its item; None where there is none."""
    verification_id = encode_id(next(numbers).to_bytes(16))
    if draw(st.integers(0, 9)) == 0:
        return verification_id, None
    count = draw(st.integers(1, 3))
    verification = Verification(
        verification_id=verification_id,
        action=draw(st.sampled_from(Action)),
        to=draw(st.sampled_from(["+15005550100", "+15005550101"])),
        created_at=NOW - 60_000,
        max_attempts=5,
        messages={number: draw(messages(number)) for number in range(1, count + 1)},
        sender="+15005550001",
        state=draw(st.sampled_from([State.PENDING, State.PENDING, State.CONFIRMED, State.CANCELED])),
        attempts=draw(st.sampled_from([0, 0, 4, 5])),
        reference=draw(st.none() | st.just("order-1")),
    )
    item = verification_item(verification, NOW // 1000, draw(writers))
    for name in ("rb", "cb", "xb"):
        item |= typed({name: draw(writers)} if draw(st.booleans()) else {})
    for message in item["ms"]["M"].values():
        message["M"] |= typed({"w": draw(writers)} if draw(st.booleans()) else {})
    if draw(st.booleans()):
        del item["ttl"]
        item |= typed({"feedback_shard": outbox_shard(verification_id), "feedback_due_at": draw(times), "fs": NOW})
    return verification_id, item


@st.composite
def counted(draw: st.DrawFn, prefix: str) -> tuple[bytes, dict[str, Any] | None]:
    """A recipient's or a limit key's digest and its item."""
    digest = next(numbers).to_bytes(16)
    if draw(st.integers(0, 4)) == 0:
        return digest, None
    sends = sorted(draw(st.lists(times, max_size=10)), reverse=True)
    fields: dict[str, Any] = {"pk": f"{prefix}#{digest.hex()}"}
    fields |= {f"s{slot}": at for slot, at in enumerate(sends)}
    fields |= {f"v{slot}": draw(st.just("-") | writers) for slot, _ in enumerate(sends)}
    fields |= draw(st.sampled_from([{}, {"f": 3}, {"f": 99}, {"f": 0, "lc": NOW}]))
    return digest, typed(fields | ({"rb": draw(writers)} if draw(st.booleans()) else {}))


def _confirmings() -> st.SearchStrategy[Confirming]:
    numbered = st.none() | st.integers(1, 3)
    return st.builds(Confirming, numbered, st.none() | macs, actions, st.sampled_from(Proof), st.integers(1, 3))


actions = st.frozensets(st.sampled_from(Action), min_size=1)
expectations = st.builds(
    Expectation, st.none() | st.just("+15005550100"), st.none() | st.sampled_from(["order-1", "order-2"])
)


def _on_record(*arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    calls = st.lists(st.tuples(*arguments), min_size=1, max_size=3)
    return st.builds(lambda record, each: (record[1], [(record[0], *rest) for rest in each]), records(), calls)


def _on_counted(prefix: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    calls = st.lists(st.tuples(*arguments), min_size=1, max_size=3)
    return st.builds(lambda item, each: (item[1], [(item[0], *rest) for rest in each]), counted(prefix), calls)


def _on_shard(*arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda calls: (None, calls), st.lists(st.tuples(*arguments), min_size=1, max_size=4))


@st.composite
def _creations(draw: st.DrawFn) -> tuple[dict[str, Any] | None, list[Any]]:
    verification_id, item = draw(records())
    new = Verification(
        verification_id, Action.CODE, "+15005550100", NOW, 5, {1: draw(messages(1))}, sender="+15005550001"
    )
    return item if draw(st.booleans()) else None, [(new, NOW // 1000, draw(writers))] * draw(st.integers(1, 2))


@st.composite
def _bindings(draw: st.DrawFn) -> tuple[None, list[Any]]:
    sid = f"SM{next(numbers)}"
    return None, [(sid, f"verification {each}", each) for each in range(1, draw(st.integers(2, 3)))]


@st.composite
def _settlings(draw: st.DrawFn) -> tuple[dict[str, Any], list[Any]]:
    verification_id, item = draw(records().filter(lambda record: record[1] is not None))
    known = Verification(
        verification_id,
        Action.CODE,
        "+15005550100",
        NOW,
        5,
        {number: draw(messages(number)) for number in (1, 2, 3)},
        sender="+15005550001",
    )
    number = draw(st.integers(1, len(item["ms"]["M"]) if item else 1))
    return item or {}, [(known, number, draw(st.sampled_from([Feedback.REPORTED, Feedback.REJECTED])), NOW // 1000)]


@st.composite
def _postponements(draw: st.DrawFn) -> tuple[dict[str, Any] | None, list[Any]]:
    verification_id, item = draw(records())
    return item, [(DueReport(verification_id, 0, draw(times)), draw(times)) for _ in range(2)]


@st.composite
def _outcomes(draw: st.DrawFn, *arguments: st.SearchStrategy[Any]) -> tuple[dict[str, Any] | None, list[Any]]:
    kept = {"pk": outcomes_key(), "o": draw(st.text("4-", max_size=50)), "at": NOW - 1}
    calls = draw(st.lists(st.tuples(*arguments), min_size=1, max_size=3))
    return draw(st.none() | st.just(typed(kept))), calls


@st.composite
def _pages(draw: st.DrawFn) -> tuple[None, list[Any]]:
    """From the first entry on, and from behind one that may stand in the index no more."""
    shard, after = draw(shards), encode_id(draw(st.integers(0, 2**128 - 1)).to_bytes(16))
    last = DueReport(after, shard, draw(times))
    return None, [(shard, NOW + DAY_MS, 1000), (shard, NOW + DAY_MS, 1000, last)]


@st.composite
def _releases(draw: st.DrawFn) -> tuple[dict[str, Any], list[Any]]:
    """A shard that somebody leases, and those who give it back."""
    shard = draw(st.integers(0, 3))
    item = typed({"pk": lease_key(shard), "holder": draw(writers), "until": NOW})
    return item, [(shard, request_token) for request_token in draw(st.lists(writers, min_size=1, max_size=2))]


numbered = st.integers(1, 3)
CALLS: dict[str, st.SearchStrategy[tuple[dict[str, Any] | None, list[Any]]]] = {
    "reserve_send": _on_counted("R", st.just("V#1"), times, limits, writers),
    "release_send": _on_counted("R", writers),
    "reserve_limit_key": _on_counted("K", times, limits.map(lambda each: each.limit_key), writers),
    "release_limit_key": _on_counted("K", limits.map(lambda each: each.limit_key), writers),
    "count_sends": _on_shard(st.integers(1, 3), st.integers(0, 2), st.just(NOW // 1000)),
    "read_recipient": _on_counted("R"),
    "bind_inbound": _bindings(),
    "bound_inbound": _on_shard(st.integers(1, 500).map(lambda number: f"SM{number}")),
    "create": _creations(),
    "delete_unsent": _on_record(writers),
    "read": _on_record(),
    "add_message": _on_record(st.one_of(messages(2), messages(3)), writers),
    "remove_unsent_message": _on_record(numbered, writers),
    "advance_message": _on_record(
        numbered,
        st.sampled_from(Delivery),
        st.none() | sids,
        st.none() | st.just(30003),
        st.none() | st.just("+1"),
    ),
    "reserve_attempt": _on_record(actions, expectations, writers),
    "add_failure": _on_counted("R"),
    "reset_failures": _on_counted("R", times),
    "note_inbound": _on_counted("R", times),
    "confirm": _on_record(_confirmings(), times, times, writers),
    "report_late": _on_record(st.one_of(messages(1), messages(2)), times),
    "cancel": _on_record(writers),
    "settle_feedback": _settlings(),
    "leave_outbox": _on_record(st.just(NOW // 1000)),
    "due_reports": _pages(),
    "lease_shard": _on_shard(st.integers(0, 3), writers, times, times),
    "release_shard": _releases(),
    "postpone": _postponements(),
    "read_outcomes": _outcomes(st.sampled_from([NOW, NOW + DAY_MS])),
    "add_outcomes": _outcomes(st.text("4-", max_size=60), st.sampled_from([NOW, NOW + DAY_MS])),
}


def test_each_method_of_the_port_is_compared():
    assert sorted(CALLS) == METHODS


@pytest.mark.sampled(10)
@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("method", sorted(CALLS))
def test_both_engines_answer_a_method_alike(both: Both, method: str, examples: int):
    store = DynamoDBStore(both, TABLE)
    both.method = method

    @settings(max_examples=examples)
    @given(CALLS[method])
    def compare(case: tuple[dict[str, Any] | None, list[Any]]) -> None:
        item, calls = case
        if item is not None:
            both.put_item(TableName=TABLE, Item=item)
        for arguments in calls:
            _call(store, method, arguments)

    compare()
    expected = {"carried out"}
    if method not in UNCONDITIONAL | NEVER_REFUSED:
        expected.add("ConditionalCheckFailedException")
    assert seen[method] >= expected


def _call(store: DynamoDBStore, method: str, arguments: Any) -> None:
    # Items are drawn without regard to which fields occur together, so that an expression may not apply.
    with contextlib.suppress(ClientError):
        getattr(store, method)(*arguments)


def _update(update: str, names: dict[str, str] | None = None, values: dict[str, Any] | None = None, **more: Any) -> Any:
    request: dict[str, Any] = {"Key": {"pk": {"S": "V#refused"}}, "UpdateExpression": update, **more}
    if names is not None:
        request["ExpressionAttributeNames"] = names
    if values is not None:
        request["ExpressionAttributeValues"] = values
    return request


N1, S1 = {"N": "1"}, {"S": "x"}
A, AB = {"#a": "a"}, {"#a": "a", "#b": "b"}
REFUSED: dict[str, dict[str, Any]] = {
    "a name that is not used": _update("SET #a = :v", AB, {":v": N1}),
    "a value that is not used": _update("SET #a = :v", A, {":v": N1, ":w": N1}),
    "a name that is not defined": _update("SET #b = :v", A, {":v": N1}),
    "a value that is not defined": _update("SET #a = :w", A, {":v": N1}),
    "no values at all, but the mapping": _update("REMOVE #a", A, {}),
    "one path twice": _update("SET #a = :v, #a = :v", A, {":v": N1}),
    "a path within another one": _update("SET #a = :v REMOVE #a.#b", AB, {":v": N1}),
    "a clause twice": _update("SET #a = :v SET #b = :v", AB, {":v": N1}),
    "a missing attribute as a value": _update("SET #a = #b", AB),
    "a sum with a missing attribute": _update("SET #a = #b + :v", AB, {":v": N1}),
    "a sum of a number and a text": _update("SET #a = #n + :v", {"#a": "a", "#n": "number"}, {":v": S1}),
    "a path whose parent is missing": _update("SET #a.#b = :v", AB, {":v": N1}),
    "the key": _update("SET #a = :v", {"#a": "pk"}, {":v": S1}),
    "a text added": _update("ADD #a :v", A, {":v": S1}),
    "an expression that breaks off": _update("SET #a =", A),
    "a condition with redundant parentheses": _update(
        "SET #a = :v", A, {":v": N1}, ConditionExpression="((attribute_exists(#a)))"
    ),
}

MOTO_LETS_THROUGH: dict[str, dict[str, Any]] = {
    "a path whose parent is no map": _update("SET #n.#b = :v", {"#n": "number", "#b": "b"}, {":v": N1}),
    "an index key of another type": _update("SET #a = :v", {"#a": "feedback_shard"}, {":v": S1}),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_both_engines_refuse_what_aws_refuses(both: Both, refused: str):
    both.method = "refused"
    both.put_item(TableName=TABLE, Item=typed({"pk": "V#refused", "number": 1}))
    with pytest.raises(ClientError) as caught:
        both.update_item(TableName=TABLE, **REFUSED[refused])
    assert _code(caught.value) == "ValidationException"


@pytest.mark.parametrize("refused", MOTO_LETS_THROUGH)
def test_the_executor_refuses_what_only_moto_lets_through(refused: str):
    executor = Executor(TABLE)
    executor.put_item(TableName=TABLE, Item=typed({"pk": "V#refused", "number": 1}))
    before = executor.items
    with pytest.raises(ClientError) as caught:
        executor.update_item(TableName=TABLE, **MOTO_LETS_THROUGH[refused])
    assert _code(caught.value) == "ValidationException"
    assert executor.items == before


def test_another_table_is_not_there(both: Both):
    with pytest.raises(ClientError) as caught:
        both.get_item(TableName="Another", Key={"pk": S1})
    assert _code(caught.value) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("#missing = :one", False),
        ("#missing <> :one", True),
        ("#missing < :one", False),
        ("NOT #missing < :one", True),
        ("#one = :one AND #two = :one OR #one = :one", True),
        ("#one = :one OR #two = :one AND #missing = :one", True),
        ("NOT (#one = :one OR #two = :one)", False),
        ("#one IN (:two, :one)", True),
        ("#map.#one = :one", True),
        ("attribute_exists(#map.#two)", False),
        ("attribute_not_exists(#one.#two)", True),
    ],
)
def test_conditions_mean_what_they_mean_to_both_engines(both: Both, condition: str, *, holds: bool):
    both.method = "conditions"
    key = typed({"pk": f"V#condition {next(numbers)}"})
    both.put_item(TableName=TABLE, Item=key | typed({"one": 1, "two": 2, "map": {"one": 1}}))
    names = {f"#{name}": name for name in ("one", "two", "map", "missing") if f"#{name}" in condition}
    values = {
        f":{name}": {"N": str(number)} for number, name in enumerate(["one", "two"], 1) if f":{name}" in condition
    }
    request: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
    try:
        both.delete_item(
            TableName=TABLE, Key=key, ConditionExpression=condition, ExpressionAttributeNames=names, **request
        )
    except ClientError:
        assert not holds
    else:
        assert holds


def test_the_executor_is_fast_enough_for_thousands_of_tables():
    executor = Executor(TABLE)
    request = {
        "TableName": TABLE,
        "Key": typed({"pk": "V#1"}),
        "UpdateExpression": "SET #at = if_not_exists(#at, :zero) + :one, #rb = :request",
        "ConditionExpression": "attribute_not_exists(#rb) OR #rb <> :other AND NOT #at < :zero",
        "ExpressionAttributeNames": {"#at": "at", "#rb": "rb"},
        "ExpressionAttributeValues": typed({":zero": 0, ":one": 1, ":request": "w", ":other": "o"}),
        "ReturnValues": "ALL_NEW",
    }
    began = time.process_time()
    for _ in range(2000):
        executor.update_item(**request)
    assert 2000 / (time.process_time() - began) > CALLS_A_SECOND
