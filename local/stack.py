"""The whole service on the laptop, started and stopped as one thing; also what the tests drive."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from local import api_docs
from local.aws import AwsServer
from local.functions import ROOT, Clock, Functions
from local.gateway import Gateway
from local.phone import Phone
from local.schedules import Schedules
from local.servers import Listener, Observer
from local.template import Function, Template
from local.twilio_emulator import Delays, TwilioEmulator

LAPTOP = {
    "AppName": "Acme",
    "Countries": "*",
    "HourlyCap": "0",
    "Sender": "+14155550100",
    "Stage": "development",
}
"""Values for the template's parameters that differ from its defaults."""
PORTS = {"OTP_API_PORT": 8080, "OTP_TWILIO_PORT": 8081, "OTP_AWS_PORT": 8082}
"""The fixed addresses of `make dev`, by the variables that choose others."""

NOT_SETTINGS = (*PORTS, "OTP_BIND")


def chosen_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The functions' settings that an environment names: they replace the template's values."""
    return {name: value for name, value in environ.items() if name.startswith("OTP_") and name not in NOT_SETTINGS}


@dataclass(frozen=True)
class Ports:
    """Where the three servers listen; 0 is any free port."""

    api: int = 0
    twilio: int = 0
    aws: int = 0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """The fixed ports, or those that the environment names.

        Raises
        ------
        ValueError
            A variable holds no port; names it.
        """
        chosen = []
        for name, default in PORTS.items():
            value = environ.get(name) or str(default)
            if not value.isascii() or not value.isdigit() or int(value) > 65535:
                raise ValueError(f"{name} must be a port number")
            chosen.append(int(value))
        return cls(*chosen)


class Stack:
    """API, Twilio emulator and AWS services, each at a loopback address, and the functions of template.yaml.

    Use it as a context manager.

    Parameters
    ----------
    ports, bind
        Where it listens.
    settings
        Values for the functions' variables (`{"OTP_MAX_ATTEMPTS": "3"}`) in place of the template's.
    parameters
        Values for the template's parameters.
    delays
        Those of the status callbacks.
    period_s
        Seconds between runs of the schedules; None for never.
    template
        The file whose functions, tables and routes it has.
    log
        Where the functions write; None for a file that `logs` reads and that goes with the stack.
    """

    def __init__(
        self,
        *,
        ports: Ports | None = None,
        bind: str = "127.0.0.1",
        settings: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        delays: Delays | None = None,
        period_s: float | None = 2.0,
        template: Path = ROOT / "template.yaml",
        log: IO[Any] | None = None,
    ) -> None:
        self._ports = ports or Ports()
        self.bind = bind
        self._settings = dict(settings or {})
        self._delays = delays
        self._period_s = period_s
        self._parameters = dict(parameters or {})
        self._path = template
        self._log = log
        self._log_path: Path | None = None
        self._cleanup = ExitStack()
        self._observers: list[Observer] = []
        self.clock = Clock()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._start(undo)
            self._cleanup = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop everything; no process, thread, port or file is left. Idempotent."""
        self._cleanup.close()

    @property
    def api_url(self) -> str:
        """The API's address, without a trailing slash; the phone page is at its root."""
        return self.gateway.listener.url

    @property
    def twilio_url(self) -> str:
        """The Twilio emulator's address."""
        return self.twilio.listener.url

    @property
    def aws_url(self) -> str:
        """The AWS services' address."""
        return self.aws.listener.url

    @property
    def table_name(self) -> str:
        """The table of verifications."""
        return self._references["VerificationsTable"]

    @property
    def variables(self) -> dict[str, str]:
        """The functions' variables with the values that they have here; one that several have is the same in all."""
        return {
            name: value
            for function in self._functions.values()
            for name, value in function.environment.items()
            if name.startswith("OTP_") or name == "AWS_ENDPOINT_URL"
        }

    def advance_clock(self, seconds: int) -> None:
        """Move the clock that the functions see."""
        self.clock.advance(seconds)

    def invoke(self, function: str, event: Any) -> Any:
        """Call a function directly (`start_directly`), as Step Functions would.

        Raises
        ------
        FunctionError
            As Lambda would report it.
        """
        return self.functions.invoke(function, event)

    def run_schedules(self) -> None:
        """Run each scheduled function once, now, and wait for it.

        Raises
        ------
        FunctionError
            One of them failed.
        """
        self.schedules.run_once()

    def logs(self) -> str:
        """What the functions have written to stdout and stderr so far, unless the stack was given a log."""
        return "" if self._log_path is None else self._log_path.read_text(errors="replace")

    @contextmanager
    def observing(self, observer: Observer) -> Iterator[None]:
        """Have every outward call of the functions reported: `observer("dynamodb:UpdateItem", "before")`, then `after`.

        It runs while the function waits for the answer, and may raise `ConnectionAbortedError` to lose the connection.
        """
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)

    @contextmanager
    def killing(self, function: str, when: Literal["before", "after"], call: str | int) -> Iterator[Callable[[], bool]]:
        """Kill a function's process once, at one of its outward calls.

        No other function may be at work meanwhile: use a stack with `period_s=None`.

        Parameters
        ----------
        when
            `after` where the call still acts, `before` where it does not.
        call
            Its name (`twilio:create_message`) or its number from 1.

        Yields
        ------
        Callable[[], bool]
            Tells whether it happened.
        """
        lock = threading.Lock()
        seen, done = 0, False

        def kill(name: str, phase: str) -> None:
            nonlocal seen, done
            with lock:
                seen += phase == "before"
                if done or phase != when or call not in (name, seen):
                    return
                done = self.functions.kill(function) > 0
            if done:
                raise ConnectionAbortedError("the caller was killed")

        with self.observing(kill):
            yield lambda: done

    def _start(self, undo: ExitStack) -> None:
        api, twilio, aws = (
            self._listen(undo, port, variable)
            for port, variable in zip((self._ports.api, self._ports.twilio, self._ports.aws), PORTS, strict=True)
        )
        # It loads its libraries while the servers start.
        self.functions = Functions(self.clock, self._open_log(undo))
        undo.callback(self.functions.stop)
        template = Template(
            self._path, {**LAPTOP, "PublicBaseUrl": api.url, "TwilioBaseUrl": twilio.url, **self._parameters}
        )
        self.aws = AwsServer(aws, self._observers)
        self.twilio = TwilioEmulator(
            twilio, api.url, self._delays, observers=self._observers, now_s=lambda: self.clock.now_ms() / 1000
        )
        undo.callback(self.twilio.stop)
        self._references = self.aws.create(template, api.url)
        self._functions = self._configured(template)
        self.functions.deploy(self._functions)
        self.schedules = Schedules(template.schedules(), self.functions, self.clock)
        undo.callback(self.schedules.stop)
        # Whoever waits for a function's answer is released by its end, so that all else can be stopped at once.
        undo.callback(self.functions.stop)
        undo.callback(self.schedules.begin_no_more)
        self.gateway = Gateway(api, template.routes(), self.functions, self.clock)
        self.gateway.add_pages(Phone(self.gateway, self.twilio, self.clock, LAPTOP["Sender"]).pages())
        self.gateway.add_pages(api_docs.pages())
        self.gateway.serve()
        if self._period_s is not None:
            self.schedules.start(self._period_s)

    def _listen(self, undo: ExitStack, port: int, variable: str) -> Listener:
        listener = Listener(self.bind, port, variable)
        undo.callback(listener.stop)
        return listener

    def _open_log(self, undo: ExitStack) -> IO[Any]:
        if self._log is not None:
            return self._log
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="otp-feedback-")))
        self._log_path = folder / "functions.log"
        return undo.enter_context(self._log_path.open("w"))

    def _configured(self, template: Template) -> dict[str, Function]:
        functions = template.functions(self._references)
        known = {name for function in functions.values() for name in function.environment}
        if unknown := set(self._settings) - known:
            raise ValueError(f"no function has a setting {', '.join(sorted(unknown))}")
        return {
            name: replace(function, environment=self._environment(function)) for name, function in functions.items()
        }

    def _environment(self, function: Function) -> dict[str, str]:
        # A function has a variable only where the template gives it to it, as on AWS.
        chosen = {name: value for name, value in self._settings.items() if name in function.environment}
        return {**function.environment, **self.aws.environment, **chosen}
