"""The AWS services on the laptop are atomic, which moto alone is not, and each server keeps its data to itself."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from local.aws import AwsServer
from local.stack import LAPTOP
from local.template import Template

TEMPLATE = Template(Path(__file__).parents[2] / "template.yaml", LAPTOP)


@pytest.fixture
def aws() -> Iterator[AwsServer]:
    server = AwsServer()
    yield server
    server.stop()


@pytest.fixture
def hostile_threads() -> Iterator[None]:
    """Have the interpreter switch threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hostile_threads")
def test_a_conditional_update_is_won_as_often_as_it_may_be(aws: AwsServer):
    table = aws.create(TEMPLATE, "http://127.0.0.1")["VerificationsTable"]
    with closing(aws.dynamodb()) as dynamodb:
        # botocore makes the class when it is asked for, and threads that ask at once get one each.
        refused = dynamodb.exceptions.ConditionalCheckFailedException

        def attempt(_: int) -> bool:
            try:
                dynamodb.update_item(
                    TableName=table,
                    Key={"pk": {"S": "V#1"}},
                    UpdateExpression="ADD attempts :one",
                    ConditionExpression="attribute_not_exists(attempts) OR attempts < :five",
                    ExpressionAttributeValues={":one": {"N": "1"}, ":five": {"N": "5"}},
                )
            except refused:
                return False
            return True

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(attempt, range(40))) == 5


def test_two_servers_hold_nothing_in_common(aws: AwsServer):
    other = AwsServer()
    aws.create(TEMPLATE, "http://127.0.0.1")
    with closing(aws.dynamodb()) as mine, closing(other.dynamodb()) as theirs:
        assert mine.list_tables()["TableNames"] != []
        assert theirs.list_tables()["TableNames"] == []
    other.stop()


def test_the_secret_and_the_base_url_are_where_the_references_say(aws: AwsServer):
    references = aws.create(TEMPLATE, "http://127.0.0.1:8080")
    settings = {
        "endpoint_url": aws.listener.url,
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    with closing(boto3.client("secretsmanager", **settings)) as secrets:  # type: ignore[call-overload]
        text = secrets.get_secret_value(SecretId=references["StackSecret"])["SecretString"]
    with closing(boto3.client("ssm", **settings)) as parameters:  # type: ignore[call-overload]
        value = parameters.get_parameter(Name=references["BaseUrlParameter"])["Parameter"]["Value"]
    assert '"twilio_auth_token": "12345"' in text
    assert value == "http://127.0.0.1:8080"
