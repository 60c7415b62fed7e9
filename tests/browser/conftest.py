"""A headless Chromium, and laptop stacks for it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from local.stack import Stack
from local.twilio_emulator import Delays
from tests.browser.visitor import TIMEOUT_MS, Visitor, visiting

FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
SCREENSHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
QUICK = Delays(queued=0.02, sent=0.06, delivered=0.12)
PATIENT = {"FeedbackTimeoutMs": "5000"}
"""A busy machine's report is still made with the answer, which the tests wait for."""

_numbers = count(10_000_000)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("Chromium was not found: install Debian's package 'chromium', or name one with CHROMIUM=/path")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack as `make dev` runs it, but quick."""
    with Stack(delays=QUICK, period_s=0.3, parameters=PATIENT) as stack:
        yield stack


@pytest.fixture
def visit(chromium: Browser, stack: Stack) -> Callable[..., AbstractContextManager[Visitor]]:
    """Opens a browser of its own: `with visit(locale="de-AT") as visitor`."""
    return partial(visiting, chromium, stack)


@pytest.fixture
def number() -> str:
    """A mobile number that no other test has."""
    return f"+49151{next(_numbers)}"


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """A folder that stays for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
