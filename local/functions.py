"""Calls the Lambda functions on the laptop: instances that are made on demand, kept warm, ended at their timeout."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from local.template import PSEUDO_PARAMETERS, Function

ROOT = Path(__file__).parent.parent
MAX_INSTANCES = 10
"""Instances of one function at a time, as in a new AWS account; more requests wait."""
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class FunctionError(Exception):
    """The function raised, was ended at its timeout, or its instance died."""


class Clock:
    """The time that the handlers see; it can be moved on."""

    def __init__(self) -> None:
        self.offset_ms = 0

    def advance(self, seconds: int) -> None:
        """Move the clock on by whole seconds."""
        self.offset_ms += seconds * 1000

    def now_ms(self) -> int:
        """Epoch milliseconds as the handlers see them."""
        return time.time_ns() // 1_000_000 + self.offset_ms


@dataclass(eq=False)
class _Instance:
    channel: Connection
    pid: int
    killed: bool = False


class Functions:
    """The deployed functions.

    Parameters
    ----------
    clock
        What the handlers see.
    log
        Where the functions' stdout and stderr go.
    """

    def __init__(self, clock: Clock, log: IO[Any]) -> None:
        self._clock = clock
        ours, theirs = socket.socketpair()
        with theirs:
            self._host = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", f"{__package__}.function_host", str(theirs.fileno())],
                cwd=ROOT,
                env={name: os.environ[name] for name in INHERITED if name in os.environ}
                | {"PYTHONPATH": f"{ROOT / 'layers' / 'otp_feedback'}{os.pathsep}{ROOT}", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C reaches the stack only, which ends this process itself
            )
        self._control = ours
        self._lock = threading.Condition()
        self._functions: Mapping[str, Function] = {}
        self._idle: dict[str, list[_Instance]] = {}
        self._busy: dict[str, set[_Instance]] = {}
        self._count: dict[str, int] = {}
        self._stopped = False

    def deploy(self, functions: Mapping[str, Function]) -> None:
        """Set the functions, and warm one instance of each.

        Raises
        ------
        FunctionError
            One of them cannot be loaded.
        """
        self._functions = functions
        self._idle = {name: [] for name in functions}
        self._busy = {name: set() for name in functions}
        self._count = dict.fromkeys(functions, 1)
        channels = {name: self._fork(function) for name, function in functions.items()}
        for name, channel in channels.items():
            self._idle[name].append(self._born(name, channel))

    @property
    def host_pid(self) -> int:
        """The process whose session all instances are in."""
        return self._host.pid

    @property
    def stopped(self) -> bool:
        """Whether the functions were told to end."""
        return self._stopped

    def invoke(self, name: str, event: Any) -> Any:
        """Call a function with an event, wait for its result.

        Raises
        ------
        FunctionError
            It raised an error, ran into its timeout or died.
        """
        instance = self._take(name)
        try:
            answer = self._exchange(self._functions[name], instance, event)
        except (EOFError, OSError, TimeoutError) as error:
            self._bury(name, instance)
            reason = "was ended at its timeout" if isinstance(error, TimeoutError) else "died"
            raise FunctionError(f"{name}: the instance {reason}") from error
        self._give_back(name, instance)
        if "error" in answer:
            raise FunctionError(f"{name}: {answer['error']}")
        return answer["result"]

    def kill(self, name: str) -> int:
        """End every instance of a function that is at work, at once and without clean-up; how many there were."""
        with self._lock:
            victims = [instance for instance in self._busy[name] if not instance.killed]
            for instance in victims:
                _kill(instance)
        return len(victims)

    def stop(self) -> None:
        """End every instance and the process that made them. Idempotent."""
        with self._lock:
            self._stopped = True
            for instance in [i for group in (self._idle, self._busy) for many in group.values() for i in many]:
                _kill(instance)
            self._lock.notify_all()
        self._control.close()
        try:
            self._host.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._host.kill()
            self._host.wait()
        with self._lock:
            for idle in self._idle.values():
                while idle:
                    idle.pop().channel.close()

    def _fork(self, function: Function) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"i"], [theirs.fileno()])
        channel = Connection(ours.detach())
        birth = {
            "name": function.name,
            "folder": str(function.folder),
            "environment": {
                **function.environment,
                "AWS_LAMBDA_FUNCTION_NAME": function.name,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            },
        }
        channel.send_bytes(json.dumps(birth).encode())
        return channel

    def _born(self, name: str, channel: Connection) -> _Instance:
        try:
            if not channel.poll(START_TIMEOUT_S):
                raise FunctionError(f"{name}: the instance did not start within {START_TIMEOUT_S:.0f} s")
            word = json.loads(channel.recv_bytes())
        except (EOFError, OSError) as error:
            channel.close()
            raise FunctionError(f"{name}: the instance died while it started") from error
        if "error" in word:
            channel.close()
            raise FunctionError(f"{name} cannot be loaded: {word['error']}")
        return _Instance(channel, word["pid"])

    def _take(self, name: str) -> _Instance:
        with self._lock:
            self._lock.wait_for(lambda: self._stopped or self._idle[name] or self._count[name] < MAX_INSTANCES)
            if self._stopped:
                raise FunctionError(f"{name}: the stack was stopped")
            if self._idle[name]:
                instance = self._idle[name].pop()
                self._busy[name].add(instance)
                return instance
            self._count[name] += 1
        try:
            instance = self._born(name, self._fork(self._functions[name]))
        except (FunctionError, OSError):
            with self._lock:
                self._count[name] -= 1
                self._lock.notify()
            raise
        with self._lock:
            self._busy[name].add(instance)
        return instance

    def _give_back(self, name: str, instance: _Instance) -> None:
        with self._lock:
            if not instance.killed:  # it may have been killed when its answer was already on the way
                self._busy[name].discard(instance)
                self._idle[name].append(instance)
                self._lock.notify()
                return
        self._bury(name, instance)

    def _bury(self, name: str, instance: _Instance) -> None:
        with self._lock:
            _kill(instance)
            self._busy[name].discard(instance)
            self._count[name] -= 1
            self._lock.notify()
        instance.channel.close()

    def _exchange(self, function: Function, instance: _Instance, event: Any) -> dict[str, Any]:
        region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
        invocation = {
            "event": event,
            "offset_ms": self._clock.offset_ms,
            "timeout_ms": function.timeout_s * 1000,
            "context": {
                "function_name": function.name,
                "memory_limit_in_mb": str(function.memory_mb),
                "invoked_function_arn": f"arn:aws:lambda:{region}:{account}:function:{function.name}",
                "aws_request_id": str(uuid.uuid4()),
                "log_group_name": f"/aws/lambda/{function.name}",
                "log_stream_name": f"laptop/[$LATEST]{instance.pid}",
            },
        }
        instance.channel.send_bytes(json.dumps(invocation).encode())
        if not instance.channel.poll(function.timeout_s):
            raise TimeoutError
        answer: dict[str, Any] = json.loads(instance.channel.recv_bytes())
        return answer


def _kill(instance: _Instance) -> None:
    if not instance.killed:
        instance.killed = True
        with suppress(ProcessLookupError):  # it may have died by itself
            os.kill(instance.pid, signal.SIGKILL)
