"""Each request that the client makes, against Twilio's own OpenAPI document."""

import json
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from otp_feedback.adapters.twilio.client import TwilioClient, TwilioCredentials
from otp_feedback.usecases.ports import Created, FeedbackAccepted, OutgoingMessage
from tests.adapters.scripted_server import Received, ScriptedServer, answer

DOCUMENT = Path(__file__).parents[2] / "../shared/twilio/twilio-messages-openapi.json"

SID = "SM" + "0123456789abcdef" * 2
CREDENTIALS = TwilioCredentials("AC" + "1" * 32, "SK" + "2" * 32, "secret")
SMS = OutgoingMessage(
    to="+4915112345678",
    sender="+15005550006",
    body="Your code is 123456",
    status_callback="https://otp.example.com/twilio/status?message=1&verification=abc#rc=5&rp=all",
    validity_s=600,
    attempt=3,
)


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip("Twilio's OpenAPI document is not beside the repository")
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return document


def check(openapi: dict[str, Any], request: Received) -> None:
    template, operation = next(
        (template, path["post"])
        for template, path in openapi["paths"].items()
        if "post" in path and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), request.path)
    )
    in_path = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), request.path)
    assert in_path is not None
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            validate(openapi, parameter["schema"], in_path[parameter["name"]])
    (content_type,) = operation["requestBody"]["content"]
    assert request.headers["content-type"] == content_type
    schema = operation["requestBody"]["content"][content_type]["schema"]
    assert request.form.keys() <= schema["properties"].keys()
    typed = {name: as_typed(schema["properties"][name].get("type"), value) for name, value in request.form.items()}
    validate(openapi, schema, typed)


def as_typed(kind: str | None, value: str) -> str | bool | int:
    if kind == "boolean":
        return {"true": True, "false": False}[value]
    return int(value) if kind == "integer" else value


def validate(openapi: dict[str, Any], schema: dict[str, Any], instance: object) -> None:
    Draft202012Validator({"components": openapi["components"], **schema}).validate(instance)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(SMS, id="number"),
        pytest.param(replace(SMS, sender="Example"), id="alphanumeric"),
        pytest.param(replace(SMS, sender="MG" + "a" * 32), id="messaging service"),
        pytest.param(replace(SMS, sender="whatsapp:+15005550006"), id="whatsapp"),
        pytest.param(
            replace(SMS, body=None, content_sid="HX" + "b" * 32, content_variables={"1": "123456"}), id="content"
        ),
    ],
)
def test_create_message(openapi, message):
    with ScriptedServer([answer(201, json.dumps({"sid": SID}).encode())]) as server:
        with closing(TwilioClient(lambda: CREDENTIALS, server.url)) as client:
            assert client.create_message(message, 8) == Created(SID)
        (request,) = server.requests

    check(openapi, request)
    assert len({"From", "MessagingServiceSid"} & request.form.keys()) == 1
    assert len({"Body", "ContentSid"} & request.form.keys()) == 1


def test_feedback(openapi):
    with ScriptedServer([answer(200, b"{}")]) as server:
        with closing(TwilioClient(lambda: CREDENTIALS, server.url)) as client:
            assert client.post_feedback(SID, 8) == FeedbackAccepted()
        (request,) = server.requests

    check(openapi, request)
