"""The emulator's REST API answers as Twilio's OpenAPI document and error codes say."""

import json
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from local.aws import ACCOUNT_SID
from local.twilio_account import segments
from tests.local.conftest import MESSAGES, Twilio

DOCUMENT = Path(__file__).parents[2] / "../shared/twilio/twilio-messages-openapi.json"
SERVICE = "MG" + "a" * 32


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip("Twilio's OpenAPI document is not beside the repository")
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return document


def as_json_schema(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable`, also beside a `$ref`, in JSON Schema's words."""
    if isinstance(schema, list):
        return [as_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {name: as_json_schema(item) for name, item in schema.items() if name != "nullable"}
    return {"anyOf": [converted, {"type": "null"}]} if schema.get("nullable") is True else converted


def conforms(openapi: dict[str, Any], method: str, path: str, answer: httpx.Response) -> bool:
    """Validate an answer against its operation; every field of the schema must be there."""
    response = openapi["paths"][path][method]["responses"][str(answer.status_code)]
    if "content" not in response:
        return answer.content == b""
    schema = response["content"]["application/json"]["schema"]
    components = as_json_schema(openapi["components"])
    Draft202012Validator({"components": components, **as_json_schema(schema)}).validate(answer.json())
    named = openapi["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    assert answer.headers["content-type"] == "application/json"
    return set(answer.json()) == set(named["properties"])


COLLECTION = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
INSTANCE = "/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json"
FEEDBACK = "/2010-04-01/Accounts/{AccountSid}/Messages/{MessageSid}/Feedback.json"


@pytest.mark.parametrize("sender", [{}, {"From": "", "MessagingServiceSid": SERVICE}, {"From": "Acme"}])
def test_every_answer_conforms_to_twilios_document(openapi: dict[str, Any], twilio: Twilio, sender: dict[str, str]):
    created = twilio.create(ProvideFeedback="true", **sender)
    assert created.status_code == 201
    assert conforms(openapi, "post", COLLECTION, created)
    sid = created.json()["sid"]
    assert conforms(openapi, "get", INSTANCE, twilio.http.get(f"{MESSAGES}/{sid}.json"))
    assert conforms(openapi, "get", COLLECTION, twilio.http.get(f"{MESSAGES}.json"))
    assert conforms(openapi, "post", FEEDBACK, twilio.confirm(sid))
    assert conforms(openapi, "post", INSTANCE, twilio.http.post(f"{MESSAGES}/{sid}.json", data={"Body": ""}))
    deleted = twilio.http.delete(f"{MESSAGES}/{sid}.json")
    assert deleted.status_code == 204
    assert conforms(openapi, "delete", INSTANCE, deleted)


def test_a_message_begins_queued_and_from_a_service_accepted_without_a_sender(twilio: Twilio):
    plain, pooled = twilio.created(), twilio.created(From="", MessagingServiceSid=SERVICE)
    assert (plain["status"], plain["from"], plain["num_segments"]) == ("queued", "+14155550100", "1")
    assert (pooled["status"], pooled["from"], pooled["num_segments"]) == ("accepted", None, "0")
    assert pooled["messaging_service_sid"] == SERVICE
    assert parsedate_to_datetime(plain["date_created"]).tzinfo is not None


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "12345"}, 21211),
        ({"To": "+4915112345678x"}, 21211),
        ({"To": "+49\u0661511234567"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"From": ""}, 21603),
        ({"From": "a sender that is too long"}, 21212),
        ({"From": "+15005550007"}, 21606),
        ({"From": "whatsapp:+14155550100"}, 21910),
        ({"From": "+4915112345678"}, 21266),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"ValidityPeriod": "0"}, 21624),
        ({"ValidityPeriod": "36001"}, 21624),
        ({"ValidityPeriod": "1.5"}, 21624),
        ({"ValidityPeriod": "9" * 5000}, 21624),
        ({"ProvideFeedback": "True"}, 20001),
        ({"StatusCallback": "http://not_valid.example/"}, 21609),
        ({"StatusCallback": "ftp://127.0.0.1/"}, 21609),
        ({"StatusCallback": "https://example.com/"}, 21609),
    ],
)
def test_what_twilio_refuses(twilio: Twilio, parameters: dict[str, str], code: int):
    answer = twilio.create(**parameters)
    assert answer.status_code == 400
    assert answer.json() == {
        "code": code,
        "message": answer.json()["message"],
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": 400,
    }
    assert twilio.held() == []


@pytest.mark.parametrize(
    "auth",
    [
        None,
        (ACCOUNT_SID, "wrong"),
        (ACCOUNT_SID, ""),
        ("AC" + "1" * 32, "12345"),
        ("SK" + "0" * 32, "12345"),
        ("", ""),
    ],
)
def test_wrong_credentials_are_20003(twilio: Twilio, auth: tuple[str, str] | None):
    answer = twilio.http.get(f"{MESSAGES}.json", auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer x"])
def test_broken_credentials_are_20003(twilio: Twilio, header: str):
    answer = twilio.http.get(f"{MESSAGES}.json", headers={"Authorization": header}, auth=None)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


def test_an_api_key_is_as_good_as_the_token(twilio: Twilio):
    auth = ("SK" + "0" * 32, "laptop-api-key-secret")
    assert twilio.http.get(f"{MESSAGES}.json", auth=auth).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{MESSAGES}/SM{'0' * 32}.json", 404, 20404),
        ("POST", f"{MESSAGES}/SM{'0' * 32}/Feedback.json", 404, 20404),
        ("DELETE", f"{MESSAGES}/SM{'0' * 32}.json", 404, 20404),
        ("GET", f"/2010-04-01/Accounts/AC{'1' * 32}/Messages.json", 404, 20404),
        ("GET", "/2010-04-01/nothing.json", 404, 20404),
        ("PUT", f"{MESSAGES}.json", 405, 20004),
        ("GET", f"{MESSAGES}/SM{'0' * 32}/Feedback.json", 405, 20004),
    ],
)
def test_what_is_not_there(twilio: Twilio, method: str, path: str, status: int, code: int):
    answer = twilio.http.request(method, path)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)


def test_feedback_begins_unconfirmed_and_stays_confirmed(twilio: Twilio):
    sid = twilio.created(ProvideFeedback="true")["sid"]
    assert twilio.held()[0]["feedback"] == "unconfirmed"
    for _ in range(2):
        assert twilio.confirm(sid).json()["outcome"] == "confirmed"
    assert twilio.held()[0]["feedback"] == "confirmed"


def test_there_is_no_feedback_where_none_was_asked_for(twilio: Twilio):
    sid = twilio.created()["sid"]
    assert (twilio.held()[0]["provide_feedback"], twilio.held()[0]["feedback"]) == (False, None)
    assert twilio.confirm(sid).status_code == 404
    assert twilio.confirm(sid, "excellent").status_code == 400


def test_a_deleted_message_takes_its_feedback_along(twilio: Twilio):
    sid = twilio.created(ProvideFeedback="true")["sid"]
    assert twilio.http.delete(f"{MESSAGES}/{sid}.json").status_code == 204
    assert twilio.confirm(sid).status_code == 404


def test_redaction_takes_the_text_alone(twilio: Twilio):
    sid = twilio.created(ProvideFeedback="true")["sid"]
    assert twilio.http.post(f"{MESSAGES}/{sid}.json", data={"Body": "other"}).status_code == 400
    assert twilio.http.post(f"{MESSAGES}/{sid}.json", data={"Body": ""}).json()["body"] == ""
    assert twilio.held()[0]["body"] == ""


def test_the_list_is_paged_and_filtered(twilio: Twilio):
    sids = [twilio.created(To=f"+491511234560{n % 2}")["sid"] for n in range(5)]
    seen: list[str] = []
    uri: str | None = f"{MESSAGES}.json?PageSize=2&To=%2B4915112345600"
    while uri is not None:
        page = twilio.http.get(uri).json()
        assert page["page_size"] == 2
        seen += [message["sid"] for message in page["messages"]]
        uri = page["next_page_uri"]
    assert seen == [sids[4], sids[2], sids[0]]
    assert twilio.http.get(f"{MESSAGES}.json", params={"DateSent>": "2999-01-01"}).json()["messages"] == []
    assert twilio.http.get(f"{MESSAGES}.json", params={"PageSize": "1001"}).status_code == 400


def test_opting_out_lasts_until_start(twilio: Twilio):
    phone, sender = "+4915112345678", "+14155550100"
    assert twilio.create().status_code == 201
    twilio.control("inbound", kind="message", **{"from": phone}, to=sender, body=" stop ")
    refused = twilio.create()
    assert (refused.status_code, refused.json()["code"]) == (400, 21610)
    assert twilio.create(From="+14155550101").status_code == 201
    twilio.control("inbound", kind="message", **{"from": phone}, to=sender, body="START")
    assert twilio.create().status_code == 201


def test_every_rest_call_is_recorded_with_its_answer(twilio: Twilio):
    sid = twilio.created(ProvideFeedback="true")["sid"]
    twilio.create(To="")
    twilio.confirm(sid)
    assert [(call["method"], call["path"], call["response_status"]) for call in twilio.requests()] == [
        ("POST", f"{MESSAGES}.json", 201),
        ("POST", f"{MESSAGES}.json", 400),
        ("POST", f"{MESSAGES}/{sid}/Feedback.json", 200),
    ]
    assert twilio.requests()[0]["parameters"]["ProvideFeedback"] == "true"
    assert twilio.requests()[2]["parameters"] == {"Outcome": "confirmed"}


def test_the_list_of_messages_has_what_the_design_names(twilio: Twilio):
    sid = twilio.created(ProvideFeedback="true")["sid"]
    (message,) = twilio.held()
    assert message.items() >= {
        "sid": sid, "to": "+4915112345678", "from": "+14155550100", "body": "Your code is 123456",
        "provide_feedback": True, "feedback": "unconfirmed",
    }.items()  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", message["created_at"])


@pytest.mark.parametrize(
    ("body", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("€" * 80, 1), ("€" * 81, 2), ("ж" * 70, 1), ("ж" * 71, 2)],
)
def test_segments(body: str, count: int):
    assert segments(body) == count
