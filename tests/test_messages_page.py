"""The page about texts, templates and senders says what the code does."""

import json
import re
from pathlib import Path

import pytest

from otp_feedback.adapters.settings import Settings
from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.texts import parse_templates
from otp_feedback.domain.texts.choice import languages
from tests.template.expanded import source

PAGE = (Path(__file__).parents[1] / "docs/messages.md").read_text()
REQUIRED = {"OTP_TABLE": "T", "OTP_SECRET_ARN": "arn", "OTP_SENDER": "Acme", "OTP_APP_NAME": "Acme"}


def example():
    [found] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_the_numbers_of_languages():
    table = re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)
    assert {action: int(number) for action, number in table} == {
        action: len(languages(action)) for action in ("code", "link", "password", "reply", "caller")
    }


def test_the_example_is_taken_by_template_and_functions():
    assert re.fullmatch(source()["Parameters"]["Templates"]["AllowedPattern"], example().strip())
    templates = parse_templates(example())
    assert {name: set(template.actions) for name, template in templates.items()} == {
        "login": {"code", "password", "caller"},
        "order": {"link"},
        "meet": {"reply"},
        "whatsapp": {"code", "password", "caller"},
    }


@pytest.mark.parametrize(
    "wrong", [{"body": "{secret} {name}"}, {"body": {"xx-nowhere": "{secret}"}}, {"action": "code", "body": "Hello"}]
)
def test_a_wrong_template_stops_the_functions_and_is_named(wrong):
    with pytest.raises(ConfigurationError, match="login"):
        Settings.from_environ({**REQUIRED, "OTP_TEMPLATES": json.dumps({"login": wrong})})


def test_the_senders_of_the_page_are_taken():
    senders = re.findall(r"^\| [^|]+ \| `([^`…]+)` \|", PAGE.partition("## Senders")[2], re.MULTILINE)
    assert len(senders) == 3
    for sender in senders:
        assert Settings.from_environ({**REQUIRED, "OTP_SENDER": sender}).policy.sender == sender
