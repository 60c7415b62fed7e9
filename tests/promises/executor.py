"""DynamoDB in memory, for the five calls that the store makes: it really evaluates the expressions it is sent.

Each call is atomic. What AWS refuses is refused: unused or undefined placeholders, overlapping paths, `SET` from a
missing attribute, a path whose parent is missing, a changed key, an index key of the wrong type. The subset of the
language is the one the store uses; anything beyond it raises `NotImplementedError`, so nothing is taken for granted.
`test_executor.py` compares it with moto on every expression that the store can send.
"""

import operator
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

Value = dict[str, Any]
Item = dict[str, Value]
Path = tuple[str, ...]
Condition = Callable[[Item, Mapping[str, Value]], bool]
Operand = Callable[[Item, Mapping[str, Value]], Value | None]
Observer = Callable[[str, Item | None, Item | None], None]

KEY = "pk"
INDEX = "feedback-due"
INDEX_HASH = "feedback_shard"
INDEX_RANGE = "feedback_due_at"

_TOKEN = re.compile(r"\s*(?:(<=|>=|<>|[=<>(),.+\-])|([#:]?\w+))")

_HASH_CONDITION = re.compile(r"#\w+ = (:\w+)")

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Refusal(Exception):
    """What AWS answers a request with that it does not carry out."""

    def __init__(self, message: str, code: str = "ValidationException", item: Item | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.item = item


class Executor:
    """A table `Verifications` and its index, as a client of boto3 shows them.

    Items are never changed in place, so that a copy of `items` is a snapshot.

    Parameters
    ----------
    table
        Its name; another one is not found.
    observer
        Told each change: key, old item, new item.

    Attributes
    ----------
    behind
        Whether the index is one query behind: each shard then shows what it held when it was asked before.
    shown
        What each shard shows next where the index is behind: the items as they were.
    """

    def __init__(self, table: str = "Verifications", observer: Observer | None = None) -> None:
        self._table = table
        self._observer = observer
        self._lock = threading.RLock()
        self._items: dict[str, Item] = {}
        self._index: dict[int, dict[str, int]] = {}
        self.behind = False
        self.shown: Mapping[int, Mapping[str, Item]] = {}

    @property
    def items(self) -> dict[str, Item]:
        """A snapshot of all items by key."""
        with self._lock:
            return dict(self._items)

    @items.setter
    def items(self, items: Mapping[str, Item]) -> None:
        with self._lock:
            self._items = dict(items)
            self._index = {}
            for item in items.values():
                self._enter(item)

    def peek(self, key: str) -> Item | None:
        """An item by its key, as it stands."""
        return self._items.get(key)

    def put_item(self, **request: Any) -> dict[str, Any]:
        """PutItem."""
        return self._answer("PutItem", request, self._put)

    def get_item(self, **request: Any) -> dict[str, Any]:
        """GetItem."""
        return self._answer("GetItem", request, self._get)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """UpdateItem."""
        return self._answer("UpdateItem", request, self._update)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        """DeleteItem."""
        return self._answer("DeleteItem", request, self._delete)

    def query(self, **request: Any) -> dict[str, Any]:
        """Query on the index."""
        return self._answer("Query", request, self._query)

    def _answer(
        self, operation: str, request: dict[str, Any], perform: Callable[..., dict[str, Any]]
    ) -> dict[str, Any]:
        try:
            self._require_table(request.pop("TableName"))
            with self._lock:
                return perform(**request)
        except Refusal as refusal:
            answer: Any = {
                "Error": {"Code": refusal.code, "Message": refusal.message},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            if refusal.item is not None:
                answer["Item"] = refusal.item
            raise ClientError(answer, operation) from None

    def _require_table(self, name: str) -> None:
        if name != self._table:
            raise Refusal("Requested resource not found", "ResourceNotFoundException")

    def _put(
        self,
        Item: Item,  # noqa: N803 - the parameters are DynamoDB's own
        ConditionExpression: str | None = None,  # noqa: N803
        ExpressionAttributeNames: Mapping[str, str] | None = None,  # noqa: N803
        ExpressionAttributeValues: Mapping[str, Value] | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: N803
    ) -> dict[str, Any]:
        key = _key_of(Item)
        old = self._items.get(key)
        plan = _plan(None, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues)
        plan.require(old, ExpressionAttributeValues or {}, ReturnValuesOnConditionCheckFailure)
        self._write(key, old, {name: _normal(value) for name, value in Item.items()})
        return {}

    def _get(self, Key: Item, ConsistentRead: bool = False) -> dict[str, Any]:  # noqa: N803
        del ConsistentRead
        item = self._items.get(_only_key(Key))
        return {"Item": item} if item is not None else {}

    def _update(
        self,
        Key: Item,  # noqa: N803
        UpdateExpression: str,  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ExpressionAttributeNames: Mapping[str, str] | None = None,  # noqa: N803
        ExpressionAttributeValues: Mapping[str, Value] | None = None,  # noqa: N803
        ReturnValues: str = "NONE",  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: N803
    ) -> dict[str, Any]:
        key = _only_key(Key)
        old = self._items.get(key)
        values = ExpressionAttributeValues or {}
        plan = _plan(UpdateExpression, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues)
        plan.require(old, values, ReturnValuesOnConditionCheckFailure)
        new = plan.updated(old if old is not None else dict(Key), values)
        self._write(key, old, new)
        if ReturnValues == "ALL_NEW":
            return {"Attributes": new}
        if ReturnValues != "NONE":
            raise NotImplementedError(ReturnValues)
        return {}

    def _delete(
        self,
        Key: Item,  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ExpressionAttributeNames: Mapping[str, str] | None = None,  # noqa: N803
        ExpressionAttributeValues: Mapping[str, Value] | None = None,  # noqa: N803
        ReturnValues: str = "NONE",  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: N803
    ) -> dict[str, Any]:
        key = _only_key(Key)
        old = self._items.get(key)
        plan = _plan(None, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues)
        plan.require(old, ExpressionAttributeValues or {}, ReturnValuesOnConditionCheckFailure)
        self._write(key, old, None)
        return {"Attributes": old} if ReturnValues == "ALL_OLD" and old is not None else {}

    def _query(
        self,
        IndexName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        ExpressionAttributeNames: Mapping[str, str],  # noqa: N803
        ExpressionAttributeValues: Mapping[str, Value],  # noqa: N803
        Limit: int,  # noqa: N803
        ExclusiveStartKey: Item | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if IndexName != INDEX:
            raise Refusal("The table does not have the specified index: " + IndexName)
        plan = _plan(None, KeyConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues)
        asked = _HASH_CONDITION.match(KeyConditionExpression)
        if asked is None:
            raise NotImplementedError(KeyConditionExpression)
        shard = int(ExpressionAttributeValues[asked[1]]["N"])
        entries: Mapping[str, int] = self._index.get(shard, {})
        items: Mapping[str, Item] = self._items
        if self.behind:
            entries, items = self._as_before(shard)
        found = []
        start = (int(ExclusiveStartKey[INDEX_RANGE]["N"]), _key_of(ExclusiveStartKey)) if ExclusiveStartKey else ()
        for key in sorted(entries, key=lambda each: (entries[each], each)):
            if (entries[key], key) <= start:
                continue
            item = items[key]
            if plan.holds(item, ExpressionAttributeValues):
                found.append({name: item[name] for name in (KEY, INDEX_HASH, INDEX_RANGE)})
            if len(found) == Limit:
                break
        return {"Items": found, "Count": len(found)}

    def _as_before(self, shard: int) -> tuple[Mapping[str, int], Mapping[str, Item]]:
        """A shard's entries and their items as they were when it was last asked."""
        now = {key: self._items[key] for key in self._index.get(shard, {})}
        items = self.shown.get(shard, now)
        self.shown = {**self.shown, shard: now}
        return {key: int(item[INDEX_RANGE]["N"]) for key, item in items.items()}, items

    def _write(self, key: str, old: Item | None, new: Item | None) -> None:
        for name in (INDEX_HASH, INDEX_RANGE):
            if new is not None and name in new and "N" not in new[name]:
                raise Refusal(f"Type mismatch for Index Key {name}")
        if old is not None and INDEX_HASH in old:
            self._index.get(int(old[INDEX_HASH]["N"]), {}).pop(key, None)
        if new is None:
            self._items.pop(key, None)
        else:
            self._items[key] = new
            self._enter(new)
        if self._observer is not None:
            self._observer(key, old, new)

    def _enter(self, item: Item) -> None:
        if INDEX_HASH in item and INDEX_RANGE in item:
            shard = self._index.setdefault(int(item[INDEX_HASH]["N"]), {})
            shard[_key_of(item)] = int(item[INDEX_RANGE]["N"])


def _key_of(item: Item) -> str:
    if KEY not in item:
        raise Refusal("One or more parameter values were invalid: Missing the key pk in the item")
    if "S" not in item[KEY]:
        raise Refusal("One or more parameter values were invalid: Type mismatch for key pk")
    return str(item[KEY]["S"])


def _only_key(key: Item) -> str:
    if set(key) != {KEY} or "S" not in key[KEY]:
        raise Refusal("The provided key element does not match the schema")
    return str(key[KEY]["S"])


@dataclass(frozen=True, slots=True)
class _Plan:
    """A request's expressions, parsed and checked once."""

    condition: Condition | None
    sets: Sequence[tuple[Path, Operand]]
    adds: Sequence[tuple[Path, str]]
    removes: Sequence[Path]

    def holds(self, item: Item, values: Mapping[str, Value]) -> bool:
        return self.condition is None or self.condition(item, values)

    def require(self, item: Item | None, values: Mapping[str, Value], on_failure: str) -> None:
        if not self.holds(item or {}, values):
            shown = item if on_failure == "ALL_OLD" else None
            raise Refusal("The conditional request failed", "ConditionalCheckFailedException", shown)

    def updated(self, old: Item, values: Mapping[str, Value]) -> Item:
        """All right-hand sides see the old item."""
        changes: list[tuple[Path, Value | None]] = []
        for path, operand in self.sets:
            value = operand(old, values)
            if value is None:
                raise Refusal("The provided expression refers to an attribute that does not exist in the item")
            changes.append((path, value))
        for path, name in self.adds:
            current = _look_up(old, path)
            changes.append((path, values[name] if current is None else _sum(current, values[name], 1)))
            if "N" not in values[name]:
                raise Refusal("Incorrect operand type for operator or function; operator: ADD")
        changes.extend((path, None) for path in self.removes)
        new = dict(old)
        for path, value in changes:
            _put_at(new, path, _normal(value) if value is not None else None)
        return new


def _plan(
    update: str | None,
    condition: str | None,
    names: Mapping[str, str] | None,
    values: Mapping[str, Value] | None,
) -> _Plan:
    if names is not None and not names:
        raise Refusal("ExpressionAttributeNames must not be empty")
    if values is not None and not values:
        raise Refusal("ExpressionAttributeValues must not be empty")
    return _parsed_plan(update, condition, tuple((names or {}).items()), tuple(values or ()))


@cache
def _parsed_plan(
    update: str | None, condition: str | None, names: tuple[tuple[str, str], ...], values: tuple[str, ...]
) -> _Plan:
    parser = _Parser(dict(names), frozenset(values))
    condition_parsed = parser.condition(condition) if condition is not None else None
    sets, adds, removes = parser.update(update) if update is not None else ([], [], [])
    parser.require_all_used()
    _refuse_overlaps([path for path, _ in sets] + [path for path, _ in adds] + list(removes))
    return _Plan(condition_parsed, sets, adds, removes)


def _refuse_overlaps(paths: Sequence[Path]) -> None:
    for number, one in enumerate(paths):
        if one[0] == KEY:
            raise Refusal("Cannot update attribute pk. This attribute is part of the key")
        for other in paths[:number]:
            shorter = min(len(one), len(other))
            if one[:shorter] == other[:shorter]:
                raise Refusal("Invalid UpdateExpression: Two document paths overlap with each other")


class _Parser:
    """Recursive descent; https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html."""

    def __init__(self, names: Mapping[str, str], values: frozenset[str]) -> None:
        self._names = names
        self._values = values
        self._used: set[str] = set()
        self._tokens: list[str] = []
        self._position = 0

    def condition(self, text: str) -> Condition:
        self._begin(text)
        parsed = self._or()
        self._expect_end()
        return parsed

    def update(self, text: str) -> tuple[list[tuple[Path, Operand]], list[tuple[Path, str]], list[Path]]:
        self._begin(text)
        sets: list[tuple[Path, Operand]] = []
        adds: list[tuple[Path, str]] = []
        removes: list[Path] = []
        seen: set[str] = set()
        while self._peek():
            clause = self._take().upper()
            if clause in seen:
                raise Refusal(f'The "{clause}" section can only be used once in an update expression')
            seen.add(clause)
            match clause:
                case "SET":
                    sets.extend(self._list(self._assignment))
                case "ADD":
                    adds.extend(self._list(self._addition))
                case "REMOVE":
                    removes.extend(self._list(self._path))
                case _:
                    raise self._not_understood(clause)
        if not seen:
            raise Refusal("Invalid UpdateExpression: The expression can not be empty")
        return sets, adds, removes

    def require_all_used(self) -> None:
        for kind, given in (("Names", self._names.keys()), ("Values", self._values)):
            unused = sorted(set(given) - self._used)
            if unused:
                raise Refusal(f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {unused}")

    def _begin(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._position = 0
        if not self._tokens:
            raise Refusal("Invalid expression: The expression can not be empty")

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise self._not_understood(token)

    def _expect_end(self) -> None:
        if self._peek():
            raise self._not_understood(self._peek())

    def _not_understood(self, token: str) -> Refusal:
        return Refusal(f'Invalid expression: Syntax error; token: "{token}"')

    def _list[T](self, element: Callable[[], T]) -> Iterator[T]:
        yield element()
        while self._peek() == ",":
            self._take()
            yield element()

    def _or(self) -> Condition:
        terms = [self._and()]
        while self._peek().upper() == "OR":
            self._take()
            terms.append(self._and())
        if len(terms) == 1:
            return terms[0]
        return lambda item, values: any(term(item, values) for term in terms)

    def _and(self) -> Condition:
        terms = [self._not()]
        while self._peek().upper() == "AND":
            self._take()
            terms.append(self._not())
        if len(terms) == 1:
            return terms[0]
        return lambda item, values: all(term(item, values) for term in terms)

    def _not(self) -> Condition:
        if self._peek().upper() == "NOT":
            self._take()
            inner = self._not()
            return lambda item, values: not inner(item, values)
        return self._primary()

    def _primary(self) -> Condition:
        token = self._peek()
        if token == "(":
            return self._parenthesised()
        if token in {"attribute_exists", "attribute_not_exists"}:
            self._take()
            self._expect("(")
            path = self._path()
            self._expect(")")
            wanted = token == "attribute_exists"
            return lambda item, _values: (_look_up(item, path) is not None) is wanted
        left = self._operand()
        comparator = self._take().upper()
        if comparator == "IN":
            self._expect("(")
            candidates = list(self._list(self._operand))
            self._expect(")")
            return lambda item, values: any(_equal(left(item, values), each(item, values)) for each in candidates)
        return _comparison(comparator, left, self._operand())

    def _parenthesised(self) -> Condition:
        self._expect("(")
        opened = self._position
        inner = self._or()
        redundant = self._tokens[opened] == "(" and self._closes(opened) == self._position - 1
        self._expect(")")
        if redundant:
            raise Refusal("Invalid expression: The expression has redundant parentheses")
        return inner

    def _closes(self, opened: int) -> int:
        depth = 0
        for position in range(opened, len(self._tokens)):
            depth += {"(": 1, ")": -1}.get(self._tokens[position], 0)
            if not depth:
                return position
        raise self._not_understood("(")

    def _operand(self) -> Operand:
        token = self._peek()
        if token.startswith(":"):
            name = self._value_name()
            return lambda _item, values: values[name]
        path = self._path()
        return lambda item, _values: _look_up(item, path)

    def _value_name(self) -> str:
        name = self._take()
        if not name.startswith(":"):
            raise self._not_understood(name)
        if name not in self._values:
            raise Refusal(f"An expression attribute value used in expression is not defined; attribute value: {name}")
        self._used.add(name)
        return name

    def _path(self) -> Path:
        steps = [self._name()]
        while self._peek() == ".":
            self._take()
            steps.append(self._name())
        return tuple(steps)

    def _name(self) -> str:
        token = self._take()
        if token.startswith("#"):
            if token not in self._names:
                raise Refusal(f"An expression attribute name used in the document path is not defined: {token}")
            self._used.add(token)
            return self._names[token]
        if not re.fullmatch(r"[A-Za-z]\w*", token):
            raise self._not_understood(token)
        if token != KEY:
            raise NotImplementedError(f"{token} may be a reserved word: name it with #")
        return token

    def _assignment(self) -> tuple[Path, Operand]:
        path = self._path()
        self._expect("=")
        value = self._assigned()
        if self._peek() in {"+", "-"}:
            sign = 1 if self._take() == "+" else -1
            value = _addition(value, self._assigned(), sign)
        return path, value

    def _assigned(self) -> Operand:
        if self._peek() != "if_not_exists":
            return self._operand()
        self._take()
        self._expect("(")
        path = self._path()
        self._expect(",")
        otherwise = self._assigned()
        self._expect(")")
        return lambda item, values: found if (found := _look_up(item, path)) is not None else otherwise(item, values)

    def _addition(self) -> tuple[Path, str]:
        path = self._path()
        return path, self._value_name()


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Refusal(f'Invalid expression: Syntax error; token: "{text[position]}"')
        position = match.end()
        yield match.group(1) or match.group(2)


def _comparison(comparator: str, left: Operand, right: Operand) -> Condition:
    """A missing attribute equals nothing, is ordered with nothing, and differs from everything."""
    if comparator == "=":
        return lambda item, values: _equal(left(item, values), right(item, values))
    if comparator == "<>":
        return lambda item, values: not _equal(left(item, values), right(item, values))
    if comparator not in _COMPARE:
        raise NotImplementedError(comparator)
    compare = _COMPARE[comparator]

    def holds(item: Item, values: Mapping[str, Value]) -> bool:
        one, other = left(item, values), right(item, values)
        if one is None or other is None:
            return False
        (kind, mine), (other_kind, theirs) = *one.items(), *other.items()
        if kind != other_kind or kind not in {"N", "S", "B"}:
            return False
        return compare(_number(mine), _number(theirs)) if kind == "N" else compare(mine, theirs)

    return holds


def _addition(left: Operand, right: Operand, sign: int) -> Operand:
    def added(item: Item, values: Mapping[str, Value]) -> Value | None:
        one, other = left(item, values), right(item, values)
        return None if one is None or other is None else _sum(one, other, sign)

    return added


def _equal(one: Value | None, other: Value | None) -> bool:
    return one is not None and other is not None and one == other


def _sum(one: Value, other: Value, sign: int) -> Value:
    if "N" not in one or "N" not in other:
        raise Refusal("An operand in the update expression has an incorrect data type")
    return {"N": str(_number(one["N"]) + sign * _number(other["N"]))}


def _number(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


def _normal(value: Value) -> Value:
    """Equal numbers are stored alike, so that equality is that of the texts."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {"M": {name: _normal(each) for name, each in content.items()}}
    if kind == "N" and not content.isdecimal():
        number = Decimal(content)
        return {"N": str(int(number)) if number == number.to_integral_value() else str(number.normalize())}
    return value


def _look_up(item: Item, path: Path) -> Value | None:
    value = item.get(path[0])
    for step in path[1:]:
        if value is None or "M" not in value:
            return None
        value = value["M"].get(step)
    return value


def _put_at(item: Item, path: Path, value: Value | None) -> None:
    """Set or remove what a path names; maps on the way are copied."""
    holder = item
    for step in path[:-1]:
        inner = holder.get(step)
        if inner is None or "M" not in inner:
            raise Refusal("The document path provided in the update expression is invalid for update")
        copied = dict(inner["M"])
        holder[step] = {"M": copied}
        holder = copied
    if value is None:
        holder.pop(path[-1], None)
    else:
        holder[path[-1]] = value
