"""X-Twilio-Signature: Twilio's published examples, and nothing that differs from them."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from local.aws import AUTH_TOKEN
from local.stage import BASE_URL, EVENTS
from otp_feedback.adapters.twilio.signature import sign, signature_is_valid

VECTORS = Path(__file__).parents[2] / "../shared/twilio/twilio-signature-vectors.json"

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
JSON = b'{"property": "value", "boolean": true}'
JSON_DIGEST = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
EMPTY_DIGEST = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("url", "form", "signature"),
    [
        pytest.param(URL, FORM, SIGNATURE, id="as published"),
        pytest.param(URL.replace(".com", ".com:1234"), FORM, SIGNATURE, id="signed without the port"),
        pytest.param(
            "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
            FORM,
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
            id="signed with the port",
        ),
        pytest.param(URL, FORM, "kvajT1Ptam85bY51eRf/AJRuM3w=", id="signed with :443"),
        pytest.param(URL.replace("https", "http"), FORM, "0ZXoZLH/DfblKGATFgpif+LLRf4=", id="signed with :80"),
        pytest.param(
            URL,
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")],
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            id="repeated names",
        ),
        pytest.param(
            URL,
            [("MessagingBinding.Address", "+1415xxxxxxx"), ("MessagingBinding.Address", "+1325xxxxxxx")],
            "83O6e2vORAoJHUNzJjDWN1jz+BA=",
            id="repeated names in another order",
        ),
        pytest.param(
            URL.replace("mycompany", "user:pass@mycompany"), FORM, "CukzLTc1tT5dXEDIHm/tKBanW10=", id="user, password"
        ),
        pytest.param(URL.replace("mycompany", "user@mycompany"), FORM, "2YRLlVAflCqxaNicjMpJcSTgzSs=", id="user"),
        pytest.param(
            URL.replace("mycompany", "user:pass@mycompany"),
            FORM,
            "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=",
            id="user, password, signed with :443",
        ),
        pytest.param(
            URL.replace("mycompany", "user:pass@mycompany"), FORM, SIGNATURE, id="user, password, signed without"
        ),
        pytest.param(URL + "&Body=It's+amazing", FORM, "TfZzewPq8wqrGlMfyAud8+/IvJ0=", id="query encoded anew"),
        pytest.param(
            "https://example.com/myapp.php?foo=1&bar=2",
            [
                ("CallSid", "CA1234567890ABCDE"),
                ("Caller", "+14158675310"),
                ("Digits", "1234"),
                ("From", "+14158675310"),
                ("To", "+18005551212"),
            ],
            "L/OH5YylLD5NRKLltdqwSvS0BnU=",
            id="documentation",
        ),
    ],
)
def test_published_forms(url, form, signature):
    assert signature_is_valid(url, form, signature, [TOKEN])
    assert signature_is_valid(url, form[::-1], signature, [TOKEN])
    assert not signature_is_valid(url, form, signature, ["12346"])


@pytest.mark.parametrize(
    ("url", "body", "signature"),
    [
        (f"{URL}&bodySHA256={JSON_DIGEST}", JSON, "a9nBmqA0ju/hNViExpshrM61xv4="),
        (f"{URL}&bodySHA256={EMPTY_DIGEST}", b"{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="),
        (f"https://mycompany.com/myapp.php?bodySHA256={JSON_DIGEST}", JSON, "y77kIzt2vzLz71DgmJGsen2scGs="),
    ],
)
def test_published_json(url, body, signature):
    assert signature_is_valid(url, [], signature, [TOKEN], body)
    assert not signature_is_valid(url, [], signature, [TOKEN], body + b" ")
    assert not signature_is_valid(url.replace("bodySHA256=", "bodySHA256=0"), [], signature, [TOKEN], body)


def test_a_body_that_the_query_does_not_vouch_for_is_refused():
    assert signature_is_valid(URL, [], sign(URL, [], TOKEN), [TOKEN])
    assert not signature_is_valid(URL, [], sign(URL, [], TOKEN), [TOKEN], JSON)


@pytest.mark.parametrize(
    "signature", ["", "WRONG_SIGNATURE", SIGNATURE.lower(), SIGNATURE[:-1], f"{SIGNATURE} ", "ü", "\ud800"]
)
def test_other_signatures_are_refused(signature):
    assert not signature_is_valid(URL, FORM, signature, [TOKEN])


@pytest.mark.parametrize(
    "url",
    [
        URL + "&somethingUnexpected=true",
        URL.replace("https", "http"),
        URL.replace("/myapp", "//myapp"),
        URL.replace("mycompany.com", "mycompany.com.example.net"),
        URL.replace("?", "?&"),
        URL.replace("foo=1", "foo=%31%30"),
        "https://mycompany.com/myapp.php?bar=1&foo=2",
        URL + "\ud800",
        "mycompany.com/myapp.php",
        "",
    ],
)
def test_other_urls_are_refused(url):
    assert not signature_is_valid(url, FORM, SIGNATURE, [TOKEN])


def test_the_two_parameters_of_a_query_may_be_requested_in_another_order_than_they_were_signed():
    assert signature_is_valid("https://mycompany.com/myapp.php?bar=2&foo=1", FORM, SIGNATURE, [TOKEN])


def test_each_token_of_a_rotation_counts_and_an_empty_one_does_not():
    assert signature_is_valid(URL, FORM, SIGNATURE, ["new", TOKEN])
    assert signature_is_valid(URL, FORM, SIGNATURE, [TOKEN, "old"])
    assert not signature_is_valid(URL, FORM, SIGNATURE, [])
    assert not signature_is_valid(URL, FORM, sign(URL, FORM, ""), ["", TOKEN])


def test_the_fragment_is_not_signed():
    assert sign(URL + "#rc=5&rp=all", FORM, TOKEN) == SIGNATURE
    assert signature_is_valid(URL + "#rc=5&rp=all", FORM, SIGNATURE, [TOKEN])


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8443", "mycompany.com:"])
def test_hosts_of_each_kind(host):
    url = URL.replace("mycompany.com", host)
    bare = URL.replace("mycompany.com", host.removesuffix(":8443").removesuffix(":"))
    assert signature_is_valid(url, FORM, sign(bare, FORM, TOKEN), [TOKEN])


@pytest.mark.parametrize("kind", ["official", "negative", "computed"])
def test_vectors(kind):
    if not VECTORS.exists():
        pytest.skip("Twilio's signature vectors are not beside the repository")
    for vector in json.loads(VECTORS.read_text())[kind]:
        body = vector.get("body")
        valid = signature_is_valid(
            vector["url"],
            [(name, value) for name, value in vector["params"]],
            vector["signature"],
            [vector["token"]],
            body.encode() if body is not None else None,
        )
        assert valid == vector["valid"], vector["id"]


class MultiDict(dict[str, list[str]]):
    """A form as Twilio's validator takes it from Django: with every value of a name that repeats."""

    def __init__(self, form: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in form:
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        """All values of a name."""
        return self[name]


OTHER_SDKS = {"legacy_querystring"}
"""Twilio's validator for Node.js alone takes a query that was encoded anew."""


@pytest.mark.parametrize("kind", ["official", "negative", "computed"])
def test_twilios_own_validator_agrees_on_every_vector(kind: str):
    if not VECTORS.exists():
        pytest.skip("Twilio's signature vectors are not beside the repository")
    for vector in json.loads(VECTORS.read_text())[kind]:
        body = vector.get("body")
        params = (
            MultiDict([(name, value) for name, value in vector["params"]]) if body is None or vector["params"] else body
        )
        theirs = RequestValidator(vector["token"]).validate(vector["url"], params, vector["signature"])
        assert theirs == (vector["valid"] and vector["id"] not in OTHER_SDKS), vector["id"]


def test_twilios_own_validator_agrees_on_every_event():
    """What is refused although its signature fits is refused for what it says: see test_webhook_cuts.py."""
    agreed = 0
    for path in EVENTS.glob("*.json"):
        event = json.loads(path.read_text())
        if not event.get("rawPath", "").startswith("/twilio/"):
            continue
        url = BASE_URL + event["rawPath"] + (f"?{event['rawQueryString']}" if event["rawQueryString"] else "")
        try:
            raw = base64.b64decode(event["body"]).decode()
            form = parse_qsl(raw, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            continue
        signature = event["headers"].get("x-twilio-signature", "")
        ours = signature_is_valid(url, form, signature, [AUTH_TOKEN])
        assert RequestValidator(AUTH_TOKEN).validate(url, MultiDict(form), signature) == ours, path.name
        agreed += ours
    assert agreed > 5


names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
forms = st.dictionaries(names, st.text(max_size=20), min_size=1, max_size=8)
tokens = st.text(min_size=1, max_size=40)


@given(form=forms, token=tokens, data=st.data())
def test_any_change_of_a_value_is_refused(form, token, data):
    signature = sign(URL, list(form.items()), token)
    assert signature_is_valid(URL, list(form.items()), signature, [token])

    name = data.draw(st.sampled_from(sorted(form)))
    value = data.draw(st.text(max_size=20).filter(lambda value: value != form[name]))
    assert not signature_is_valid(URL, list((form | {name: value}).items()), signature, [token])


@given(form=forms, token=tokens, data=st.data())
def test_any_field_more_or_less_is_refused(form, token, data):
    signature = sign(URL, list(form.items()), token)
    name = data.draw(names.filter(lambda name: name not in form))

    assert not signature_is_valid(URL, [*form.items(), (name, "")], signature, [token])
    assert not signature_is_valid(URL, list(form.items())[1:], signature, [token])


@given(form=forms, token=tokens, data=st.data())
def test_any_change_of_the_signature_or_the_token_is_refused(form, token, data):
    signature = sign(URL, list(form.items()), token)
    other = data.draw(st.text(max_size=30).filter(lambda text: text != signature))
    index = data.draw(st.integers(0, len(signature) - 1))
    character = data.draw(st.characters(codec="ascii").filter(lambda character: character != signature[index]))

    assert not signature_is_valid(URL, list(form.items()), other, [token])
    changed = signature[:index] + character + signature[index + 1 :]
    assert not signature_is_valid(URL, list(form.items()), changed, [token])
    assert not signature_is_valid(URL, list(form.items()), signature, [token + "x"])


@given(value=st.text(max_size=20), other=st.text(max_size=20))
def test_any_change_of_the_query_is_refused(value, other):
    url, changed = (f"https://otp.example.com/twilio/status?message=1&verification={text}" for text in (value, other))
    same = url.partition("#")[0] == changed.partition("#")[0] or _decoded(url) == _decoded(changed)
    valid = signature_is_valid(changed, FORM, sign(url, FORM, TOKEN), [TOKEN])
    assert same if valid else url != changed


def _decoded(url: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(url.partition("#")[0].partition("?")[2], keep_blank_values=True))


@given(url=st.text(), form=st.lists(st.tuples(st.text(), st.text())), signature=st.text(), body=st.none() | st.binary())
def test_no_input_makes_it_fail(url, form, signature, body):
    assert not signature_is_valid(url, form, signature, [TOKEN], body)
