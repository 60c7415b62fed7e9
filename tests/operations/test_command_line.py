"""What every command does alike: which stack, whose credentials, and what it says when something is missing."""

import re
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from operations import aws
from operations.__main__ import main
from operations.errors import OperationError
from otp_feedback.adapters.aws.table import Table
from tests.operations.conftest import PARAMETERS
from tests.template.expanded import expanded

PROJECT = Path(__file__).parents[2]
PARAMETER = re.compile(r"\.(?:text|whole)\(\"([A-Z]\w+)\"")
COMMANDS = ["connect", "doctor", "rotate-keys", "unlock", "erase", "destroy"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stack_that_does_not_exist(deploy, capsys, command):
    deploy()
    assert main([command, "--stack", "nobodys"]) == 1
    captured = capsys.readouterr()
    assert captured.err == (
        "There is no stack nobodys in us-east-1: check STACK, AWS_REGION and AWS_PROFILE, or deploy it first.\n"
    )
    assert captured.out == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_no_stack(capsys, command):
    assert main([command, "--stack", ""]) == 1
    assert "Name the stack" in capsys.readouterr().err


def test_a_stack_of_something_else(deploy, clients, capsys):
    deploy()
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"ApiUrl": {"Value": "https://x"}}}
    clients("cloudformation").create_stack(StackName="theirs", TemplateBody=str(topic).replace("'", '"'))
    assert main(["doctor", "--stack", "theirs"]) == 1
    error = capsys.readouterr().err
    assert "has no output TableName, SecretArn, BaseUrlParameterName" in error
    assert "not one of OTP Feedback" in error


@pytest.mark.parametrize(
    "variables", [["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], ["AWS_REGION", "AWS_DEFAULT_REGION"]]
)
def test_no_credentials_and_no_region(deploy, monkeypatch, capsys, variables):
    deploy()
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    for name in variables:
        monkeypatch.delenv(name)
    assert main(["doctor", "--stack", "acme"]) == 1
    assert "AWS_PROFILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_PROFILE": "work"}, "eu-west-1"),
        ({"AWS_PROFILE": "work"}, "eu-central-1"),
    ],
)
def test_the_region_is_the_one_that_the_variables_or_the_profile_name(
    moto, monkeypatch, tmp_path, capsys, variables, region
):
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    profiles = tmp_path / "config"
    profiles.write_text("[profile work]\nregion = eu-central-1\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profiles))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    assert aws.session().region_name == region
    assert main(["doctor", "--stack", "nobodys"]) == 1
    assert f"no stack nobodys in {region}:" in capsys.readouterr().err


def test_an_address_that_nobody_listens_at(deploy, monkeypatch, capsys):
    deploy()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(aws, "CONFIG", Config(retries={"total_max_attempts": 1}))
    assert main(["doctor", "--stack", "acme"]) == 1
    assert "AWS cannot be asked" in capsys.readouterr().err


def test_the_action_that_is_not_allowed_is_named():
    message = "User: arn:aws:iam::1:user/me is not authorized to perform: dynamodb:Scan on resource: arn:aws:x"
    error = ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "Scan")
    with pytest.raises(OperationError, match="does not let you call dynamodb:Scan: add it") as refused, aws.explained():
        raise error
    assert "arn:" not in str(refused.value)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_credentials_that_have_expired(code):
    error = ClientError({"Error": {"Code": code, "Message": "secret"}}, "Scan")
    with pytest.raises(OperationError, match="sign in again") as refused, aws.explained():
        raise error
    assert "secret" not in str(refused.value)


def test_another_error_of_aws_is_named_without_its_words():
    error = ClientError({"Error": {"Code": "ValidationException", "Message": "+4915112345678"}}, "Scan")
    with pytest.raises(OperationError, match="AWS answered Scan with ValidationException") as refused, aws.explained():
        raise error
    assert "+49" not in str(refused.value)


def test_what_made_the_table_unavailable_is_named():
    error = ClientError({"Error": {"Code": "ThrottlingException"}}, "Scan")
    client = SimpleNamespace(scan=Mock(side_effect=error))
    with pytest.raises(OperationError, match="AWS answered Scan with ThrottlingException"), aws.explained():
        list(Table(client, "table").scan("begins_with(pk, :kind)", {":kind": "x"}))


def test_options_that_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["rotate-keys", "--stack", "acme", "--auth-token", "--remove-old"])
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_the_parameters_that_the_commands_read_are_the_templates():
    assert set(PARAMETERS) <= set(expanded()["Parameters"])
    read = {name for path in (PROJECT / "operations").glob("*.py") for name in PARAMETER.findall(path.read_text())}
    assert read == set(PARAMETERS)
