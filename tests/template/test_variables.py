"""Lambda has room for 4,096 bytes of a function's variables, measured as JSON: no parameters together exceed them."""

import json
import re

import pytest

from local import template
from tests.template.expanded import FUNCTIONS, ROOT, deployed, environment, references, source

PARAMETERS = source()["Parameters"]
MESSAGES = (ROOT / "docs/messages.md").read_text()
ROOM = 4096
SPARE = 64
"""Bytes that are kept free for what a release adds."""

# As long as CloudFormation lets a stack's name be, in the partition and the region with the longest names.
STACK = "otp-feedback-of-a-company-with-a-long-name-in-an-application-of-its-own-".ljust(128, "x")
MADE = {
    "VerificationsTable": f"{STACK}-VerificationsTable-1ABCDEFGHIJKL",
    "StackSecret": "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:StackSecret-1ABCDEFGHIJKL-aBcDeF",
}
TEMPLATES_BYTES = 960
FICTIONAL = [f'"+3363998{number:04}":"1234"' for number in range(9)]


def texts(filling, length):
    """Templates with `length` characters, filled with one text again and again."""
    frame = '{"t":{"x":"', '"}}'
    return frame[0] + (filling * length)[: length - len("".join(frame))] + frame[1]


WORST = {
    "AppName": "\U0001f511" * 40,
    "Sender": "MG" + "0" * 32,
    "AllowedSenders": ",".join(["MG" + "0" * 32] * 11 + ["whatsapp:+12345678901234", "ElevenChars", "+1234567"]),
    "Countries": ",".join(["DE"] * 123),
    "Templates": '{"t":{"' + '"' * 113 + "x" * (840 - 7 - 113 - 2) + "}}",
    "WebOtpDomain": "a." * 49 + "de",
    "AndroidAppHash": "FA+9qCX9VSu",
    "SuccessUrl": "https://" + "a" * 141 + "/" + "x" * 250,
    "FallbackMessageUrl": "https://" + "a" * 141 + "/" + "x" * 250,
    "FallbackCallUrl": "https://" + "a" * 141 + "/" + "x" * 250,
    "ReplyKeyword": "\U00020bb7" * 20,
    "TwilioRegion": "ie1",
    "TwilioEdge": "a" * 20,
    "TwilioBaseUrl": "https://" + "a" * 52,
    "PublicBaseUrl": "https://" + "a" * 142,
    "CustomDomain": ("a" * 63 + ".") * 2 + "a" * 14,
    "TestRecipients": "{" + ",".join(FICTIONAL) + " }",
}
"""The values with most bytes of the texts that stand in variables."""


def accepts(name, value):
    parameter = PARAMETERS[name]
    return len(value) <= parameter.get("MaxLength", len(value)) and re.fullmatch(parameter["AllowedPattern"], value)


def size(value):
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def worst(name):
    parameter = PARAMETERS[name]
    if "AllowedValues" in parameter:
        return max(map(str, parameter["AllowedValues"]), key=len)
    return str(parameter["MaxValue"]) if parameter["Type"] == "Number" else WORST[name]


def in_variables():
    """Parameters that stand in some function's variables, at first hand or in what a condition chooses."""
    return sorted({name for f in FUNCTIONS for name in references(environment(f)) if name in PARAMETERS})


@pytest.mark.parametrize("name", sorted(set(WORST) & {*in_variables(), "CustomDomain"}))
def test_the_worst_value_is_accepted_and_nothing_longer(name):
    value = WORST[name]
    assert accepts(name, value)
    for more in ("x", "0", '"', "\n", " ", "é", "\U0001f511", ",DE", ",Acme", "}"):
        assert not accepts(name, value + more), more
        assert not accepts(name, value[:-1] + more + value[-1]), more


@pytest.mark.parametrize(
    "filling", ["x", '"', "\\", "\n", "\t", "é", "д", "क", "\uffff", "\U0001f511", "xé", 'x"', "xxxxxxक"]
)
def test_templates_of_any_letters_stay_within_their_bytes(filling):
    lengths = [length for length in range(14, 845) if accepts("Templates", texts(filling, length))]
    assert lengths
    assert size(texts(filling, max(lengths))) - 2 <= TEMPLATES_BYTES


@pytest.mark.parametrize(
    ("filling", "length"), [("x", 840), ("xxxxxxxxxxxxxxxxxxxé", 720), ("д", 420), ("क", 280), ("\U0001f511", 210)]
)
def test_the_room_for_templates_is_as_the_page_says(filling, length):
    assert accepts("Templates", texts(filling, length))
    assert not accepts("Templates", texts(filling, length + 1))
    assert re.search(rf"\b{length}\b", MESSAGES)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
@pytest.mark.parametrize("address", ["PublicBaseUrl", "CustomDomain"])
def test_the_worst_values_together_fit(function, address, monkeypatch):
    for name, value in {
        "AWS::StackName": STACK,
        "AWS::Region": "us-gov-west-1",
        "AWS::Partition": "aws-us-gov",
    }.items():
        monkeypatch.setitem(template.PSEUDO_PARAMETERS, name, value)
    given = {name: worst(name) for name in in_variables() if name not in ("PublicBaseUrl", "CustomDomain")}
    stack = deployed({**given, address: WORST[address]})
    variables = stack[function]["Environment"]["Variables"]
    assert size({name: MADE.get(value, value) for name, value in variables.items()}) <= ROOM - SPARE


def test_the_longest_arns_would_be_missed_nowhere():
    """Every resource that stands in a variable has its long name here."""
    named = {name for function in FUNCTIONS for name in references(environment(function)) if "::" not in name}
    assert named - set(PARAMETERS) == set(MADE)
