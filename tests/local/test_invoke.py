"""`make invoke`, with a program in SAM CLI's place: tests/template/test_sam_local.py has the real one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import invoke, sam
from local.functions import ROOT
from local.stack import Stack
from local.stage import SETTINGS, verification_id
from tests.local.test_sam import program

CHECK = "check-right-confirmed.json"
TELLS = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
record = Path(__file__).with_suffix(".json")
if sys.argv[1] == "build":
    record.write_text(json.dumps(dict(os.environ)))
    sys.exit()
assert record.exists(), "not built"
options = dict(zip(sys.argv[4::2], sys.argv[5::2]))
variables = json.loads(Path(options["--env-vars"]).read_text())["Parameters"]
import boto3
client = boto3.client("dynamodb", endpoint_url=variables["AWS_ENDPOINT_URL"])
items = client.scan(TableName=variables["OTP_TABLE"])["Items"]
sys.stdout.write(json.dumps([sys.argv[1:4], options, variables, [item["pk"]["S"] for item in items]]))
sys.exit(3)
"""


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in SAM CLI's place, no `make dev`, and containers that reach the loopback; what the build was given."""
    monkeypatch.setattr(sam, "SAM", program(tmp_path, "sam", TELLS))
    monkeypatch.setattr(sam, "VARIABLES", tmp_path / "variables.json")
    monkeypatch.setattr(sam, "docker_gateway", lambda: "127.0.0.1")
    monkeypatch.setattr(sam, "container_host", lambda bind: bind)
    return tmp_path / "sam.json"


def invoked(capsys: pytest.CaptureFixture[str], event: str, *options: str, **variables: str) -> Any:
    """What SAM CLI was told: its command, its options, the function's variables, the keys in the table."""
    environ = {"PATH": os.environ["PATH"], **variables}
    assert invoke.invoke("ConfirmActionFunction", f"events/{event}", options, environ) == 3
    answer = capsys.readouterr().out
    assert answer.endswith("\n")
    return json.loads(answer)


def test_a_stack_is_brought_up_with_what_the_event_refers_to(capsys: pytest.CaptureFixture[str], told: Path):
    command, options, variables, keys = invoked(
        capsys, CHECK, "--memory", "1", AWS_PROFILE="mine", HTTPS_PROXY="http://proxy.example"
    )
    assert command == ["local", "invoke", "ConfirmActionFunction"]
    assert options["--event"] == str(ROOT / "events" / CHECK)
    assert options["--parameter-overrides"] == f"Architecture={sam.ARCHITECTURE}"
    assert options["--memory"] == "1"
    assert f"V#{verification_id(1)}" in keys
    assert variables["OTP_PUBLIC_BASE_URL"] != "http://127.0.0.1:8080"
    built = json.loads(told.read_text())
    assert "AWS_PROFILE" not in built
    assert built["HTTPS_PROXY"] == "http://proxy.example", "the build loads libraries"


def test_an_event_gets_the_settings_that_it_needs(capsys: pytest.CaptureFixture[str]):
    event = "tap-goes-on-to-success-url"
    _, _, variables, _ = invoked(capsys, f"{event}.json", OTP_MAX_ATTEMPTS="2", OTP_SUCCESS_URL="https://example.net")
    assert variables["OTP_MAX_ATTEMPTS"] == "2"
    assert variables["OTP_SUCCESS_URL"] == SETTINGS[event]["OTP_SUCCESS_URL"] != "https://example.net"
    _, _, variables, _ = invoked(capsys, "message-confirmed.json")
    assert variables["OTP_PUBLIC_BASE_URL"] == "http://127.0.0.1:8080", "which its signature covers"


def test_a_file_of_ones_own_is_an_event_as_well(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    event = tmp_path / CHECK
    event.write_text("{}")
    assert invoke.invoke("SendOtpFunction", str(event), [], os.environ) == 3
    _, options, _, keys = json.loads(capsys.readouterr().out)
    assert (options["--event"], keys) == (str(event), [])


def test_the_stack_of_make_dev_is_used_where_it_runs(capsys: pytest.CaptureFixture[str], stack: Stack):
    stack.aws.empty(stack.table_name)
    with sam.left_for_sam(stack, sam.VARIABLES):
        _, _, variables, keys = invoked(capsys, CHECK)
    assert variables == {**stack.variables, "OTP_UNSIGNED_CALLERS": ""}
    assert f"V#{verification_id(1)}" in keys
    stack.aws.empty(stack.table_name)


@pytest.mark.parametrize(
    ("function", "event", "message"),
    [
        ("", "events/start-code-accepted.json", r"^FUNCTION is missing: one of SendOtpFunction, StartDirectly"),
        ("SendOtp", "events/start-code-accepted.json", r"^FUNCTION=SendOtp is none of SendOtpFunction, StartDirectly"),
        ("SendOtpFunction", "", r"^EVENT is missing.*events/README\.md"),
        ("SendOtpFunction", "events/start.json", r"^EVENT=events/start\.json is no file"),
    ],
)
def test_what_is_missing_or_unknown_is_named_before_anything_is_built(
    function: str, event: str, message: str, told: Path
):
    with pytest.raises(ValueError, match=message):
        invoke.invoke(function, event, [], os.environ)
    assert not told.exists()


def test_an_address_that_no_container_reaches_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sam, "container_host", lambda bind: None)
    with pytest.raises(ValueError, match=r"^OTP_BIND=127\.0\.0\.1 "):
        invoke.invoke("SendOtpFunction", f"events/{CHECK}", [], {**os.environ, "OTP_BIND": "127.0.0.1"})


def test_a_build_that_failed_tells_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sam, "SAM", program(tmp_path, "fails", "#!/bin/sh\necho no wheel; echo at all >&2; exit 1\n"))
    with pytest.raises(sam.BuildFailed, match=r"^no wheel\nat all\n$"):
        invoke.invoke("SendOtpFunction", f"events/{CHECK}", [], os.environ)


def test_the_command_ends_with_the_message_alone():
    command = [sys.executable, "-m", "local", "invoke", "", ""]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers/otp_feedback")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("FUNCTION is missing")
    assert "Traceback" not in ended.stderr
