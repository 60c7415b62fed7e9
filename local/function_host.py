"""The process that runs the Lambda functions: it loads the libraries once and forks an instance for each request of
`functions.Functions`. An instance is a process because Lambda's is one, which answers one request at a time; and so a
crash can be tried by killing it.

Run as `python -m local.function_host DESCRIPTOR`; it ends when the other end of that socket is closed.
"""

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PRELOADED = (
    "boto3",
    "httpx",
    "msgspec",
    "phonenumbers",
    "aws_lambda_powertools",
    "aws_lambda_powertools.metrics",
)

type Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Context:
    """What Lambda passes beside the event; the names are Lambda's."""

    function_name: str
    memory_limit_in_mb: str
    invoked_function_arn: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    deadline_ms: int
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        return max(0, self.deadline_ms - _now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Instance:
    """One execution environment: the function's module, loaded once, and the clock that the laptop may shift."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.offset_ms = 0
        os.environ.clear()
        os.environ.update(environment)
        spec = importlib.util.spec_from_file_location(f"functions_{name}_app", folder / "app.py")
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder}/app.py cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        self._handler: Handler = module.make_handler(os.environ, self.now_ms)

    def now_ms(self) -> int:
        """Epoch milliseconds as the handler sees them."""
        return _now_ms() + self.offset_ms

    def answer(self, invocation: Mapping[str, Any]) -> dict[str, Any]:
        """Run one invocation; its result, or the error that Lambda would report."""
        self.offset_ms = invocation["offset_ms"]
        context = Context(deadline_ms=_now_ms() + invocation["timeout_ms"], **invocation["context"])
        try:
            return {"result": json.loads(json.dumps(self._handler(invocation["event"], context)))}
        except Exception as error:  # noqa: BLE001 - Lambda reports every error of a handler and goes on
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}"}


def serve(channel: Connection) -> None:
    """Live as one instance: be told what to load, then answer invocations until the channel closes."""
    birth = json.loads(channel.recv_bytes())
    try:
        instance = Instance(birth["name"], Path(birth["folder"]), birth["environment"])
    except Exception as error:  # noqa: BLE001 - reported to the stack, which refuses to start
        traceback.print_exc()
        channel.send_bytes(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return
    channel.send_bytes(json.dumps({"pid": os.getpid()}).encode())
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            answer = instance.answer(json.loads(channel.recv_bytes()))
            channel.send_bytes(json.dumps(answer).encode())


def main(descriptor: int) -> None:
    """Fork an instance for every descriptor that arrives; at the end leave none behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stack decides when it ends
    for name in PRELOADED:
        with contextlib.suppress(ModuleNotFoundError):  # a function that needs it says so itself
            importlib.import_module(name)
    control = socket.socket(fileno=descriptor)
    instances: set[int] = set()
    while True:
        received, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not received:
            break
        pid = os.fork()
        if pid == 0:
            control.close()
            with Connection(descriptors[0]) as channel:
                serve(channel)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        os.close(descriptors[0])
        instances.add(pid)
        instances -= {ended for ended in instances if os.waitpid(ended, os.WNOHANG)[0]}
    for pid in instances:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
