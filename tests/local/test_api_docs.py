"""The API's page, through the gateway's door."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from local.api_docs import OPENAPI, limits, pieces, view
from local.stack import Stack
from tests.local.conftest import PLAIN

DOCUMENT = yaml.safe_load(OPENAPI.read_text())


@pytest.fixture
def browser(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, trust_env=False, verify=PLAIN) as client:
        yield client


@pytest.fixture
def page(browser: httpx.Client) -> str:
    answer = browser.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def text_of(page: str) -> str:
    """What is read on a page, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


def every(name: str, value: Any) -> Iterator[Any]:
    """What stands under a name, anywhere in the document."""
    if isinstance(value, list):
        for item in value:
            yield from every(name, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == name:
                yield item
            yield from every(name, item)


def test_it_shows_every_route_field_and_description(page: str):
    shown = text_of(page)
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            assert f"{method.upper()} {path} {operation['summary']}" in shown
    for properties in every("properties", DOCUMENT):
        for name in properties:
            assert name in shown
    # What a use of it says in its place, and the headers' own.
    unseen = {DOCUMENT["components"]["responses"][name]["description"] for name in ("Page", "SuccessUrl")}
    unseen |= {header.get("description") for header in DOCUMENT["components"]["headers"].values()}
    unseen.add(DOCUMENT["components"]["schemas"]["Gateway"]["description"])
    for description in {each for each in every("description", DOCUMENT) if isinstance(each, str)} - unseen:
        for paragraph in description.replace("`", "").strip().split("\n\n"):
            assert " ".join(paragraph.split()) in shown


def test_it_shows_every_example_and_every_problem_with_its_own(page: str):
    shown = text_of(page)
    bodies = [*every("example", DOCUMENT), *(e["value"] for es in every("examples", DOCUMENT) for e in values(es))]
    for value in bodies:
        if isinstance(value, dict) and not {"AccountSid", "id"} & set(value):
            assert " ".join(json.dumps(value, indent=2, ensure_ascii=False).split()) in shown
        elif isinstance(value, str):
            assert value in shown
    for problem in [value for value in bodies if "urn:otp-feedback:" in str(value)]:
        assert f'id="problem-{problem["type"].rpartition(":")[2]}"' in page


def values(examples: Any) -> list[Any]:
    return [each for each in examples.values() if "value" in each] if isinstance(examples, dict) else []


def test_its_links_lead_somewhere_and_it_loads_nothing_from_elsewhere(browser: httpx.Client, page: str):
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r' href="([^"]*)"', page))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    for link in links:
        if not link.startswith("#"):
            assert link.startswith(("https://www.twilio.com/docs/", "/")), link
            assert link.startswith("https:") or browser.get(link).status_code == 200, link
    assert not re.search(r"<(script|img|iframe)|\bsrc=|\bstyle=|@import|url\(", page)
    assert all(link.startswith("/") for link in re.findall(r'<link [^>]*href="([^"]*)"', page))


def test_it_is_shut_to_scripts_and_kept_nowhere(browser: httpx.Client):
    headers = browser.get("/docs").headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert headers["cache-control"] == "no-store"


def test_the_document_itself_is_served(browser: httpx.Client):
    answer = browser.get("/docs/openapi.yaml")
    assert (answer.status_code, answer.content) == (200, OPENAPI.read_bytes())
    assert answer.headers["content-type"].startswith("application/yaml")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/docs/"), ("GET", "/docs/api_docs.html"), ("GET", "/docs/../template.yaml"), ("POST", "/docs")],
)
def test_what_is_not_served_is_not_found_as_by_api_gateway(browser: httpx.Client, method: str, path: str):
    answer = browser.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_a_description_is_cut_into_paragraphs_code_and_addresses():
    text = "See `a b` at\nhttps://www.twilio.com/docs/x#y.\n\n(https://www.twilio.com)"
    assert pieces(text) == [
        [
            ("text", "See "),
            ("code", "a b"),
            ("text", " at "),
            ("url", "https://www.twilio.com/docs/x#y"),
            ("text", "."),
        ],
        [("text", "("), ("url", "https://www.twilio.com"), ("text", ")")],
    ]
    assert pieces("") == []


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 1}, ["integer", "at least 1"]),
        ({"type": "integer", "minimum": 0, "maximum": 5}, ["integer", "0 to 5"]),
        ({"type": "string", "maxLength": 9}, ["string", "up to 9 characters"]),
        ({"type": "string", "enum": ["a", "b"]}, ["string", "one of `a`, `b`"]),
        ({"type": "string", "pattern": r"^a$(?!\n)"}, ["string", "`^a$`"]),
        ({"type": "array", "minItems": 1, "maxItems": 3}, ["array", "1 to 3 items"]),
    ],
)
def test_limits_are_said_in_words(schema: dict[str, Any], said: list[str]):
    assert limits(schema) == said


def test_what_an_object_holds_has_dotted_names_and_may_be_null():
    shown = view(OPENAPI.read_text())
    operations = {each["operationId"]: each for _, group in shown["groups"] for each in group}
    rows = {row["name"]: row for row in operations["checkSecret"]["body"]["contents"][0]["fields"]}
    assert set(rows) == {"secret", "expect", "expect.to", "expect.reference"}
    assert "may be null" in rows["expect"]["limits"]
    answered = {row["name"] for row in operations["getVerification"]["answers"][0]["contents"][0]["fields"]}
    assert {"messages", "messages[].sid"} <= answered
