"""Every event of events/ comes to what is expected, in its real function; every answer is one that is documented."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from local.aws import AUTH_TOKEN
from local.functions import ROOT
from local.invoke import prepare
from local.stack import LAPTOP
from local.stage import BASE_URL, EVENTS, KEY, POLICY, RECIPIENT, SETTINGS, STAGES, Laptop, keyed_id, verification_id
from local.stage import KEYS as STAGE_KEYS
from local.template import Template
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.twilio.signature import signature_is_valid
from otp_feedback.adapters.web.problems import STATUS
from tests.events.conformance import Document
from tests.events.conftest import Scene, Scenes
from tests.events.outcomes import FURTHER, OUTCOMES, Event, Outcome, read_event, refused

DOCUMENT = Document()
TEMPLATE = Template(ROOT / "template.yaml", LAPTOP)
ROUTES = {f"{route.method} {route.path}": route.function for route in TEMPLATE.routes()}
ALL = {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}


def trigger(event: Event) -> str:
    """The route, `schedule`, or `direct`."""
    return str(event.get("routeKey") or ("schedule" if "detail-type" in event else "direct"))


def function_of(event: Event) -> str:
    """The function, by its folder, that is given such events."""
    [scheduled] = {schedule.function for schedule in TEMPLATE.schedules()}
    return {**ROUTES, "schedule": scheduled, "direct": "start_directly"}[trigger(event)]


def assert_holds(expected: Any, given: Any) -> None:
    """Check that objects have the expected members, and lists the expected items."""
    if isinstance(expected, Mapping):
        for name, value in expected.items():
            assert name in given, name
            assert_holds(value, given[name])
    elif isinstance(expected, list):
        assert len(given) == len(expected)
        for each, other in zip(expected, given, strict=True):
            assert_holds(each, other)
    else:
        assert given == expected


def assert_answers(expected: Outcome, answer: Mapping[str, Any]) -> None:
    """Check a function's answer."""
    if expected.status is None:
        assert_holds(expected.json, answer)
        return
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    body = answer.get("body") or ""
    assert answer["statusCode"] == expected.status, body
    assert_holds(expected.headers, headers)
    assert set(expected.has) <= set(headers)
    assert not set(expected.lacks) & set(headers)
    if expected.json is not None:
        assert_holds(expected.json, json.loads(body))
    for text in expected.text:
        assert text in body


def assert_comes_to(scene: Scene, event: Event, expected: Outcome, *, standing: int) -> None:
    """Invoke an event's function, and check its answer, what it has written and what it has asked Twilio for."""
    before = scene.items()
    answer = scene.stack.invoke(function_of(event), event)
    assert_answers(expected, answer)
    if expected.status is not None:
        method, path = event["routeKey"].split(" ")
        DOCUMENT.assert_describes(method, path, answer)
    assert (scene.items() != before) is expected.changes
    assert scene.messages_asked_for() == expected.messages
    ids = [verification_id(number) for number in range(1, standing + 1)]
    if expected.after and not ids:
        ids = [(json.loads(answer["body"]) if "body" in answer else answer)["verification_id"]]
    views = [scene.shown(each) for each, _ in zip(ids, expected.after, strict=False)]
    assert_holds(list(expected.after), views)
    sids = {message["sid"] for view in views for message in view["messages"] if message["feedback"] == "reported"}
    assert scene.reported() == (sids if expected.changes else set())


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_event_comes_to_what_is_expected(name: str, scenes: Scenes):
    scene = scenes(chosen=name in SETTINGS)
    standing = STAGES.get(name, ())
    scene.prepare(standing)
    assert_comes_to(scene, ALL[name], OUTCOMES[name], standing=len(standing))


@pytest.mark.parametrize("name", FURTHER)
def test_a_changed_event_comes_to_what_is_expected(name: str, scenes: Scenes):
    further, scene = FURTHER[name], scenes(chosen=False)
    event = read_event(further.event)
    scene.prepare(further.stage)
    if further.earlier is not None:
        scene.stack.invoke(function_of(event), further.earlier(event))
        scene.begin()
    assert_comes_to(scene, further.change(event), further.outcome, standing=len(further.stage))


def test_a_start_is_unavailable_while_another_one_of_its_key_does_not_get_on(scenes: Scenes):
    scene = scenes(chosen=False)
    scene.prepare(())
    recipient = STAGE_KEYS.recipient(RECIPIENT)
    scene.stage.budgets.reserve_send(recipient, f"{keyed_id(KEY)}#1", now_ms(), POLICY.limits, "another")
    assert_comes_to(scene, ALL["start-key-conflict"], refused(503, "unavailable"), standing=0)


def test_after_too_many_failures_waiting_does_not_help(scenes: Scenes):
    scene = scenes(chosen=False)
    scene.prepare(())
    for _ in range(POLICY.limits.max_failures):
        scene.stage.budgets.add_failure(STAGE_KEYS.recipient(RECIPIENT))
    expected = replace(refused(429, "too-many-messages"), lacks=("retry-after",))
    assert_comes_to(scene, ALL["start-code-accepted"], expected, standing=0)


