"""The store on the locked moto server."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

import pytest

from local.aws import AwsServer
from local.functions import ROOT
from local.stack import LAPTOP
from local.template import Template
from otp_feedback.adapters.aws.items import typed
from otp_feedback.domain.verification import Verification
from tests.service import DynamoDBStore
from tests.store.records_data import TTL

TABLE = "VerificationsTable"


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """A low-level client of a server that has the template's tables."""
    server = AwsServer()
    try:
        with closing(server.dynamodb()) as dynamodb:
            for _, request in Template(ROOT / "template.yaml", LAPTOP).tables():
                dynamodb.create_table(**request)
            yield dynamodb
    finally:
        server.stop()


@pytest.fixture
def store(client: Any) -> DynamoDBStore:
    """The store."""
    return DynamoDBStore(client, TABLE)


class Kept(Protocol):
    """Writes a verification and returns its id."""

    def __call__(self, verification: Verification) -> str: ...


@pytest.fixture
def kept(store: DynamoDBStore) -> Kept:
    """Writes a verification and returns its id."""

    def keep(verification: Verification) -> str:
        assert store.create(verification, TTL, "token-of-it") is None
        return verification.verification_id

    return keep


class Raw(Protocol):
    """Reads an item as it is."""

    def __call__(self, pk: str) -> dict[str, Any] | None: ...


@pytest.fixture
def raw(client: Any) -> Raw:
    """Reads an item as it is."""

    def read(pk: str) -> dict[str, Any] | None:
        item: dict[str, Any] | None = client.get_item(TableName=TABLE, Key={"pk": {"S": pk}}, ConsistentRead=True).get(
            "Item"
        )
        return item

    return read


class Put(Protocol):
    """Writes an item of plain values past the store."""

    def __call__(self, item: dict[str, Any]) -> None: ...


@pytest.fixture
def put(client: Any) -> Put:
    """Writes an item of plain values past the store."""
    return lambda item: client.put_item(TableName=TABLE, Item=typed(item))
