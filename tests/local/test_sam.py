"""What SAM CLI is told of the laptop stack."""

import json
import os
import tomllib
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from local import sam
from local.aws import ACCOUNT_SID, REGION
from local.functions import ROOT
from local.servers import Listener
from local.stack import Stack


def program(folder: Path, name: str, text: str) -> Path:
    """An executable in a folder."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "gateway"),
    [
        ("echo fd00::1; echo 172.20.0.1", "172.20.0.1"),
        ("echo fd00::1", "172.17.0.1"),
        ("echo 172.20.0.1; exit 1", "172.17.0.1"),
        (None, "172.17.0.1"),
    ],
)
def test_docker_is_asked_for_its_gateway(
    script: str | None, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if script is not None:
        program(tmp_path, "docker", f"#!/bin/sh\n{script}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sam.docker_gateway() == gateway


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("127.0.0.1", None),
        ("localhost", None),
        ("::1", None),
        ("172.17.0.1", "172.17.0.1"),
        ("laptop.example", "laptop.example"),
        ("0.0.0.0", "172.20.0.1"),  # noqa: S104
    ],
)
def test_a_container_reaches_what_does_not_listen_at_the_loopback(
    bind: str, host: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sam, "docker_gateway", lambda: "172.20.0.1")
    assert sam.container_host(bind) == host


def test_no_file_is_left_where_no_container_reaches_the_stack(stack: Stack, tmp_path: Path):
    with sam.left_for_sam(stack, tmp_path / "variables.json") as left:
        assert left is False
        assert not list(tmp_path.iterdir())


def test_a_file_with_the_functions_variables_is_left_while_the_stack_runs(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sam, "container_host", lambda bind: bind)
    path = tmp_path / "cache/variables.json"
    with sam.left_for_sam(stack, path) as left:
        assert left is True
        told = json.loads(path.read_text())["Parameters"]
        assert sam.left_by_dev(path) == told == {**stack.variables, "OTP_UNSIGNED_CALLERS": "true"}
    assert not list(path.parent.iterdir())
    variables = stack.variables
    with closing(boto3.client("secretsmanager", endpoint_url=variables["AWS_ENDPOINT_URL"])) as client:
        secret = json.loads(client.get_secret_value(SecretId=variables["OTP_SECRET_ARN"])["SecretString"])
    assert secret["twilio_account_sid"] == ACCOUNT_SID
    assert variables["OTP_TWILIO_BASE_URL"] == stack.twilio_url
    assert variables["OTP_PUBLIC_BASE_URL"] == stack.api_url
    assert (variables["OTP_TABLE"], variables["OTP_STAGE"]) == (stack.table_name, "development")
    assert "POWERTOOLS_SERVICE_NAME" not in variables, "each function has its own"


def test_a_stack_at_every_address_is_reached_at_the_gateway(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sam, "docker_gateway", lambda: "172.20.0.1")
    monkeypatch.setattr(stack, "bind", "0.0.0.0")  # noqa: S104
    variables = sam.container_variables(stack)
    assert variables is not None
    assert variables["AWS_ENDPOINT_URL"] == f"http://172.20.0.1:{stack.aws.listener.port}"
    assert variables["OTP_TWILIO_BASE_URL"] == f"http://172.20.0.1:{stack.twilio.listener.port}"
    assert variables["OTP_PUBLIC_BASE_URL"] == stack.api_url


def test_another_stacks_file_stays(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sam, "container_host", lambda bind: bind)
    path = tmp_path / "variables.json"
    with sam.left_for_sam(stack, path):
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_what_a_dead_stack_left_does_not_count(tmp_path: Path):
    path = tmp_path / "variables.json"
    assert sam.left_by_dev(path) is None
    listener = Listener()
    listener.stop()
    sam.write({"AWS_ENDPOINT_URL": listener.url}, path)
    assert sam.left_by_dev(path) is None


def test_sam_cli_gets_the_laptops_credentials_and_the_python_of_the_layers():
    given = sam.environment(
        {"AWS_PROFILE": "mine", "AWS_ACCESS_KEY_ID": "AKIA", "PYTHONPATH": "x", "PATH": "/bin", "HOME": "/home/me"}
    )
    assert given["HOME"] == "/home/me"
    assert given["PATH"] == f"{ROOT / '.venv/bin'}:/bin"
    assert not {"AWS_PROFILE", "PYTHONPATH", "AWS_ENDPOINT_URL"} & set(given)
    assert (given["AWS_ACCESS_KEY_ID"], given["AWS_SHARED_CREDENTIALS_FILE"]) == ("test", os.devnull)


@pytest.mark.parametrize("command", ["invoke", "start_api", "start_lambda"])
def test_sam_local_asks_for_the_laptops_variables_by_itself(command: str):
    parameters = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"][f"local_{command}"]["parameters"]
    assert ROOT / parameters["env_vars"] == sam.VARIABLES
    assert parameters["region"] == REGION
