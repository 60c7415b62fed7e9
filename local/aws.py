"""The AWS services on the laptop: moto's server behind one lock, with the tables and the secret of template.yaml."""

import itertools
import json
import os
import threading
from base64 import b64decode
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import boto3
from botocore.config import Config
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Response

from local.servers import Listener, Observer, observed
from local.template import PSEUDO_PARAMETERS, References, Template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = PSEUDO_PARAMETERS["AWS::Region"]
ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "12345"  # noqa: S105 - the token of Twilio's published signature examples; a deployed stack refuses it
ROOT = "laptop-root-which-protects-nothing"
SECRET_NAME = "otp-feedback/laptop"  # noqa: S105 - a name
BASE_URL_PARAMETER = "/otp-feedback/base-url"

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Variables that give AWS's tools the laptop's credentials, and nobody else's."""

# moto keeps its data in the process: an account of its own keeps each server apart from the others.
_accounts = itertools.count(100_000_000_000)
# One lock for all servers of the process, since moto's backends are shared by them.
_lock = threading.Lock()


class AwsServer:
    """DynamoDB, Secrets Manager and Parameter Store at one address; `environment` is what a client needs to reach it.

    moto alone is not atomic (a conditional update can be won twice), so that one request is served at a time.
    """

    def __init__(self, listener: Listener | None = None, observers: Iterable[Observer] = ()) -> None:
        self.listener = listener or Listener()
        self.account_id = str(next(_accounts))
        self.listener.serve(observed(self._serialised(), _name_of_call, observers))

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which boto3 talks to this server."""
        return {"AWS_ENDPOINT_URL": self.listener.url, **CREDENTIALS}

    def dynamodb(self) -> "DynamoDBClient":
        """A low-level DynamoDB client for this server."""
        return boto3.client("dynamodb", **self._client_settings())

    def create(self, template: Template, base_url: str) -> References:
        """Make the template's tables, its secret and its base-URL parameter; return what `Ref` and `GetAtt` give."""
        references: dict[str, str] = {}
        with closing(self.dynamodb()) as dynamodb:
            for logical_id, request in template.tables():
                description = dynamodb.create_table(**request)["TableDescription"]
                references[logical_id] = request["TableName"]
                references[f"{logical_id}.Arn"] = description["TableArn"]
                references[f"{logical_id}.StreamArn"] = description.get("LatestStreamArn", "")
        content = {"root": ROOT, "twilio_account_sid": ACCOUNT_SID, "twilio_auth_token": AUTH_TOKEN}
        with closing(boto3.client("secretsmanager", **self._client_settings())) as secrets:
            for logical_id, _ in template.resources("AWS::SecretsManager::Secret"):
                secret = secrets.create_secret(Name=f"{SECRET_NAME}/{logical_id}", SecretString=json.dumps(content))
                references[logical_id] = references[f"{logical_id}.Id"] = secret["ARN"]
        with closing(boto3.client("ssm", **self._client_settings())) as parameters:
            for logical_id, _ in template.resources("AWS::SSM::Parameter"):
                parameters.put_parameter(Name=f"{BASE_URL_PARAMETER}/{logical_id}", Value=base_url, Type="String")
                references[logical_id] = f"{BASE_URL_PARAMETER}/{logical_id}"
        return references

    def items(self, table_name: str) -> list[dict[str, Any]]:
        """All of a table's items, as a Scan would give them, in a hundredth of the time that moto takes for one."""
        with _lock:
            return [_typed(item.attrs) for item in self._table(table_name).all_items()]

    def empty(self, table_name: str) -> None:
        """Delete all of a table's items."""
        with _lock:
            self._table(table_name).items.clear()

    def _table(self, name: str) -> Table:
        return dynamodb_backends[self.account_id][REGION].get_table(name)

    def stop(self) -> None:
        """Close the address. Idempotent."""
        self.listener.stop()

    def _client_settings(self) -> dict[str, Any]:
        return {
            "endpoint_url": self.listener.url,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "region_name": REGION,
            "config": Config(proxies={}),
        }

    def _serialised(self) -> WSGIApplication:
        moto = DomainDispatcherApplication(create_backend_app)

        def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"].startswith("/moto-api"):
                # moto's own control routes could wipe every table on a bare POST.
                return Response("not served\n", 403)(environ, start_response)
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account_id
            with _lock:
                return list(moto(environ, start_response))

        return serve


def _typed(attributes: Mapping[str, DynamoType]) -> dict[str, Any]:
    return {name: {attribute.type: _value(attribute)} for name, attribute in attributes.items()}


def _value(attribute: DynamoType) -> object:
    match attribute.value:
        case dict() as members:
            return _typed(members)
        case list() as members:
            return [{each.type: _value(each)} if isinstance(each, DynamoType) else each for each in members]
        case value:
            return b64decode(value) if attribute.is_binary() and isinstance(value, str) else value


def _name_of_call(environ: WSGIEnvironment) -> str:
    """`dynamodb:UpdateItem` from the target `DynamoDB_20120810.UpdateItem`."""
    target, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    service = target.partition("_")[0].lower()
    return f"{service.removeprefix('amazon')}:{operation}"
