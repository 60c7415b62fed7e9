"""openapi.yaml, which is written by hand, says what the code does: its routes, its types, its problems."""

import importlib.util
import json
import os
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from local.functions import ROOT
from local.stack import LAPTOP
from local.template import Route, Template
from otp_feedback.adapters.web import function, webhooks, wire
from otp_feedback.adapters.web.page import asking_page, result_page, security_headers
from otp_feedback.adapters.web.problems import MEDIA_TYPE, STATUS, problem_response
from otp_feedback.adapters.web.request import decode
from otp_feedback.domain.errors import (
    MalformedRequest,
    MessageRejected,
    Problem,
    TooManyMessages,
    Unavailable,
    WrongSecret,
)
from otp_feedback.domain.texts import page_texts
from tests.events.conformance import OPENAPI, Document

DOCUMENT = Document()
COMPONENTS = DOCUMENT.content["components"]
REQUESTS = (wire.StartBody, wire.MessageBody, wire.CheckBody, wire.Expect, wire.ConfirmBody, wire.CancelBody)
ANSWERS = (
    wire.SentAnswer,
    wire.SentMessage,
    wire.VerificationView,
    wire.MessageView,
    wire.ConfirmedAnswer,
    wire.CanceledAnswer,
)
WIRE: dict[str, type[msgspec.Struct]] = {wire_type.__name__: wire_type for wire_type in (*REQUESTS, *ANSWERS)}
SAMPLES: dict[type[Problem], Problem] = {
    MalformedRequest: MalformedRequest("to", "must be a phone number in E.164: + and 7 to 15 digits"),
    WrongSecret: WrongSecret(4),
    TooManyMessages: TooManyMessages(30),
    MessageRejected: MessageRejected(30034),
}
BARE: dict[type[Problem], Problem] = {TooManyMessages: TooManyMessages(), MessageRejected: MessageRejected(None)}
"""The same problems where they know less; what is missing here is optional."""
PROBLEMS = [pytest.param(kind, id=kind.name) for kind in STATUS]
GATEWAY = {
    "401": "Unauthorized",
    "403": "Forbidden",
    "413": "Request Entity Too Large",
    "429": "Too Many Requests",
    "500": "Internal Server Error",
    "503": "Service Unavailable",
}
"""What API Gateway answers in a function's place."""


def sample(kind: type[Problem]) -> Problem:
    return SAMPLES.get(kind) or kind()


def body_of(problem: Problem) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(problem_response(problem).body)
    return body


def problem_schema(kind: type[Problem]) -> dict[str, Any]:
    schema: dict[str, Any] = COMPONENTS["schemas"][kind.__name__]
    return schema


def responses() -> Iterator[tuple[str, dict[str, Any], str, dict[str, Any]]]:
    """Every answer, with its route, its operation and its status."""
    for (method, path), operation in DOCUMENT.operations().items():
        for status, response in operation["responses"].items():
            yield f"{method} {path}", operation, status, DOCUMENT.resolve(response)


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body that is asked for or answered."""
    for (method, path), operation in DOCUMENT.operations().items():
        for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
            yield f"{method} {path} {media_type}", content
    for route, _, status, response in responses():
        for media_type, content in response.get("content", {}).items():
            yield f"{route} {status} {media_type}", content


def examples(content: dict[str, Any]) -> dict[str, Any]:
    """The examples of a body by their names."""
    named = {name: DOCUMENT.resolve(each)["value"] for name, each in content.get("examples", {}).items()}
    return named | ({"": content["example"]} if "example" in content else {})


def problems_of(response: dict[str, Any]) -> set[str]:
    """The names of the problems that a response can be."""
    schema = response.get("content", {}).get(MEDIA_TYPE, {}).get("schema")
    kinds = schema.get("oneOf", [schema]) if schema else []
    return {DOCUMENT.resolve(kind)["properties"]["type"]["const"].rpartition(":")[2] for kind in kinds}


def security(operation: dict[str, Any]) -> set[str]:
    """The schemes of which one lets a request in."""
    return {name for choice in operation.get("security", DOCUMENT.content["security"]) for name in choice}


def template_routes(**parameters: str) -> list[Route]:
    return Template(ROOT / "template.yaml", {**LAPTOP, **parameters}).routes()


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[tuple[str, str]]]:
    """The routes that each function's handler registers."""
    found: dict[str, set[tuple[str, str]]] = {}
    original = function.HttpFunction.__init__

    def record(self: function.HttpFunction, *given: Any, **routes: Any) -> None:
        keys = (*routes.get("callers", ()), *routes.get("public", ()))
        found[given[0].function] = {(key.split()[0], key.split()[1]) for key in keys}
        original(self, *given, **routes)

    monkeypatch.setattr(function.HttpFunction, "__init__", record)
    for name, each in Template(ROOT / "template.yaml", LAPTOP).functions({}).items():
        for variable, value in each.environment.items():
            monkeypatch.setitem(os.environ, variable, value)
        spec = importlib.util.spec_from_file_location(f"openapi_{name}_app", each.folder / "app.py")
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return found


