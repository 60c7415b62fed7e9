"""openapi.yaml says what the code does: its routes, its types, its problems."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from local.functions import ROOT
from local.openapi import problems
from local.openapi.document import OPERATIONS, document, to_yaml
from local.openapi.schemas import ANSWERS, REQUESTS
from local.stack import LAPTOP
from local.template import Route, Template
from otp_feedback.adapters.web import function as http
from otp_feedback.adapters.web.problems import MEDIA_TYPE, STATUS, problem_response
from otp_feedback.adapters.web.request import decode
from otp_feedback.domain.errors import MalformedRequest, MessageRejected, Problem, TooManyMessages, Unavailable
from tests.events.conformance import OPENAPI, Document

DOCUMENT = Document()


def template_routes(**parameters: str) -> list[Route]:
    return Template(ROOT / "template.yaml", {**LAPTOP, **parameters}).routes()


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[tuple[str, str]]]:
    """The routes that each function's handler registers."""
    found: dict[str, set[tuple[str, str]]] = {}
    original = http.HttpFunction.__init__

    def record(self: http.HttpFunction, *given: Any, **routes: Any) -> None:
        found[given[0]] = {*routes.get("callers", ()), *routes.get("public", ())}
        original(self, *given, **routes)

    monkeypatch.setattr(http.HttpFunction, "__init__", record)
    for name, function in Template(ROOT / "template.yaml", LAPTOP).functions({}).items():
        for variable, value in function.environment.items():
            monkeypatch.setitem(os.environ, variable, value)
        spec = importlib.util.spec_from_file_location(f"openapi_{name}_app", function.folder / "app.py")
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return found


def test_the_committed_document_is_what_the_code_makes():
    made = subprocess.run(
        [sys.executable, "-m", "local.openapi"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "layers/otp_feedback"), "PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
    )
    assert made.stdout.decode() == OPENAPI.read_text(), "run make openapi"
    assert to_yaml(document()) == OPENAPI.read_text()


def test_the_document_is_valid_openapi():
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT.content).iter_errors()] == []


def test_the_routes_are_the_templates():
    assert set(DOCUMENT.operations()) == {(route.method, route.path) for route in template_routes()}


def test_the_routes_are_those_that_the_handlers_register(registered: dict[str, set[tuple[str, str]]]):
    by_function: dict[str, set[tuple[str, str]]] = {}
    for route in template_routes():
        by_function.setdefault(route.function, set()).add((route.method, route.path))
    assert registered == by_function
    assert set(DOCUMENT.operations()) == set().union(*registered.values())


@pytest.mark.parametrize(
    ("parameters", "authorisation"),
    [({}, "iam"), ({"JwtIssuer": "https://issuer.example", "JwtAudience": "app"}, "jwt")],
)
def test_who_may_call_is_as_the_template_says(parameters: dict[str, str], authorisation: str):
    schemes = {"iam": {"AwsSigV4"}, "jwt": {"Token"}}
    for route in template_routes(**parameters):
        security = {name for choice in DOCUMENT.operations()[route.method, route.path]["security"] for name in choice}
        if route.authorisation == "none":
            assert security <= {"TwilioSignature"}, route
            assert (security == {"TwilioSignature"}) == route.path.startswith("/twilio/"), route
        else:
            assert route.authorisation in {authorisation, "iam"}
            assert schemes[authorisation] <= security, route


def test_operation_ids_are_unique_and_links_lead_to_routes_that_take_a_verification():
    by_id = {operation["operationId"]: key for key, operation in DOCUMENT.operations().items()}
    assert len(by_id) == len(DOCUMENT.operations())
    for key in (("POST", "/verifications"), ("POST", "/verifications/{verification_id}/messages")):
        links = DOCUMENT.operations()[key]["responses"]["202"]["links"]
        assert {by_id[link["operationId"]] for link in links.values()} == {
            each for each in DOCUMENT.operations() if "{verification_id}" in each[1]
        }
        assert all(
            link["parameters"] == {"verification_id": "$response.body#/verification_id"} for link in links.values()
        )


def test_every_problem_is_an_answer_of_some_route_and_no_other_is():
    told = {
        urn
        for operation in DOCUMENT.operations().values()
        for response in operation["responses"].values()
        for urn in problem_types(DOCUMENT.resolve(response))
    }
    assert told == {f"urn:otp-feedback:{kind.name}" for kind in STATUS}
    assert set(STATUS) == set(Problem.__subclasses__())


def problem_types(response: dict[str, Any]) -> set[str]:
    schema = response.get("content", {}).get(MEDIA_TYPE, {}).get("schema", {})
    choices = schema.get("oneOf", [schema] if schema else [])
    return {DOCUMENT.resolve(choice)["properties"]["type"]["const"] for choice in choices}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.operation_id)
def test_each_problem_stands_under_its_status(operation: Any):
    responses = DOCUMENT.operations()[operation.method, operation.path]["responses"]
    for kind in operation.problems:
        assert f"urn:otp-feedback:{kind.name}" in problem_types(responses[str(STATUS[kind])])