@pytest.mark.parametrize(
    "name",
    ["start-link-accepted", "start-rejected", "direct-accepted", "check-wrong", "message-confirmed", "call-confirmed"],
)
def test_an_event_can_be_repeated_on_a_stack_that_goes_on(name: str, scenes: Scenes):
    scene = scenes(chosen=False)
    scene.prepare(())
    place = Laptop(scene.stack.aws_url, scene.stack.table_name, scene.stack.twilio_url)
    for _ in range(2):
        prepare(place, EVENTS / f"{name}.json")
        scene.begin()
        assert_answers(OUTCOMES[name], scene.stack.invoke(function_of(ALL[name]), ALL[name]))
        assert scene.messages_asked_for() == OUTCOMES[name].messages


def test_every_event_is_expected_to_come_to_something_and_no_other_is():
    assert set(ALL) == set(OUTCOMES)
    assert set(STAGES) | set(SETTINGS) <= set(ALL)
    assert {path.name for path in EVENTS.iterdir()} == {*(f"{name}.json" for name in ALL), "README.md"}


def test_the_readme_has_a_row_for_every_event_with_its_function():
    functions = {function.logical_id: name for name, function in TEMPLATE.functions({}).items()}
    rows = re.findall(r"^\| `(\S+)` \| (\w+) \| .+ \|$", (EVENTS / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == len(ALL)
    assert {name: functions[logical_id] for name, logical_id in rows} == {
        name: function_of(event) for name, event in ALL.items()
    }


def test_the_readme_tells_the_status_and_the_problem_of_every_answer():
    text = (EVENTS / "README.md").read_text()
    for name, expected in OUTCOMES.items():
        [told] = re.findall(rf"^\| `{name}` \| \w+ \| (.+) \|$", text, re.MULTILINE)
        assert expected.status is None or told.startswith(str(expected.status)), name
        assert expected.problem is None or f"`{expected.problem}`" in told, name


def test_every_trigger_has_an_event():
    assert {trigger(event) for event in ALL.values()} == {*ROUTES, "schedule", "direct"}
    assert {function_of(event) for event in ALL.values()} == set(TEMPLATE.functions({}))


SHOWN_ONCE = {
    "not-found": "the functions' common ground",
    "payload-too-large": "the functions' common ground",
    "forbidden": "the functions' common ground",
    "invalid-recipient": "sending a first and a further message is one piece of code",
    "recipient-opted-out": "sending a first and a further message is one piece of code",
    "country-not-allowed": "sending a first and a further message is one piece of code",
    "message-rejected": "sending a first and a further message is one piece of code",
}
"""Problems that need not be shown on every route that can answer them, and why."""


def test_every_problem_of_a_route_is_shown():
    shown = {(trigger(ALL[name]), expected.problem) for name, expected in OUTCOMES.items()}
    shown |= {(trigger(ALL[further.event]), further.outcome.problem) for further in FURTHER.values()}
    # A service must fail meanwhile.
    documented = {
        (f"{method} {path}", problem)
        for method, path in DOCUMENT.operations()
        for problem in DOCUMENT.problems(method, path) - {"unavailable"}
    }
    assert {each for each in documented - shown if each[1] not in SHOWN_ONCE} == set()
    assert {name for _, name in shown} >= {kind.name for kind in STATUS} - {"unavailable"}


SIGNED = [name for name, event in ALL.items() if "x-twilio-signature" in event.get("headers", {})]


@pytest.mark.parametrize("name", SIGNED)
def test_webhooks_are_signed_with_the_documented_test_token(name: str):
    event = ALL[name]
    query = event["rawQueryString"]
    url = f"{BASE_URL}{event['rawPath']}" + (f"?{query}" if query else "")
    form = parse_qsl(base64.b64decode(event["body"]).decode(), keep_blank_values=True)
    valid = signature_is_valid(url, form, event["headers"]["x-twilio-signature"], [AUTH_TOKEN])
    assert valid is ("forged" not in name)


def test_events_are_as_api_gateway_makes_them():
    for name, event in ALL.items():
        if "requestContext" not in event:
            continue
        method, path = event["routeKey"].split(" ")
        assert event["version"] == "2.0"
        assert event["requestContext"]["http"] == {"method": method, "path": event["rawPath"]}, name
        assert event["rawPath"] == path.format(**event.get("pathParameters", {})), name
        assert all(header == header.lower() for header in event["headers"]), name
        form = event["headers"].get("content-type", "").startswith("application/x-www-form-urlencoded")
        assert event["isBase64Encoded"] is form, name
        assert ("authorizer" in event["requestContext"]) is path.startswith("/verifications"), name


def test_events_hold_fictional_numbers_only():
    """NANPA keeps 555-0100 to 555-0199 for fiction; Twilio's test numbers begin +1500555."""
    for name, event in ALL.items():
        body = str(event.get("body", ""))
        text = base64.b64decode(body).decode() if event.get("isBase64Encoded") else json.dumps(event)
        for number in re.findall(r"(?:\+|%2B)(1[0-9]{10})", text):
            assert number[4:9] == "55501" or number.startswith("1500555"), name
