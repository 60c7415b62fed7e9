"""The routes of the Twilio emulator: Twilio's REST API, and the control routes under `/_emulator`."""

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, get_args
from wsgiref.types import WSGIEnvironment

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException

from local.aws import ACCOUNT_SID
from local.servers import control_body
from local.twilio_account import API_VERSION, STATUS_RANK, TwilioError, not_found

if TYPE_CHECKING:
    from local.twilio_emulator import TwilioEmulator
    from local.webhooks import WebhookAnswer

Operation = Literal["create_message", "feedback", "status_callback"]
Kind = Literal["timeout_before", "timeout_after", "status", "trickle", "none"]
MESSAGES = f"/{API_VERSION}/Accounts/<account_sid>/Messages"


def operation_of(environ: WSGIEnvironment) -> str:
    """The name of a REST call for observers: `twilio:create_message`, `twilio:feedback`, or by its method.

    Control requests have none.
    """
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if not path.startswith(f"/{API_VERSION}/"):
        return ""
    if method == "POST" and path.endswith("/Feedback.json"):
        return "twilio:feedback"
    if method == "POST" and path.endswith("/Messages.json"):
        return "twilio:create_message"
    return f"twilio:{method.lower()}"


def general_error(status: int, message: str) -> TwilioError:
    """The error with Twilio's general code for an HTTP status."""
    codes = {401: 20003, 404: 20404, 405: 20004, 429: 20429, 503: 20503}
    return TwilioError(status, codes.get(status, 20500 if status >= 500 else 20001), message)


def error_answer(error: TwilioError) -> Response:
    """An error in the shape that Twilio gives it."""
    answer = jsonify(
        code=error.code,
        message=error.message,
        more_info=f"https://www.twilio.com/docs/errors/{error.code}",
        status=error.status,
    )
    answer.status_code = error.status
    return answer


