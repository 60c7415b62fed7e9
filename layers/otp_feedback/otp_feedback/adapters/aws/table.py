"""The one table, as the stores on it share it: its calls, its expressions, and its errors.

Every write is one conditional request of DynamoDB, and each has one of three endings.

* It was applied.
* Its condition did not hold: `ConditionFailed`, with the item as it stood.
* Nobody knows: `Unavailable`.

The client repeats a request whose answer was lost, and may find the condition broken by its own first try. So a write
that must not count twice leaves the request's token in a field of its own. If that field holds this token,
`own_or_refused` takes the failed condition as a success.

Expressions use the long names of `items.SHORT`; `#n` stands for the number of the message that is written.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name

from otp_feedback.adapters.aws.clients import LONGEST_CALL_S
from otp_feedback.adapters.aws.items import Item, attribute, is_verification_key, typed
from otp_feedback.adapters.invocation import TimeLeft, unlimited
from otp_feedback.domain.errors import Unavailable
from otp_feedback.usecases.ports import Refused

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

Operation = Literal["put_item", "get_item", "update_item", "delete_item", "query", "scan"]


class DynamoDBClient(Protocol):
    """The calls of boto3's low-level client that a function makes."""

    @property
    def put_item(self) -> Callable[..., Any]: ...
    @property
    def get_item(self) -> Callable[..., Any]: ...
    @property
    def update_item(self) -> Callable[..., Any]: ...
    @property
    def delete_item(self) -> Callable[..., Any]: ...
    @property
    def query(self) -> Callable[..., Any]: ...


class ConditionFailed(Exception):
    """The condition of a write did not hold; carries the item as it stood."""

    def __init__(self, item: Item | None) -> None:
        super().__init__()
        self.item = item


class Table:
    """The table `Verifications`.

    Parameters
    ----------
    client
        A low-level client made with `CLIENT_CONFIG`, or with `ONE_TRY_CONFIG`.
    name
        The table's name.
    time_left
        Returns the seconds that are left; no call begins that might outlast them.
    longest_call_s
        Seconds that a call of the client may take.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        name: str,
        time_left: TimeLeft = unlimited,
        longest_call_s: float = LONGEST_CALL_S,
    ) -> None:
        self._client = client
        self._name = name
        self._time_left = time_left
        self._longest_call_s = longest_call_s

    def get(self, key: str, only: str | None = None) -> Item | None:
        """An item, consistently; only its attribute `only`, if that is given."""
        chosen = {"ProjectionExpression": f"#{only}", **_named_in(f"#{only}")} if only is not None else {}
        answer = self.call("get_item", Key=typed({"pk": key}), ConsistentRead=True, **chosen)
        item: Item | None = answer.get("Item")
        return item

    def put_new(self, item: Item) -> None:
        """Write an item, unless its key exists."""
        self.call(
            "put_item",
            Item=item,
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def update(
        self,
        key: str,
        update: str,
        condition: str | None,
        values: Mapping[str, Any],
        number: int | None = None,
        returned: Literal["ALL_NEW", "ALL_OLD"] = "ALL_NEW",
    ) -> Item:
        """One UpdateItem. With a condition, a verification must exist already; other items need not."""
        request: dict[str, Any] = {}
        if condition is not None:
            guard = "attribute_exists(pk) AND " if is_verification_key(key) else ""
            request["ConditionExpression"] = guard + condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        answer = self.call(
            "update_item",
            Key=typed({"pk": key}),
            UpdateExpression=update,
            ExpressionAttributeValues=typed(values),
            ReturnValues=returned,
            **_named_in(f"{update} {condition or ''}", number),
            **request,
        )
        item: Item = answer["Attributes"]
        return item

    def update_if_possible(
        self, key: str, update: str, condition: str, values: Mapping[str, Any], number: int | None = None
    ) -> bool:
        """One UpdateItem, like `update`; False if its condition did not hold."""
        try:
            self.update(key, update, condition, values, number)
        except ConditionFailed:
            return False
        return True

    def delete(self, key: str, condition: str, values: Mapping[str, Any]) -> bool:
        """Delete an item; False if the condition did not hold."""
        try:
            self.call(
                "delete_item",
                Key=typed({"pk": key}),
                ConditionExpression=condition,
                ExpressionAttributeValues=typed(values),
                **_named_in(condition),
            )
        except ConditionFailed:
            return False
        return True

    def query(self, index: str, condition: str, values: Mapping[str, Any], limit: int, **more: Any) -> list[Item]:
        """One page of an index, in its order."""
        answer = self.call(
            "query",
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=typed(values),
            Limit=limit,
            **_named_in(condition),
            **more,
        )
        items: list[Item] = answer["Items"]
        return items

    def scan(self, condition: str, values: Mapping[str, Any]) -> Iterator[Item]:
        """All items for which a condition holds, consistently; no function's role may do this."""
        start: dict[str, Any] = {}
        while True:
            page = self.call(
                "scan",
                ConsistentRead=True,
                FilterExpression=condition,
                ExpressionAttributeValues=typed(values),
                **_named_in(condition),
                **start,
            )
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def call(self, operation: Operation, **request: Any) -> Any:
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
            return getattr(self._client, operation)(TableName=self._name, **request)
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


class OnTable:
    """What keeps its items in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table


def own_or_refused[T](
    item: Item | None, field: tuple[str, ...], request_token: str, read: Callable[[Item], T]
) -> T | Refused[T]:
    """A failed condition is a success if the item shows that an earlier try of this same write was applied.

    `field` is the path to this kind of write's field; empty if there is none.
    """
    if item is None:
        return Refused(None)
    value: Any = {"M": item}
    for name in field:
        value = value.get("M", {}).get(attribute(name), {})
    return read(item) if field and value == {"S": request_token} else Refused(read(item))


def _named_in(expressions: str, number: int | None = None) -> dict[str, Any]:
    """The part of a request that says which attribute each placeholder stands for; empty without placeholders."""
    names = re.findall(r"#(\w+)", expressions)
    stored = {f"#{name}": str(number) if name == "n" else attribute(name) for name in names}
    return {"ExpressionAttributeNames": stored} if stored else {}