@pytest.mark.parametrize(
    "problem",
    [
        *(pytest.param(problems.sample(kind), id=kind.name) for kind in STATUS),
        pytest.param(TooManyMessages(), id="no wait helps"),
        pytest.param(MessageRejected(None), id="no code"),
        pytest.param(Unavailable(60), id="misconfigured"),
        pytest.param(MalformedRequest("expect.to", "must be a string"), id="nested field"),
    ],
)
def test_a_problem_is_as_its_schema_says(problem: Problem):
    body = json.loads(problem_response(problem).body)
    schema = problems.schema(type(problem))
    assert DOCUMENT.violations(schema, body) == []
    assert set(body) <= set(schema["properties"])
    for other in STATUS:
        if other is not type(problem):
            assert DOCUMENT.violations(problems.schema(other), body) != []


def examples(content: dict[str, Any]) -> Iterator[Any]:
    """The examples of a request's or response's media type."""
    if "example" in content:
        yield content["example"]
    for each in content.get("examples", {}).values():
        yield DOCUMENT.resolve(each)["value"]


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    for (method, path), operation in DOCUMENT.operations().items():
        for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
            yield f"{method} {path} {media_type}", content
        for status, response in operation["responses"].items():
            for media_type, content in DOCUMENT.resolve(response).get("content", {}).items():
                yield f"{method} {path} {status} {media_type}", content


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in contents()])
def test_examples_are_valid(content: dict[str, Any]):
    for value in examples(content):
        assert DOCUMENT.violations(content["schema"], value) == []


def test_every_json_body_and_answer_has_an_example():
    assert [name for name, content in contents() if "json" in name and not list(examples(content))] == []


def parameters() -> Iterator[dict[str, Any]]:
    for operation in DOCUMENT.operations().values():
        for parameter in operation.get("parameters", []):
            yield DOCUMENT.resolve(parameter)


def test_parameters_and_properties_have_valid_examples():
    for parameter in parameters():
        if "example" in parameter:
            assert DOCUMENT.violations(parameter["schema"], parameter["example"]) == []
    for name, schema in DOCUMENT.content["components"]["schemas"].items():
        for member, property_schema in schema.get("properties", {}).items():
            for value in property_schema.get("examples", []):
                assert DOCUMENT.violations(property_schema, value) == [], (name, member)


@pytest.mark.parametrize("wire_type", REQUESTS, ids=lambda each: each.__name__)
def test_what_is_asked_for_is_explained(wire_type: type):
    properties = DOCUMENT.content["components"]["schemas"][wire_type.__name__]["properties"]
    for name, schema in properties.items():
        assert "description" in DOCUMENT.resolve(schema.get("anyOf", [schema])[0]), name


@pytest.mark.parametrize("wire_type", ANSWERS, ids=lambda each: each.__name__)
def test_answers_promise_no_null(wire_type: type):
    assert "null" not in json.dumps(DOCUMENT.content["components"]["schemas"][wire_type.__name__])


def test_request_examples_are_decoded():
    by_name = {wire_type.__name__: wire_type for wire_type in REQUESTS}
    for operation in DOCUMENT.operations().values():
        content = operation.get("requestBody", {"content": {}})["content"].get("application/json")
        if content is not None:
            wire_type = by_name[content["schema"]["$ref"].rpartition("/")[2]]
            for value in examples(content):
                assert isinstance(decode(msgspec.json.encode(value), wire_type), wire_type)


TEXTS = st.sampled_from(
    ["", "a", "7QX2M9", "123456", "code\n", "+4915112345678", "+1", "order-4711", "a b", "SM" + "0" * 32, "é" * 300]
)
VALUES: st.SearchStrategy[Any] = (
    TEXTS | st.none() | st.integers(-1, 4) | st.booleans() | st.just(1.5) | st.just([]) | st.just({})
)
FIELDS = ("to", "action", "locale", "reference", "template", "sender", "limit_key", "secret", "sid", "message", "other")


@pytest.mark.parametrize("wire_type", REQUESTS, ids=lambda each: each.__name__)
@given(data=st.data())
def test_a_body_that_fits_its_schema_is_taken_and_one_of_wrong_types_is_not(wire_type: type, data: st.DataObject):
    schema = DOCUMENT.content["components"]["schemas"][wire_type.__name__]
    names = (*schema["properties"], *FIELDS)
    actions = st.sampled_from(["code", "caller", "Code", "link"])
    expected = st.dictionaries(st.sampled_from(["to", "reference", "other"]), VALUES, max_size=2)
    body = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
    body |= (
        {"to": data.draw(TEXTS), "action": data.draw(actions)} if "action" in names[: len(schema["properties"])] else {}
    )
    if "expect" in schema["properties"] and data.draw(st.booleans()):
        body["expect"] = data.draw(expected)
    try:
        decode(msgspec.json.encode(body), wire_type)
    except MalformedRequest:
        taken = False
    else:
        taken = True
    if not DOCUMENT.violations(schema, body):
        assert taken
    if not taken:
        assert DOCUMENT.violations(schema, body)


def test_the_document_names_no_machine_and_no_real_number():
    text = OPENAPI.read_text()
    assert not re.search(r"/(work|root|home|tmp)/", text)
    assert set(re.findall(r"\+[0-9]{8,}", text)) <= {"+4915112345678", "+14155550100"}
