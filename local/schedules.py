"""Runs the scheduled functions, more often than on AWS."""

import sys
import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from local.functions import Clock, FunctionError, Functions
from local.template import PSEUDO_PARAMETERS, Schedule

STOP_TIMEOUT_S = 5.0


def schedule_event(schedule: Schedule, clock: Clock) -> dict[str, Any]:
    """The event that EventBridge sends for a schedule."""
    region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.fromtimestamp(clock.now_ms() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{account}:rule/{schedule.name}"],
        "detail": {},
    }


class Schedules:
    """The schedules of the template, each with a thread of its own: while a run goes on, the next does not begin."""

    def __init__(self, schedules: Iterable[Schedule], functions: Functions, clock: Clock) -> None:
        self._schedules = tuple(schedules)
        self._functions, self._clock = functions, clock
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, period_s: float) -> None:
        """Run each from now on, the first time after one period."""
        for schedule in self._schedules:
            thread = threading.Thread(
                target=self._repeat, args=(schedule, period_s), name=f"schedule-{schedule.name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def begin_no_more(self) -> None:
        """Let what runs come to its end, and begin nothing more."""
        self._stopping.set()

    def stop(self) -> None:
        """Begin no further run, and wait for those that go on. Idempotent."""
        self.begin_no_more()
        for thread in self._threads:
            thread.join(STOP_TIMEOUT_S)

    def run_once(self) -> None:
        """Run each once, now, and wait for it.

        Raises
        ------
        FunctionError
            One of them failed.
        """
        for schedule in self._schedules:
            self._functions.invoke(schedule.function, schedule_event(schedule, self._clock))

    def _repeat(self, schedule: Schedule, period_s: float) -> None:
        while not self._stopping.wait(period_s):
            try:
                self._functions.invoke(schedule.function, schedule_event(schedule, self._clock))
            except FunctionError as error:
                if not self._stopping.is_set():
                    print(f"schedule {schedule.name}: {error}", file=sys.stderr)