def test_the_document_is_valid_openapi():
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT.content).iter_errors()] == []


def test_every_component_is_used():
    used = set(re.findall(r"\$ref: '#/components/(\w+/\w+)'", OPENAPI.read_text()))
    schemes = {name for operation in DOCUMENT.operations().values() for name in security(operation)}
    used |= {f"securitySchemes/{name}" for name in schemes}
    assert used == {f"{section}/{name}" for section, components in COMPONENTS.items() for name in components}


def test_the_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert DOCUMENT.content["info"]["version"] == project["version"]


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
        asked = security(DOCUMENT.operations()[route.method, route.path])
        if route.authorisation == "none":
            assert asked <= {"TwilioSignature"}, route
            assert (asked == {"TwilioSignature"}) == route.path.startswith("/twilio/"), route
        else:
            assert route.authorisation in {authorisation, "iam"}
            assert schemes[authorisation] <= asked, route


def test_operation_ids_are_unique_and_links_lead_to_routes_that_take_a_verification():
    by_id = {operation["operationId"]: key for key, operation in DOCUMENT.operations().items()}
    assert len(by_id) == len(DOCUMENT.operations())
    for key in (("POST", "/verifications"), ("POST", "/verifications/{verification_id}/messages")):
        links = DOCUMENT.resolve(DOCUMENT.operations()[key]["responses"]["202"])["links"]
        assert {by_id[link["operationId"]] for link in links.values()} == {
            each for each in DOCUMENT.operations() if "{verification_id}" in each[1]
        }
        assert all(
            link["parameters"] == {"verification_id": "$response.body#/verification_id"} for link in links.values()
        )


def test_every_problem_is_an_answer_of_some_route_under_its_status():
    told = {(name, int(status)) for _, _, status, response in responses() for name in problems_of(response)}
    assert told == {(kind.name, status) for kind, status in STATUS.items()}
    assert set(STATUS) == set(Problem.__subclasses__())


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_problem_has_the_members_that_its_schema_names(kind: type[Problem]):
    own, base = problem_schema(kind), COMPONENTS["schemas"]["Problem"]
    assert own["allOf"] == [{"$ref": "#/components/schemas/Problem"}]
    assert set(own["properties"]) | set(base["properties"]) == set(body_of(sample(kind)))
    required = {*base["required"], *own.get("required", [])}
    assert required == set(body_of(BARE.get(kind) or sample(kind)))


@pytest.mark.parametrize(
    "problem",
    [
        *(pytest.param(sample(kind), id=kind.name) for kind in STATUS),
        pytest.param(TooManyMessages(), id="no wait helps"),
        pytest.param(MessageRejected(None), id="no code"),
        pytest.param(Unavailable(60), id="misconfigured"),
        pytest.param(MalformedRequest("expect.to", "must be a string"), id="nested field"),
    ],
)
def test_a_problem_is_as_its_schema_says_and_as_no_other_does(problem: Problem):
    fitting = [kind for kind in STATUS if not DOCUMENT.violations(problem_schema(kind), body_of(problem))]
    assert fitting == [type(problem)]


def test_the_examples_of_problems_are_what_the_api_answers():
    known = {f"urn:otp-feedback:{kind.name}": body_of(sample(kind)) for kind in STATUS}
    for route, _, status, response in responses():
        shown = examples(response.get("content", {}).get(MEDIA_TYPE, {}))
        assert {value["type"].rpartition(":")[2] for value in shown.values()} == problems_of(response)
        for name, value in shown.items():
            assert value == known[value["type"]], (route, status)
            assert name in ("", value["type"].rpartition(":")[2])


def test_a_choice_of_problems_is_told_apart_by_their_type():
    for _, content in contents():
        if "oneOf" in content["schema"]:
            kinds = [DOCUMENT.resolve(each)["properties"]["type"]["const"] for each in content["schema"]["oneOf"]]
            references = [each["$ref"] for each in content["schema"]["oneOf"]]
            mapping = dict(zip(kinds, references, strict=True))
            assert content["schema"]["discriminator"] == {"propertyName": "type", "mapping": mapping}


