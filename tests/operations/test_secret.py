"""The stack's secret is replaced as a whole, or not at all."""

import pytest

from operations.errors import OperationError
from operations.secret import read_secret, write_secret
from tests.operations.account import SID, TOKEN
from tests.operations.conftest import ROOT

CONNECTED = {"root": ROOT, "twilio_account_sid": SID, "twilio_auth_token": TOKEN}


def labels(deployed):
    versions = deployed.secrets.list_secret_version_ids(SecretId=deployed.stack.secret_arn, IncludeDeprecated=True)
    return sorted(label for version in versions["Versions"] for label in version.get("VersionStages", []))


def write(deployed, stored, fields):
    write_secret(deployed.secrets, deployed.stack.secret_arn, stored, fields, emulated=False)


def test_the_version_before_can_be_restored_and_nothing_else_is_left(deploy):
    deployed = deploy()
    write(deployed, read_secret(deployed.secrets, deployed.stack.secret_arn), CONNECTED)
    write(deployed, read_secret(deployed.secrets, deployed.stack.secret_arn), {**CONNECTED, "note": "x"})
    assert labels(deployed) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert deployed.secret() == {**CONNECTED, "note": "x"}


def test_of_two_who_read_the_same_version_one_is_refused(deploy):
    deployed = deploy()
    first = read_secret(deployed.secrets, deployed.stack.secret_arn)
    second = read_secret(deployed.secrets, deployed.stack.secret_arn)
    write(deployed, first, {**CONNECTED, "note": "first"})
    with pytest.raises(OperationError, match="changed by somebody else"):
        write(deployed, second, {**CONNECTED, "note": "second"})
    assert deployed.secret()["note"] == "first"
    assert "AWSCURRENT" in labels(deployed)


def test_what_the_functions_could_not_use_is_not_written(deploy):
    deployed = deploy()
    stored = read_secret(deployed.secrets, deployed.stack.secret_arn)
    for fields in (
        {"root": ROOT},
        {**CONNECTED, "mac_keys": {"1": "too-short"}},
        {**CONNECTED, "mac_key_id": "2"},
        {**CONNECTED, "twilio_api_key_sid": "SK" + "0" * 32},
    ):
        with pytest.raises(OperationError, match="The stack's secret"):
            write(deployed, stored, fields)
    assert deployed.secret() == {"root": ROOT}


def test_the_root_never_changes(deploy):
    deployed = deploy()
    stored = read_secret(deployed.secrets, deployed.stack.secret_arn)
    with pytest.raises(ValueError, match="root"):
        write(deployed, stored, {**CONNECTED, "root": "s" * 64})


def test_it_does_not_print(deploy):
    deployed = deploy()
    stored = read_secret(deployed.secrets, deployed.stack.secret_arn)
    assert ROOT not in repr(stored)
