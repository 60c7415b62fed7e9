"""What all tests share: no network, nobody's credentials, nothing left behind, and a sample of the long lists."""

import hashlib
import os
import re
import secrets
import shlex
import socket
import tempfile
from collections import defaultdict
from collections.abc import Generator
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

# Before any test module is imported: some make clients at their top.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "OtpFeedback",
}

for name in ("AWS_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
    os.environ.pop(name, None)

WHOLE = "whole"
SEED = os.environ.setdefault("TEST_SEED", str(secrets.randbelow(1_000_000)))
"""Chooses the cases of tests marked `sampled`; `whole` takes all. xdist's workers inherit it."""

set_hypothesis_home_dir(f"{tempfile.gettempdir()}/otp-feedback-hypothesis")
for profile, max_examples in {"default": 25, "ci": 100}.items():
    settings.register_profile(
        profile,
        deadline=None,
        database=None,
        derandomize=True,
        max_examples=max_examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("ci" if SEED == WHOLE else "default")


def pytest_report_header() -> str:
    """Name the sample, so that it can be taken again."""
    return f"sampled by TEST_SEED={SEED}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where one test is named (`-k test_…`), leave the files alone in which no such name stands."""
    name = config.getoption("keyword")
    if collection_path.suffix != ".py" or re.fullmatch(r"test_\w+", name) is None:
        return None
    return True if name not in f"{collection_path}\n{collection_path.read_text()}" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of each test marked `sampled(most)` take so many cases, unless the whole is asked for or the test is named."""
    if SEED == WHOLE:
        return
    named = {arg.rpartition("::")[2].partition("[")[0] for arg in config.args if "::" in arg}
    lists: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        test = item.nodeid.partition("[")[0]
        if item.get_closest_marker("sampled") is not None and test.rpartition("::")[2] not in named:
            lists[test].append(item)
    left_out: set[str] = set()
    for cases in lists.values():
        (most,) = cases[0].get_closest_marker("sampled").args  # type: ignore[union-attr]
        left_out.update(case.nodeid for case in sorted(cases, key=_by_seed)[most:])
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def _by_seed(item: pytest.Item) -> bytes:
    return hashlib.sha256(f"{SEED}/{item.nodeid}".encode()).digest()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a sampled case that fails how to run it again."""
    report = yield
    if report.failed and item.get_closest_marker("sampled") is not None:
        alone = f".venv/bin/python -m pytest {shlex.quote(item.nodeid)}"
        report.sections.append(("to repeat", f"{alone}\nor all of this sample: TEST_SEED={SEED} make test"))
    return report


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine alone."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not _is_local(str(address[0])):
            pytest.fail("a test tried to reach the network")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