def test_an_answer_says_when_to_try_again_where_a_problem_of_it_does():
    waits = {kind.name for kind in STATUS if "Retry-After" in problem_response(sample(kind)).headers}
    for route, _, status, response in responses():
        told = "Retry-After" in response.get("headers", {})
        assert told == bool(problems_of(response) & waits), (route, status)


def test_api_gateways_own_answers_are_told():
    for (method, path), operation in DOCUMENT.operations().items():
        expected = {"429", "500", "503"} | ({"413"} if "requestBody" in operation else set())
        expected |= {"401", "403"} if security(operation) >= {"AwsSigV4"} else set()
        told = {status: DOCUMENT.resolve(each) for status, each in operation["responses"].items()}
        assert expected <= set(told), (method, path)
        if method == "HEAD":
            assert not any("content" in response for response in told.values())
            continue
        shown = {
            status: examples(response["content"]["application/json"])
            for status, response in told.items()
            if status >= "400" and "application/json" in response["content"]
        }
        assert shown == {status: {"": {"message": GATEWAY[status]}} for status in expected}, (method, path)


def test_the_headers_of_pages_are_what_the_code_sends():
    sent = security_headers(None)
    pages = [
        response["headers"]
        for route, _, status, response in responses()
        if route.split(" ")[1] == "/confirm" and status in {"200", "303", "400"}
    ]
    assert len(pages) == 8
    for headers in pages:
        assert set(headers) - {"Location"} == set(sent)
        for name, value in sent.items():
            header = DOCUMENT.resolve(headers[name])
            assert header["required"]
            assert DOCUMENT.violations(header["schema"], value) == []
            assert DOCUMENT.violations(header["schema"], "another") != []


def test_the_examples_of_pages_are_what_the_code_writes():
    texts = page_texts("en", LAPTOP["AppName"])
    link = COMPONENTS["parameters"]["LinkId"]["example"]
    written = {
        "asks": asking_page(texts, link),
        "confirmed": result_page(texts, confirmed=True),
        "failed": result_page(texts, confirmed=False),
    }
    shown = {name: value for _, content in contents() for name, value in examples(content).items() if name in written}
    pages = {name: value for name, value in shown.items() if isinstance(value, str)}
    assert pages == {
        name: re.sub(r"<head>.*</head>", "<head>…</head>", page, flags=re.DOTALL) for name, page in written.items()
    }


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in contents()])
def test_every_body_has_examples_that_are_valid(content: dict[str, Any]):
    shown = examples(content)
    assert shown
    for value in shown.values():
        assert DOCUMENT.violations(content["schema"], value) == []


def test_parameters_and_properties_have_valid_examples():
    for operation in DOCUMENT.operations().values():
        for reference in operation.get("parameters", []):
            parameter = DOCUMENT.resolve(reference)
            assert DOCUMENT.violations(parameter["schema"], parameter["example"]) == []
    for name, schema in COMPONENTS["schemas"].items():
        for member, property_schema in {"": schema, **schema.get("properties", {})}.items():
            for value in property_schema.get("examples", []):
                assert DOCUMENT.violations(property_schema, value) == [], (name, member)


