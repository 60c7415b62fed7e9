"""What a cold start spends in Python: each function imported from what `sam build` made, in a process of its own.

Usage: python -m benchmarks.cold_start [RUNS]

Every run goes through all variants in turn, so that a machine that slows down slows all of them.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILT = ROOT / ".aws-sam/build"
LAYERS = ("DependenciesLayer", "OtpFeedbackLayer")
FUNCTIONS = {
    "send_otp": "SendOtpFunction",
    "start_directly": "StartDirectlyFunction",
    "confirm_action": "ConfirmActionFunction",
    "track_delivery": "TrackDeliveryFunction",
    "retry_feedback": "RetryFeedbackFunction",
}
ENVIRONMENT = {
    "OTP_TABLE": "verifications",
    "OTP_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:root",
    "OTP_SENDER": "+14155550100",
    "OTP_APP_NAME": "Acme",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
FLOOR = "import boto3; boto3.client('dynamodb')"
MEASURE = """
import sys, time
sys.path[:0] = sys.argv[2:]
began = time.process_time()
exec(sys.argv[1])
print(time.process_time() - began)
"""


def seconds(statement: str, places: list[Path], *options: str) -> float:
    """CPU seconds that a statement takes in a fresh interpreter that sees these places alone."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", *options, "-c", MEASURE, statement, *map(str, places)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return float(done.stdout)


def measure(runs: int) -> dict[str, list[float]]:
    """CPU seconds by variant, one for each run."""
    layers = [BUILT / layer / "python" for layer in LAYERS]
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as empty:
        uncompiled = ("-B", "-X", f"pycache_prefix={empty}")
        for run in range(runs + 1):
            for name, statement, code, options in (
                ("floor", FLOOR, [], ()),
                *((name, "import app", [BUILT / folder], ()) for name, folder in FUNCTIONS.items()),
                ("confirm_action, bytecode not used", "import app", [BUILT / FUNCTIONS["confirm_action"]], uncompiled),
            ):
                spent = seconds(statement, [*code, *layers], *options)
                if run:  # the first one fills the file cache
                    taken.setdefault(name, []).append(spent)
    return taken


def main(runs: int) -> None:
    """Print a table."""
    if not BUILT.is_dir():
        sys.exit(f"{os.path.relpath(BUILT)} is missing: run `make build` first")
    taken = measure(runs)
    floor = taken["floor"]
    print(f"| imported | CPU ms, median of {runs} | times the floor |")
    print("|---|---:|---:|")
    for name, spent in taken.items():
        ratio = statistics.median(each / base for each, base in zip(spent, floor, strict=True))
        print(f"| {name} | {statistics.median(spent) * 1000:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
