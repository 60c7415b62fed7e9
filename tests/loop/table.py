"""AWS for the stacks of the loop: its table is the promises' in-memory DynamoDB, in a tenth of the time of moto.

`tests/promises/test_executor.py` holds both engines against each other, and `tests/store` and `tests/local` run on
moto, as the laptop does.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, override
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from botocore.exceptions import ClientError

from local.aws import AwsServer
from local.stack import Stack
from local.template import References, Template
from tests.promises.executor import Executor, Item

TYPE = "application/x-amz-json-1.0"
OPERATIONS = {
    "DynamoDB_20120810.PutItem": Executor.put_item,
    "DynamoDB_20120810.GetItem": Executor.get_item,
    "DynamoDB_20120810.UpdateItem": Executor.update_item,
    "DynamoDB_20120810.DeleteItem": Executor.delete_item,
    "DynamoDB_20120810.Query": Executor.query,
}


class MemoryAws(AwsServer):
    """The laptop's AWS, with the items of the template's tables in an `Executor`; all else moto answers."""

    @override
    def create(self, template: Template, base_url: str) -> References:
        self._tables |= {request["TableName"]: Executor(request["TableName"]) for _, request in template.tables()}
        return super().create(template, base_url)

    @override
    def items(self, table_name: str) -> list[Item]:
        return list(self._tables[table_name].items.values())

    @override
    def empty(self, table_name: str) -> None:
        self._tables[table_name].items = {}

    @override
    def _serialised(self) -> WSGIApplication:
        self._tables: dict[str, Executor] = {}
        moto = super()._serialised()

        def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            perform = OPERATIONS.get(environ.get("HTTP_X_AMZ_TARGET", ""))
            if perform is None:
                return moto(environ, start_response)
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            request = json.loads(body, object_hook=_from_json)
            table = self._tables.get(request["TableName"])
            if table is None:
                return moto({**environ, "wsgi.input": BytesIO(body)}, start_response)
            status, answer = "200 OK", {}
            try:
                answer = perform(table, **request)
            except ClientError as error:
                status, answer = "400 Bad Request", _refusal(error)
            body = json.dumps(answer, default=_to_json).encode()
            start_response(status, [("Content-Type", TYPE), ("Content-Length", str(len(body)))])
            return [body]

        return serve


def _from_json(members: dict[str, Any]) -> dict[str, Any]:
    """Bytes are told by their type's name, and are no member of an item of that name: those are objects."""
    binary = members.get("B")
    return {**members, "B": b64decode(binary)} if isinstance(binary, str) else members


def _to_json(value: bytes) -> str:
    return b64encode(value).decode()


def _refusal(error: ClientError) -> dict[str, Any]:
    response: dict[str, Any] = dict(error.response)
    name, message = response["Error"]["Code"], response["Error"]["Message"]
    item = {"Item": response["Item"]} if "Item" in response else {}
    return {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": message, **item}


@contextmanager
def stack_in_memory(**given: Any) -> Iterator[Stack]:
    """A stack on that AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("local.stack.AwsServer", MemoryAws)
        stack = Stack(**given).__enter__()
    try:
        yield stack
    finally:
        stack.stop()
