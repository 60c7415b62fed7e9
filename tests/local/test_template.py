"""What the laptop reads from template.yaml."""

from pathlib import Path
from typing import Any

import pytest

from local.stack import LAPTOP
from local.template import NO_VALUE, Template, TemplateNotUnderstood

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deployed() -> Template:
    return Template(ROOT / "template.yaml", LAPTOP)


def test_the_routes_of_the_design(deployed: Template):
    routes = {(route.method, route.path): (route.function, route.authorisation) for route in deployed.routes()}
    verification = "/verifications/{verification_id}"
    assert (
        routes.items()
        >= {
            ("POST", "/verifications"): ("send_otp", "iam"),
            ("POST", f"{verification}/messages"): ("send_otp", "iam"),
            ("GET", verification): ("confirm_action", "iam"),
            ("POST", f"{verification}/check"): ("confirm_action", "iam"),
            ("POST", f"{verification}/confirm"): ("confirm_action", "iam"),
            ("POST", f"{verification}/cancel"): ("confirm_action", "iam"),
            ("GET", "/confirm"): ("confirm_action", "none"),
            ("HEAD", "/confirm"): ("confirm_action", "none"),
            ("POST", "/confirm"): ("confirm_action", "none"),
            ("POST", "/twilio/status"): ("track_delivery", "none"),
            ("POST", "/twilio/message"): ("confirm_action", "none"),
            ("POST", "/twilio/call"): ("confirm_action", "none"),
        }.items()
    )


def test_with_an_issuer_callers_bring_tokens():
    parameters = {**LAPTOP, "JwtIssuer": "https://issuer.example", "JwtAudience": "api"}
    routes = {route.path: route.authorisation for route in Template(ROOT / "template.yaml", parameters).routes()}
    assert (routes["/verifications"], routes["/confirm"]) == ("jwt", "none")


def test_the_table_of_verifications(deployed: Template):
    tables = dict(deployed.tables())
    request = tables["VerificationsTable"]
    assert request["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert [index["IndexName"] for index in request["GlobalSecondaryIndexes"]] == ["feedback-due"]
    assert request["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_the_functions_get_the_templates_settings(deployed: Template):
    functions = deployed.functions({"VerificationsTable": "the-table", "StackSecret": "the-secret"})
    assert {"send_otp", "start_directly", "confirm_action", "track_delivery", "retry_feedback"} <= functions.keys()
    send = functions["send_otp"]
    assert send.environment["OTP_TABLE"] == "the-table"
    assert send.environment["OTP_SECRET_ARN"] == "the-secret"
    assert send.environment["OTP_SENDER"] == LAPTOP["Sender"]
    assert send.folder == ROOT / "functions" / "send_otp"
    assert (send.folder / "app.py").exists()


def test_the_schedules(deployed: Template):
    assert "retry_feedback" in {schedule.function for schedule in deployed.schedules()}


def test_an_unknown_parameter_is_refused():
    with pytest.raises(TemplateNotUnderstood, match="no parameter Nonsense"):
        Template(ROOT / "template.yaml", {"Nonsense": "1"})


def test_a_parameter_without_a_value_is_named():
    with pytest.raises(TemplateNotUnderstood, match=r"AppName|Sender|Countries"):
        Template(ROOT / "template.yaml").functions({})


@pytest.fixture
def small(tmp_path: Path) -> Template:
    path = tmp_path / "template.yaml"
    path.write_text("""
Parameters:
  Name: {Type: String, Default: otp}
  Empty: {Type: String, Default: ""}
Mappings:
  Sizes: {small: {memory: 128}}
Conditions:
  Named: !Not [!Equals [!Ref Name, ""]]
  Both: !And [!Condition Named, !Equals [!Ref Empty, ""]]
  Neither: !Not [!Or [!Condition Named, !Condition Both]]
Resources:
  Absent: {Type: A::B, Condition: Neither}
  Present: {Type: A::B, Condition: Both, Properties: {Size: 1}}
""")
    return Template(path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Name"}, "otp"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Elsewhere"}, "Elsewhere"),
        ({"Ref": "AWS::NoValue"}, NO_VALUE),
        ({"Fn::Sub": "${Name}-${AWS::Region}-${!kept}"}, "otp-us-east-1-${kept}"),
        ({"Fn::Sub": ["${a}/${Name}", {"a": {"Ref": "Empty"}}]}, "/otp"),
        ({"Fn::If": ["Both", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Neither", "yes", {"Ref": "Name"}]}, "otp"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}]]}, "a-otp"),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"),
        ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
        ({"Fn::FindInMap": ["Sizes", "small", "memory"]}, 128),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
    ],
)
def test_intrinsics(small: Template, value: Any, expected: Any):
    assert small.resolve(value) == expected


def test_an_intrinsic_that_is_not_understood_is_named(small: Template):
    with pytest.raises(TemplateNotUnderstood, match="Fn::Cidr"):
        small.resolve({"Fn::Cidr": ["10.0.0.0/16", 1, 8]})


def test_resources_whose_condition_fails_are_left_out(small: Template):
    assert list(small.resources("A::B")) == [("Present", {"Size": 1})]
