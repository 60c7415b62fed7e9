"""`make fuzz`: Schemathesis over openapi.yaml against the running laptop stack.

It makes requests from the document, valid and invalid ones, singly and in sequences that follow the document's links,
and holds every answer against it. A case is one request that Schemathesis made up, sent and checked; it counts them
itself (`test_cases.generated` of its JSON report, which leaves out what it sends to learn about the server).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from local.__main__ import keep_to_ourselves
from local.aws import ACCOUNT_SID, AUTH_TOKEN
from local.functions import ROOT
from local.stack import LAPTOP, Stack

LEAST_CASES = 5000
TIME_LIMIT_S = 1200
"""After it the run has failed: long, for a machine that others use as well."""

NOT_CHECKED = {
    "ignored_auth": "the laptop takes callers' routes without a signature, by design",
    "unsupported_method": "API Gateway answers 404 to a method that no route has, not 405",
    "positive_data_acceptance": "the document cannot tell which senders, templates and secrets a stack has",
}
SETTINGS = {
    "OTP_MESSAGE_INTERVAL_S": "0",
    "OTP_HOURLY_LIMIT": "10",
    "OTP_DAILY_LIMIT": "10",
}
"""The most that the limits allow, so that a request gets past 429 more often."""


def schemathesis(stack: Stack, folder: Path, seed: int, phases: str, time_limit_s: float) -> bool:
    """Run it once; whether it found nothing. Raises subprocess.TimeoutExpired."""
    command = [
        str(ROOT / ".venv-fuzz/bin/schemathesis"),
        *("--config-file", os.devnull, "run", str(ROOT / "openapi.yaml"), "--url", stack.api_url),
        *("--checks", "all", "--exclude-checks", ",".join(NOT_CHECKED), "--phases", phases),
        *("--seed", str(seed), "--max-examples", "100", "--generation-database", "none"),
        *("--request-timeout", "30", "--continue-on-failure", "--no-color", "--warnings", "off"),
        *("--report", "json,ndjson", "--report-json-path", str(folder / "report.json")),
        *("--report-ndjson-path", str(folder / "events.ndjson")),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(Path(__file__).parent),
        "SCHEMATHESIS_HOOKS": "hooks",
        "FUZZ_API_URL": stack.api_url,
        "FUZZ_TWILIO_URL": stack.twilio_url,
        "FUZZ_ACCOUNT_SID": ACCOUNT_SID,
        "FUZZ_AUTH_TOKEN": AUTH_TOKEN,
        "FUZZ_SENDER": LAPTOP["Sender"],
    }
    return not subprocess.run(command, cwd=folder, env=environment, timeout=time_limit_s, check=False).returncode


def answers(events: Path) -> Counter[tuple[str, int]]:
    """How often each operation answered with each status, by Schemathesis's record of its requests."""
    found: Counter[tuple[str, int]] = Counter()
    with events.open() as lines:
        for line in lines:
            for event in json.loads(line).values():
                recorder = event.get("recorder") or {}
                for case_id, interaction in recorder.get("interactions", {}).items():
                    if response := interaction.get("response"):
                        case = recorder["cases"][case_id]["value"]
                        found[f"{case['method']} {case['path']}", response["status_code"]] += 1
    return found


def main() -> int:
    """Run it in rounds, each with a seed of its own, until there are cases enough; judge it; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=4, help="of the first round; the next has the next")
    parser.add_argument("--time-limit-s", type=int, default=TIME_LIMIT_S)
    chosen = parser.parse_args()
    keep_to_ourselves()
    began = time.monotonic()
    cases = 0
    problems: list[str] = []
    answered: Counter[tuple[str, int]] = Counter()
    with tempfile.TemporaryDirectory(prefix="otp-feedback-fuzz-") as name, Stack(settings=SETTINGS) as stack:
        folder = Path(name)
        seed, phases = chosen.seed, "examples,coverage,fuzzing,stateful"
        while cases < LEAST_CASES and not problems:
            left = chosen.time_limit_s - (time.monotonic() - began)
            try:
                if not schemathesis(stack, folder, seed, phases, max(left, 0)):
                    problems.append(f"Schemathesis found failures with the seed {seed}")
            except subprocess.TimeoutExpired:
                problems.append(f"only {cases} cases ran in {chosen.time_limit_s} s, of at least {LEAST_CASES}")
                break
            cases += json.loads((folder / "report.json").read_text())["test_cases"]["generated"]
            answered += answers(folder / "events.ndjson")
            # The examples and the coverage phase would be the same again.
            seed, phases = seed + 1, "fuzzing,stateful"
        log = stack.logs()
    for (label, status), times in sorted(answered.items()):
        if status != 404 or times > 20:
            print(f"{times:7} {status} {label}")
    problems += [f"{times} answers {status} of {label}" for (label, status), times in answered.items() if status >= 500]
    if "Traceback" in log:
        problems.append(f"a function wrote a traceback:\n{log[log.index('Traceback') :][:4000]}")
    print(f"{cases} cases in {time.monotonic() - began:.0f} s, seeds {chosen.seed} to {seed - 1}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
