"""Every fixture of events/ comes to what expected.json says, in its real function."""

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest

from local.aws import AUTH_TOKEN
from local.fixtures.__main__ import seed
from local.fixtures.files import EXPECTED, files, fixtures
from local.fixtures.payloads import BASE_URL
from local.fixtures.records import touched
from local.functions import ROOT
from local.stack import LAPTOP
from local.template import Template
from otp_feedback.adapters.problems import STATUS
from otp_feedback.adapters.signature import signature_is_valid
from tests.events.conformance import Document
from tests.events.conftest import Stages

EVENTS = ROOT / "events"
FIXTURES = {fixture.scene.file: fixture for fixture in fixtures()}
DOCUMENT = Document()


def assert_holds(expected: Any, given: Any) -> None:
    """Check that objects have the expected members, and lists the expected items."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert name in given, name
            assert_holds(value, given[name])
    elif isinstance(expected, list):
        assert len(given) == len(expected)
        for each, other in zip(expected, given, strict=True):
            assert_holds(each, other)
    else:
        assert given == expected


def assert_answers(expected: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Check an HTTP answer."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    body = answer.get("body") or ""
    assert answer["statusCode"] == expected["statusCode"], body
    assert_holds(expected.get("headers", {}), headers)
    assert set(expected.get("has", ())) <= set(headers)
    assert not set(expected.get("lacks", ())) & set(headers)
    if "json" in expected:
        assert_holds(expected["json"], json.loads(body))
    for text in expected.get("text", ()):
        assert text in body


@pytest.mark.parametrize("name", FIXTURES)
def test_a_fixture_comes_to_what_is_expected(name: str, stages: Stages):
    fixture = FIXTURES[name]
    expected = json.loads((EVENTS / EXPECTED).read_text())[name]
    event = json.loads((EVENTS / name).read_text())
    stage = stages(chosen="settings" in expected)
    stage.prepare([fixture])
    before = stage.items()
    wanted = expected["answer"]
    answer = stage.stack.invoke(expected["function"], event)
    if "statusCode" in wanted:
        assert_answers(wanted, answer)
        method, path = event["routeKey"].split(" ")
        DOCUMENT.assert_describes(method, path, answer)
    else:
        assert_holds(wanted["result"], answer)
    assert (stage.items() != before) is expected["changes"]
    assert stage.messages_asked_for() == expected["messages"]
    after = expected.get("after", [])
    body = json.loads(answer["body"]) if "json" in wanted else answer
    shown = [stage.shown(state.get("verification_id") or body["verification_id"]) for state in after]
    assert_holds(after, shown)
    sids = {message["sid"] for view in shown for message in view["messages"] if message["feedback"] == "reported"}
    assert stage.reported() == (sids if expected["changes"] else set())


def test_the_committed_files_are_what_the_code_makes():
    made = files()
    assert {path.name: path.read_text() for path in EVENTS.iterdir()} == made, "run python -m local.fixtures"
    again = subprocess.run(
        [sys.executable, "-c", "import json, local.fixtures.files as f; print(json.dumps(f.files()))"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "layers/otp_feedback"), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        capture_output=True,
        check=True,
    )
    assert json.loads(again.stdout) == made


def test_no_two_fixtures_touch_the_same_record():
    keys = [key for fixture in FIXTURES.values() for key in touched(fixture)]
    assert [key for key, times in Counter(keys).items() if times > 1] == []


def test_seeding_from_the_command_line_makes_all_fixtures_ready(stages: Stages):
    stage = stages(chosen=False)
    stage.prepare([])
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "layers/otp_feedback"),
        "AWS_ENDPOINT_URL": stage.stack.aws_url,
        "OTP_TABLE": stage.stack.table_name,
        "OTP_TWILIO_BASE_URL": stage.stack.twilio_url,
    }
    names = ("confirm_action.get-expired", "confirm_action.check-right", "send_otp.start-again")
    for chosen in ((), names):
        command = [sys.executable, "-m", "local.fixtures", "--seed", *chosen]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    verifications = {f"V#{fixture.scene.verification_id()}" for fixture in FIXTURES.values() if fixture.records}
    assert verifications <= {item["pk"]["S"] for item in stage.items()}
    for name in names:
        fixture = FIXTURES[f"{name}.json"]
        answer = stage.stack.invoke(fixture.scene.function, fixture.event)
        assert_answers(json.loads((EVENTS / EXPECTED).read_text())[fixture.scene.file]["answer"], answer)


@pytest.mark.parametrize(
    ("variable", "value", "names"),
    [
        ("AWS_ENDPOINT_URL", "https://dynamodb.us-east-1.amazonaws.com", []),
        ("OTP_TWILIO_BASE_URL", "https://api.twilio.com", []),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", ["confirm_action.check-nothing"]),
    ],
)
def test_nothing_is_seeded_elsewhere(variable: str, value: str, names: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable} must be the laptop's|there is no fixture"):
        seed(names)


SIGNED = [name for name, fixture in FIXTURES.items() if "x-twilio-signature" in fixture.event.get("headers", {})]


@pytest.mark.parametrize("name", SIGNED)
def test_webhooks_are_signed_with_the_documented_test_token(name: str):
    fixture = FIXTURES[name]
    event = fixture.event
    query = event["rawQueryString"]
    url = f"{BASE_URL}{event['rawPath']}" + (f"?{query}" if query else "")
    form = parse_qsl(base64.b64decode(event["body"]).decode(errors="replace"), keep_blank_values=True)
    valid = signature_is_valid(url, form, event["headers"]["x-twilio-signature"], [AUTH_TOKEN])
    raw = any(word in fixture.scene.name for word in ("too-large", "not-utf-8"))
    forged = fixture.answer.status == 403 and "foreign-account" not in fixture.scene.name
    assert valid is not (forged or raw)


def test_events_are_as_api_gateway_makes_them():
    for name, fixture in FIXTURES.items():
        event = fixture.event
        if "requestContext" not in event:
            continue
        context = event["requestContext"]
        assert event["version"] == "2.0"
        assert event["routeKey"] == context["routeKey"], name
        assert context["http"]["method"] == event["routeKey"].split(" ")[0], name
        assert list(event["headers"]) == sorted(event["headers"]), name
        form = event["headers"].get("content-type", "").startswith("application/x-www-form-urlencoded")
        assert not form or event["isBase64Encoded"], name
        length = event["headers"].get("content-length")
        body = event.get("body", "")
        raw = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
        assert (length or "0") == str(len(raw)), name


def test_every_trigger_has_a_fixture():
    template = Template(ROOT / "template.yaml", LAPTOP)
    routes = {f"{route.function} {route.method} {route.path}" for route in template.routes()}
    shown = {
        f"{fixture.scene.function} {fixture.event['routeKey']}"
        for fixture in FIXTURES.values()
        if "routeKey" in fixture.event
    }
    assert shown == routes
    scheduled = {fixture.scene.function for fixture in FIXTURES.values() if "detail-type" in fixture.event}
    assert scheduled == {schedule.function for schedule in template.schedules()}
    direct = {fixture.scene.function for fixture in FIXTURES.values() if "to" in fixture.event}
    assert direct == {"start_directly"}


def outcomes() -> set[tuple[str, str]]:
    """The problem types that fixtures show, by route."""
    return {
        (fixture.event["routeKey"], fixture.answer.json["type"].rpartition(":")[2])
        for fixture in FIXTURES.values()
        if fixture.answer.json is not None and "type" in fixture.answer.json
    }


def test_every_problem_type_has_a_fixture():
    assert {name for _, name in outcomes()} == {kind.name for kind in STATUS}


SHOWN_ONCE = {
    "unavailable": "a service must fail meanwhile",
    "not-found": "the functions' common ground",
    "payload-too-large": "the functions' common ground",
    "forbidden": "the functions' common ground",
    "invalid-recipient": "sending a first and a further message is one piece of code",
    "recipient-opted-out": "sending a first and a further message is one piece of code",
    "country-not-allowed": "sending a first and a further message is one piece of code",
    "message-rejected": "sending a first and a further message is one piece of code",
}
"""Problems that need no fixture on every route that can answer them, and why."""


def test_every_problem_of_a_route_has_a_fixture():
    answered = {
        (f"{method} {path}", name)
        for (method, path), operation in DOCUMENT.operations().items()
        for response in operation["responses"].values()
        for name in DOCUMENT.problems(response)
        if name not in SHOWN_ONCE
    }
    assert answered - outcomes() == set()
    assert set(SHOWN_ONCE) <= {name for _, name in outcomes()}


def test_fixtures_hold_fictional_numbers_only():
    for name, fixture in FIXTURES.items():
        assert fixture.scene.to[-7:-2] == "55501" or fixture.scene.to.startswith("+1500555"), name