def application(emulator: "TwilioEmulator") -> Flask:
    """The emulator's WSGI application."""
    app = Flask(__name__, static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = True  # a connection that is to be lost must not end as a page of Flask's

    @app.errorhandler(TwilioError)
    def refuse(error: TwilioError) -> Response:
        return error_answer(error)

    @app.errorhandler(HTTPException)
    def refuse_http(error: HTTPException) -> Response:
        return error_answer(general_error(error.code or 500, error.description or error.name))

    @app.after_request
    def identify(answer: Response) -> Response:
        answer.headers["Twilio-Request-Id"] = "RQ" + secrets.token_hex(16)
        return answer

    rest, control = _Rest(emulator), _Control(emulator)
    for method, path, view in (
        ("POST", f"{MESSAGES}.json", rest.create),
        ("GET", f"{MESSAGES}.json", rest.listing),
        ("GET", f"{MESSAGES}/<sid>.json", rest.fetch),
        ("POST", f"{MESSAGES}/<sid>.json", rest.update),
        ("DELETE", f"{MESSAGES}/<sid>.json", rest.delete),
        ("POST", f"{MESSAGES}/<sid>/Feedback.json", rest.feedback),
        ("GET", "/_emulator/messages", control.messages),
        ("GET", "/_emulator/requests", control.requests),
        ("POST", "/_emulator/faults", control.faults),
        ("POST", "/_emulator/deliver", control.deliver),
        ("POST", "/_emulator/inbound", control.inbound),
        ("DELETE", "/_emulator", control.clear),
    ):
        app.add_url_rule(path, f"{method} {path}", view, methods=[method])
    return app


class _Rest:
    """Twilio's REST API."""

    def __init__(self, emulator: "TwilioEmulator") -> None:
        self._emulator = emulator
        self._account = emulator.account

    def create(self, account_sid: str) -> Response:
        def action() -> Response:
            message = self._account.create(request.form)
            answer = jsonify(message.resource())
            answer.status_code = 201
            self._emulator.send_off(message)
            return answer

        return self._run("create_message", account_sid, action)

    def listing(self, account_sid: str) -> Response:
        query = request.query_string.decode()
        return self._run("list", account_sid, lambda: jsonify(self._account.listing(request.args, request.path, query)))

    def fetch(self, account_sid: str, sid: str) -> Response:
        return self._run("fetch", account_sid, lambda: jsonify(self._account.get(sid).resource()))

    def update(self, account_sid: str, sid: str) -> Response:
        return self._run("update", account_sid, lambda: jsonify(self._account.update(sid, request.form).resource()))

    def delete(self, account_sid: str, sid: str) -> Response:
        def action() -> Response:
            self._account.delete(sid)
            return Response(status=204)

        return self._run("delete", account_sid, action)

    def feedback(self, account_sid: str, sid: str) -> Response:
        def action() -> Response:
            return jsonify(self._account.confirm(sid, request.form.get("Outcome")).feedback_resource())

        return self._run("feedback", account_sid, action)

    def _run(self, operation: str, account_sid: str, action: Callable[[], Response]) -> Response:
        given = (request.args if request.method == "GET" else request.form).to_dict(flat=False)
        parameters = {name: values[0] if len(values) == 1 else values for name, values in given.items()}
        entry = self._emulator.record(request.method, request.path, parameters)
        try:
            self._emulator.authenticate(request.headers.get("Authorization"))
            if account_sid != ACCOUNT_SID:
                raise not_found(request.path)
            answer = self._emulator.act(operation, action)
        except TwilioError as error:
            answer = error_answer(error)
        entry["response_status"] = answer.status_code
        return answer


class _Control:
    """The routes with which a person or a test looks into the emulator and makes it misbehave."""

    def __init__(self, emulator: "TwilioEmulator") -> None:
        self._emulator = emulator

    def messages(self) -> Response:
        return jsonify([message.summary() for message in self._emulator.account.outbound()])

    def requests(self) -> Response:
        return jsonify(self._emulator.requests())

    def faults(self) -> Response:
        body = control_body(request)
        operation = cast("Operation", _one_of(body, "operation", get_args(Operation)))
        kind = cast("Kind", _one_of(body, "fault", get_args(Kind)))
        status = _whole(body, "status", 503, 400, 599)
        times = _whole(body, "times", 1, 1, 1_000_000)
        acts = body.get("acts", True)
        if not isinstance(acts, bool):
            raise BadRequest("'acts' must be true or false")
        self._emulator.set_fault(operation, kind, times=times, status=status, acts=acts)
        return jsonify(operation=operation, fault=kind, status=status, times=times)

    def deliver(self) -> Response:
        body = control_body(request)
        sid, status = _text(body, "sid"), _one_of(body, "status", tuple(STATUS_RANK))
        error_code = body.get("error_code")
        if error_code is not None:
            error_code = _whole(body, "error_code", 0, 1, 99_999)
        answer = self._emulator.deliver(sid, status, error_code)
        return jsonify(sid=sid, status=status, callback=None if answer is None else _outcome(answer))

    def inbound(self) -> Response:
        body = control_body(request)
        kind = _one_of(body, "kind", ("message", "call"))
        sender, to = _text(body, "from"), _text(body, "to")
        sid = _text(body, "sid") if "sid" in body else None
        extra = body.get("parameters", {})
        if not isinstance(extra, dict) or not all(isinstance(value, str) for value in extra.values()):
            raise BadRequest("'parameters' must be an object of strings")
        if kind == "message":
            text = body.get("body", "")
            if not isinstance(text, str):
                raise BadRequest("'body' must be a string")
            sid, answer = self._emulator.inbound_message(sender, to, text, sid, extra)
        else:
            sid, answer = self._emulator.inbound_call(sender, to, sid, extra)
        return jsonify(sid=sid, **_outcome(answer), content_type=answer.content_type, twiml=answer.text)

    def clear(self) -> Response:
        self._emulator.clear()
        return Response(status=204)


def _outcome(answer: "WebhookAnswer") -> dict[str, Any]:
    return {"response_status": answer.status, "attempts": answer.attempts}


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"'{name}' must be a string")
    return value


def _one_of(body: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = _text(body, name)
    if value not in allowed:
        raise BadRequest(f"'{name}' must be one of {', '.join(allowed)}")
    return value


def _whole(body: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadRequest(f"'{name}' must be a whole number from {low} to {high}")
    return value
