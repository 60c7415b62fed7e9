"""The DynamoDB engines that races are run on, and the proof that an engine may judge a race at all."""

import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws import AwsServer
from local.servers import Listener
from local.stack import LAPTOP
from local.template import Template
from tests.promises.races_arena import TABLE

ROOT = Path(__file__).parents[2]
DYNALITE = ROOT / ".cache" / "dynalite"
CROWD = 200
SELF_TEST_CROWD = 100
"""Of six runs on moto without its lock, six were refused with so many."""

SWITCH_INTERVAL_S = 1e-6

PATIENT = Config(
    connect_timeout=60,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=CROWD,
)
"""A race is judged by what the engine did, so that no call is given up or repeated."""

# A connection that Node closes after five idle seconds would be a failure of the race's own making.
SERVE_DYNALITE = """
const server = require('dynalite')({createTableMs: 0})
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify(server.address().port)))
process.stdin.on('end', () => process.exit(0)).resume()
"""


class NotAtomicError(Exception):
    """The engine loses updates, so that no race run on it proves anything."""


@dataclass(frozen=True)
class Engine:
    """A DynamoDB with the empty table of verifications."""

    name: str
    client: Any


@contextmanager
def moto() -> Iterator[Engine]:
    """The laptop stack's own: moto behind one lock, over HTTP."""
    server = AwsServer(Listener())
    try:
        with closing(_client(server.listener.url)) as client:
            client.create_table(**_table())
            yield Engine("moto", client)
    finally:
        server.stop()


@contextmanager
def dynalite() -> Iterator[Engine]:
    """dynalite in a process of its own: another implementation, with a lock for each item."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("dynalite needs Node")
    if not (DYNALITE / "installed").exists():
        pytest.skip("dynalite is not installed: make dynalite")
    process = subprocess.Popen(
        [node, "-e", SERVE_DYNALITE], cwd=DYNALITE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())
            with closing(_client(f"http://127.0.0.1:{port}")) as client:
                table = _table()
                table.pop("StreamSpecification", None)
                client.create_table(**table)
                client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
                yield Engine("dynalite", WithOldItem(client))
        finally:
            process.kill()


class WithOldItem:
    """A client that reads the item after a failed condition, because dynalite does not send it along."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def put_item(self, **request: Any) -> Any:
        """PutItem."""
        key = {"pk": request["Item"]["pk"]}
        return self._with_old_item(self._client.put_item, key, request)

    def update_item(self, **request: Any) -> Any:
        """UpdateItem."""
        return self._with_old_item(self._client.update_item, request["Key"], request)

    def _with_old_item(self, operation: Callable[..., Any], key: Any, request: Any) -> Any:
        try:
            return operation(**request)
        except ClientError as error:
            wanted = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            if wanted and error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                read = self._client.get_item(TableName=request["TableName"], Key=key, ConsistentRead=True)
                if "Item" in read:
                    error.response["Item"] = read["Item"]  # type: ignore[typeddict-unknown-key]
            raise


@contextmanager
def forced_switching() -> Iterator[None]:
    """Have the interpreter change threads after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def all_at_once[T](count: int, act: Callable[[int], T]) -> list[T]:
    """What `act` returned to each of `count` threads that began together, under forced thread switching."""
    barrier = threading.Barrier(count)

    def run(index: int) -> T:
        barrier.wait()
        return act(index)

    with forced_switching(), ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def require_atomic(engine: Engine) -> None:
    """Refuse an engine on which parallel updates of one item are lost or a condition is passed too often.

    A crowd counts one number up, unconditionally: each must get a number of its own. A crowd counts up to five: five
    must pass. A crowd puts one item if there is none: one must pass.

    Raises
    ------
    NotAtomicError
    """
    counted = all_at_once(SELF_TEST_CROWD, lambda _: _count_up(engine.client, "unlimited"))
    if sorted(number or 0 for number in counted) != list(range(1, SELF_TEST_CROWD + 1)):
        raise NotAtomicError(f"{engine.name} loses unconditional updates")
    limited = all_at_once(SELF_TEST_CROWD, lambda _: _count_up(engine.client, "limited", limit=5))
    if Counter(limited) != Counter([1, 2, 3, 4, 5] + [None] * (SELF_TEST_CROWD - 5)):
        raise NotAtomicError(f"{engine.name} lets conditions pass too often")
    put = all_at_once(SELF_TEST_CROWD, lambda _: _put_if_absent(engine.client, "once"))
    if sum(put) != 1:
        raise NotAtomicError(f"{engine.name} puts twice what may not exist")


def _count_up(client: Any, key: str, limit: int | None = None) -> int | None:
    condition: dict[str, Any] = {}
    values = {":one": {"N": "1"}, ":zero": {"N": "0"}}
    if limit is not None:
        condition = {"ConditionExpression": "attribute_not_exists(pk) OR n < :limit"}
        values[":limit"] = {"N": str(limit)}
    try:
        answer = client.update_item(
            TableName=TABLE,
            Key={"pk": {"S": f"self-test-{key}"}},
            UpdateExpression="SET n = if_not_exists(n, :zero) + :one",
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
            **condition,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return None
    return int(answer["Attributes"]["n"]["N"])


def _put_if_absent(client: Any, key: str) -> bool:
    try:
        client.put_item(
            TableName=TABLE, Item={"pk": {"S": f"self-test-{key}"}}, ConditionExpression="attribute_not_exists(pk)"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _client(url: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=PATIENT,
    )


def _table() -> dict[str, Any]:
    """The table as template.yaml has it."""
    parameters = {**LAPTOP, "PublicBaseUrl": "https://otp.example", "TwilioBaseUrl": "https://twilio.example"}
    tables = dict(Template(ROOT / "template.yaml", parameters).tables())
    return {**tables["VerificationsTable"], "TableName": TABLE}
