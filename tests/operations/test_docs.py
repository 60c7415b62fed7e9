"""The page for operators: every alarm is explained, every reference leads somewhere, every permission is named."""

import re
from pathlib import Path

import boto3
import pytest

from operations.__main__ import main
from tests.loop.driver import fresh_number
from tests.operations.account import SID, TOKEN
from tests.operations.laptop import NAME
from tests.template.expanded import resources

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/operations.md").read_text()
PRIVACY = (PROJECT / "docs/privacy.md").read_text()
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
PREFIXES = {"cloudformation": "cloudformation", "secrets-manager": "secretsmanager", "cloudwatch": "cloudwatch"}


def test_every_alarm_is_explained_and_no_other():
    assert {heading for heading in HEADINGS if heading.endswith("Alarm")} == set(resources("AWS::CloudWatch::Alarm"))


def test_every_section_that_a_command_names_is_there():
    sources = [path.read_text() for path in (PROJECT / "operations").glob("*.py")]
    named = {name for text in sources for name in re.findall(r"docs/operations\.md, '([^'{]+)'", text)}
    assert named
    assert named <= set(HEADINGS)
    assert set(re.findall(r"\(\*([A-Z][^*]+)\*\)", PAGE)) <= set(HEADINGS)


@pytest.mark.parametrize("page", ["operations.md", "privacy.md"])
def test_links_lead_to_files(page):
    text = (PROJECT / "docs" / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (PROJECT / "docs" / target).exists(), target


def test_every_kind_of_record_is_told_of():
    keys = set(
        re.findall(
            r'return f?"([A-Z]#)', (PROJECT / "layers/otp_feedback/otp_feedback/adapters/records.py").read_text()
        )
    )
    assert keys
    assert keys == set(re.findall(r"`([A-Z]#)`", PRIVACY))


@pytest.fixture
def called(monkeypatch):
    """Runs a command; the actions that it called."""
    seen: set[str] = set()

    def note(model, **_):
        service = model.service_model.service_id.hyphenize()
        seen.add(f"{PREFIXES.get(service, service)}:{model.name}")

    def run(*arguments: str) -> set[str]:
        seen.clear()
        session = boto3.Session()
        session.events.register("before-call", note)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        assert main([*arguments]) == 0
        return set(seen)

    return run


def documented(command: str) -> set[str]:
    [row] = [line for line in PAGE.splitlines() if re.match(rf"\| [a-z, -]*\b{command}\b[a-z, -]* \| `[a-z]+:", line)]
    return set(re.findall(r"`([a-z0-9-]+:[A-Za-z]+)`", row))


def test_the_permissions_of_commands_for_the_table_are_those_that_they_use(called, laptop, emulated):
    loop, number = laptop.loop, fresh_number()
    loop.started("reply", number)
    loop.inbound("message", number, body="yes")
    loop.report_due()
    due = loop.started()
    loop.fault("feedback", "status", status=503)
    loop.check(due.verification_id, loop.code(due.to))
    # The API is called with a signature, not through a client.
    assert called("doctor", "--stack", NAME) | {"execute-api:Invoke"} == documented("doctor")
    assert called("unlock", "--stack", NAME, "--number", number) == documented("unlock")
    assert called("erase", "--stack", NAME, "--number", number, "--yes") == documented("erase")


def test_the_permissions_of_commands_for_the_secret_are_those_that_they_use(called, deploy, twilio, monkeypatch):
    name = deploy().stack.name
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", SID)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    assert called("connect", "--stack", name, "--yes", "--twilio-base-url", twilio.url) == documented("connect")
    assert called("rotate-keys", "--stack", name) == documented("rotate-keys")
    undone = called("destroy", "--stack", name, "--yes", "--data", "--twilio-base-url", twilio.url)
    assert undone == documented("destroy")