def in_full(schema: Any, root: dict[str, Any]) -> Any:
    """A schema without what is for people, and with what it refers to in its place; wire types stay references."""
    if isinstance(schema, list):
        return [in_full(each, root) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in WIRE:
        return in_full(root[name] | {key: value for key, value in schema.items() if key != "$ref"}, root)
    if "properties" in schema:
        schema = schema | {"properties": {key: in_full(value, root) for key, value in schema["properties"].items()}}
    else:
        schema = {key: in_full(value, root) for key, value in schema.items()}
    full = {key: value for key, value in schema.items() if key not in FOR_PEOPLE and value != []}
    if full.get("anyOf", [])[1:] == [{"type": "null"}] and isinstance(full["anyOf"][0].get("type"), str):
        full = full["anyOf"][0] | {"type": [full["anyOf"][0]["type"], "null"]}
    if "enum" in full:
        full = full | {"type": "string", "enum": sorted(full["enum"])}
    return full | ({"required": sorted(full["required"])} if "required" in full else {})


FOR_PEOPLE = {"title", "description", "examples", "default", "if", "then", "else"}


def answered(schema: dict[str, Any], always: set[str]) -> dict[str, Any]:
    """The schema of an answer, of which what is unknown is absent, never null."""
    properties = {
        name: value | {"type": value["type"][0]} if isinstance(value.get("type"), list) else value
        for name, value in schema["properties"].items()
    }
    return schema | {"properties": properties, "required": sorted({*schema.get("required", []), *always})}


@pytest.mark.parametrize("wire_type", WIRE.values(), ids=WIRE)
def test_a_body_is_as_its_type_says(wire_type: type):
    _, of_code = msgspec.json.schema_components((wire_type,), ref_template="#/components/schemas/{name}")
    coded = in_full(of_code[wire_type.__name__], of_code)
    if wire_type in ANSWERS:
        properties = of_code[wire_type.__name__]["properties"]
        coded = answered(coded, {name for name, value in properties.items() if value.get("default") is not None})
    assert in_full(COMPONENTS["schemas"][wire_type.__name__], COMPONENTS["schemas"]) == coded


def test_every_json_body_is_a_wire_types():
    named = {
        content["schema"]["$ref"].rpartition("/")[2]
        for name, content in contents()
        if name.endswith(" application/json")
    }
    nested = {wire.Expect, wire.SentMessage, wire.MessageView}
    assert named - {"Gateway"} == {name for name, wire_type in WIRE.items() if wire_type not in nested}


def test_the_examples_of_bodies_are_what_the_code_reads_and_writes():
    for name, content in contents():
        wire_type = WIRE.get(content["schema"].get("$ref", "").rpartition("/")[2])
        for value in examples(content).values() if wire_type is not None else ():
            assert wire_type is not None
            if wire_type in ANSWERS:
                assert msgspec.to_builtins(msgspec.convert(value, wire_type)) == value, name
            else:
                assert isinstance(decode(msgspec.json.encode(value), wire_type), wire_type), name


@pytest.mark.parametrize(
    ("form", "known"), [("StatusForm", webhooks.STATUS), ("MessageForm", webhooks.MESSAGE), ("CallForm", webhooks.CALL)]
)
def test_a_webhooks_form_has_what_is_read_of_it(form: str, known: dict[str, webhooks.Field]):
    schema = COMPONENTS["schemas"][form]
    never_read = {"ProfileName"}
    assert set(known) - never_read <= set(schema["properties"])
    for name in schema["required"]:
        pattern = DOCUMENT.resolve(schema["properties"][name])["pattern"]
        read = known[name].form.pattern.replace("?:", "")
        assert pattern.removeprefix("^").removesuffix(r"$(?!\n)").replace("?:", "") in (read, f"({read})"), name


@pytest.mark.parametrize("wire_type", REQUESTS, ids=lambda each: each.__name__)
def test_what_is_asked_for_is_explained(wire_type: type):
    for name, schema in COMPONENTS["schemas"][wire_type.__name__]["properties"].items():
        assert "description" in DOCUMENT.resolve(schema.get("anyOf", [schema])[0]) | schema, name


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
    schema = COMPONENTS["schemas"][wire_type.__name__]
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


@pytest.mark.parametrize("action", ["code", "link", "password", "reply", "caller"])
@pytest.mark.parametrize("own", [{}, {"secret": "7QX2M9"}, {"sid": "SM" + "0" * 32}], ids=["nothing", "secret", "sid"])
def test_only_the_action_caller_brings_its_own(action: str, own: dict[str, str]):
    body = {"to": "+4915112345678", "action": action, **own}
    fits = not DOCUMENT.violations(COMPONENTS["schemas"]["StartBody"], body)
    assert fits == ((action == "caller") == bool(own))


def test_an_answer_with_more_than_the_document_names_is_found():
    answer = problem_response(WrongSecret(4))
    path = "/verifications/{verification_id}/check"
    headers = {"Content-Type": answer.content_type, **answer.headers}
    told = {"statusCode": answer.status, "headers": headers, "body": answer.body}
    DOCUMENT.assert_describes("POST", path, told)
    with pytest.raises(AssertionError):
        DOCUMENT.assert_describes("POST", path, {**told, "body": answer.body.replace("{", '{"secret": "1", ', 1)})
    with pytest.raises(AssertionError, match="answered 418"):
        DOCUMENT.assert_describes("POST", path, {**told, "statusCode": 418})


def test_the_document_names_no_machine_and_no_real_number():
    text = OPENAPI.read_text()
    assert not re.search(r"/(work|root|home|tmp)/", text)
    assert set(re.findall(r"\+[0-9]{8,}", text)) <= {"+4915112345678", "+14155550100"}
