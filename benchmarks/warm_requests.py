"""What a warm function spends of a processor on each kind of request, on the laptop stack.

Usage: python -m benchmarks.warm_requests [REQUESTS]

The functions' processes alone are counted: neither the emulators nor the time that passes while they answer.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from local.stack import Stack
from local.twilio_emulator import Delays
from tests.loop.driver import Loop, Started, forged_link_id

NEVER = Delays(queued=3600, sent=3600, delivered=3600)
TICKS = os.sysconf("SC_CLK_TCK")
ROUNDS = 5
LINK = forged_link_id("A" * 22)


def cpu_seconds(session: int) -> float:
    """CPU seconds spent so far by the processes of a session."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


class Bench:
    """Makes requests by kind and knows what each kind cost."""

    def __init__(self, stack: Stack, loop: Loop) -> None:
        self._stack = stack
        self._loop = loop
        self.spent: dict[str, list[float]] = {}

    def measure(self, kind: str, requests: list[Callable[[], object]]) -> None:
        """Make the requests, and add what each took on average."""
        before = cpu_seconds(self._stack.functions.host_pid)
        for request in requests:
            request()
        after = cpu_seconds(self._stack.functions.host_pid)
        self.spent.setdefault(kind, []).append((after - before) / len(requests))

    def round(self, count: int) -> None:
        """Start, guess wrong, look at, deliver and confirm as many verifications."""
        loop = self._loop
        started: list[Started] = []
        self.measure("start", [lambda: started.append(loop.started())] * count)
        codes = {each.to: loop.code(each.to) for each in started}
        wrong = {each.to: loop.wrong_code(each.to) for each in started}
        self.measure("wrong guess", [partial(loop.check, each.verification_id, wrong[each.to]) for each in started])
        self.measure("look", [partial(loop.view, each.verification_id) for each in started])
        self.measure("status callback", [partial(loop.deliver, each.sid, "delivered") for each in started])
        self.measure("right guess", [partial(loop.check, each.verification_id, codes[each.to]) for each in started])
        self.measure("link page", [lambda: loop.request("GET", f"/confirm?id={LINK}")] * count)


def main(count: int) -> None:
    """Print a table."""
    with Stack(period_s=None, delays=NEVER) as stack, Loop(stack) as loop:
        bench = Bench(stack, loop)
        for _ in range(ROUNDS):
            with loop.test():
                bench.round(count)
    looks = sorted(bench.spent["look"])[ROUNDS // 2]
    print(f"| request | CPU ms, median of {ROUNDS} times {count} | times a look |")
    print("|---|---:|---:|")
    for kind, spent in bench.spent.items():
        median = sorted(spent)[ROUNDS // 2]
        print(f"| {kind} | {median * 1000:.1f} | {median / looks:.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
