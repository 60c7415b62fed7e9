"""Confirms actions, whatever the way in: the caller's check or word, the public link, a reply."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from time import perf_counter, sleep
from typing import Any
from urllib.parse import parse_qs

from otp_feedback.adapters.aws import clients
from otp_feedback.adapters.aws.base_url import BaseUrl
from otp_feedback.adapters.aws.clients import LONGEST_TRY_S, ONE_TRY_CONFIG
from otp_feedback.adapters.aws.secret import SecretVault
from otp_feedback.adapters.aws.table import Table
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.request_log import make_logger
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.web.function import HttpFunction, Route
from otp_feedback.adapters.web.page import asking_page, html_response, result_page
from otp_feedback.adapters.web.patience import Sleep, patient
from otp_feedback.adapters.web.problems import Response, problem_response
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.twiml import redirect_verb, twiml_response
from otp_feedback.adapters.web.webhooks import CALL, MESSAGE, Webhook, required, verified_webhook
from otp_feedback.adapters.web.wire import (
    CancelBody,
    CanceledAnswer,
    CheckBody,
    ConfirmBody,
    ConfirmedAnswer,
    VerificationView,
    to_json,
)
from otp_feedback.domain.errors import MalformedRequest, Problem, Unavailable, UnknownVerification
from otp_feedback.domain.links import parse_link_id
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.texts import PageTexts, choose_page_language, page_texts
from otp_feedback.usecases.confirm import cancel, check, confirm_by_caller, confirm_link
from otp_feedback.usecases.ports import Service
from otp_feedback.usecases.reply import InboundReply, confirm_by_reply
from otp_feedback.wiring import make_service, make_vault, on_table

SERVICE = "confirm_action"
REJECT_CALL = '<Reject reason="busy"/>'


def make_handler(
    environ: Mapping[str, str],
    clock: Callable[[], int] = now_ms,
    seconds: Callable[[], float] = perf_counter,
    sleep: Sleep = sleep,
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """The function's handler; `clock` tells epoch milliseconds, `seconds` what has passed since any beginning."""
    logger = make_logger(SERVICE)
    settings = Settings.from_environ(environ, needs=("OTP_APP_NAME",))
    invocation = Invocation(seconds)
    vault = make_vault(settings, invocation)
    service = make_service(settings, invocation, clock, vault)
    base_url = BaseUrl(settings, lambda: clients.client("ssm"), invocation.time_left_s)
    webhooks = _webhook_routes(service, settings, vault, base_url, invocation)
    return HttpFunction(
        SERVICE,
        logger,
        invocation,
        callers=_caller_routes(service),
        public={
            **_public_routes(service, settings),
            **{route: patient(webhook, invocation, sleep) for route, webhook in webhooks.items()},
        },
        failing={("POST", "/twilio/call"): twiml_response(REJECT_CALL)},
        unsigned_callers=settings.unsigned_callers,
    )


def _caller_routes(service: Service) -> dict[tuple[str, str], Route]:
    def show(request: HttpRequest) -> Response:
        verification = service.verifications.read(request.verification_id)
        if verification is None:
            raise UnknownVerification
        return _ok(VerificationView.of(verification, service.clock()))

    def check_secret(request: HttpRequest) -> Response:
        verification_id = request.verification_id
        body = request.json(CheckBody)
        secret, expect = Secret(body.secret), body.expectation()
        return _ok(ConfirmedAnswer.of(check(service, verification_id, secret, request.journal, expect=expect)))

    def take_callers_word(request: HttpRequest) -> Response:
        verification_id = request.verification_id
        body = request.json(ConfirmBody)
        return _ok(ConfirmedAnswer.of(confirm_by_caller(service, verification_id, body.message, request.journal)))

    def cancel_verification(request: HttpRequest) -> Response:
        verification_id = request.verification_id
        request.json(CancelBody)
        return _ok(CanceledAnswer(cancel(service, verification_id, request.journal).verification_id))

    base = "/verifications/{verification_id}"
    return {
        ("GET", base): show,
        ("POST", f"{base}/check"): check_secret,
        ("POST", f"{base}/confirm"): take_callers_word,
        ("POST", f"{base}/cancel"): cancel_verification,
    }


def _public_routes(service: Service, settings: Settings) -> dict[tuple[str, str], Route]:
    def ask(request: HttpRequest) -> Response:
        if settings.link_confirms_on_get and request.method == "GET":
            return confirm(request, _link_opened)
        try:
            page = asking_page(_texts(request, settings), _link_opened(request))
        except MalformedRequest as problem:
            return failed(request, problem)
        return html_response(200, page, settings.success_url)

    def tap(request: HttpRequest) -> Response:
        return confirm(request, _link_tapped)

    def confirm(request: HttpRequest, link_of: Callable[[HttpRequest], str]) -> Response:
        try:
            confirm_link(service, link_of(request), request.journal)
        except Problem as problem:
            return failed(request, problem)
        page = result_page(_texts(request, settings), confirmed=True)
        if settings.success_url is None:
            return html_response(200, page, None)
        return html_response(303, page, settings.success_url, {"Location": settings.success_url})

    def failed(request: HttpRequest, problem: Problem) -> Response:
        """One page for every failure; only the status tells a passing one, which names no verification."""
        request.journal.note(outcome=problem.name)
        page = result_page(_texts(request, settings), confirmed=False)
        if isinstance(problem, Unavailable):
            return html_response(503, page, settings.success_url, problem_response(problem).headers)
        return html_response(400, page, settings.success_url)

    return {("GET", "/confirm"): ask, ("HEAD", "/confirm"): ask, ("POST", "/confirm"): tap}


def _webhook_routes(
    service: Service, settings: Settings, vault: SecretVault, base_url: BaseUrl, invocation: Invocation
) -> dict[tuple[str, str], Route]:
    @cache
    def trying_once() -> Service:
        """The whole request is tried again, so no call of it is: the last one may then begin later."""
        client = clients.client("dynamodb", ONE_TRY_CONFIG)
        return on_table(service, Table(client, settings.table, invocation.time_left_s, LONGEST_TRY_S))

    def confirms(request: HttpRequest, webhook: Webhook, reply: InboundReply) -> bool:
        if webhook.ambiguous:
            request.journal.note(inbound=reply.sid, ignored="ambiguous")
            return False
        return confirm_by_reply(trying_once(), reply, request.journal)

    def message(request: HttpRequest) -> Response:
        webhook = verified_webhook(request, base_url.of_stack(), vault, MESSAGE)
        fields = webhook.fields
        reply = InboundReply(
            sid=required(fields, "MessageSid"),
            sender=fields.get("From", ""),
            receiver=required(fields, "To"),
            body=webhook.text,
            original_sid=fields.get("OriginalRepliedMessageSid"),
            opted_out=webhook.opts_out,
            kind=fields.get("MessageType"),
        )
        if confirms(request, webhook, reply) or settings.fallback_message_url is None:
            return twiml_response()
        return twiml_response(redirect_verb(settings.fallback_message_url))

    def call(request: HttpRequest) -> Response:
        webhook = verified_webhook(request, base_url.of_stack(), vault, CALL)
        fields = webhook.fields
        reply = InboundReply(required(fields, "CallSid"), fields.get("From", ""), required(fields, "To"))
        if confirms(request, webhook, reply) or settings.fallback_call_url is None:
            return twiml_response(REJECT_CALL)
        return twiml_response(redirect_verb(settings.fallback_call_url))

    return {("POST", "/twilio/message"): message, ("POST", "/twilio/call"): call}


def _link_opened(request: HttpRequest) -> str:
    """The link's id that the address holds, if it can be one."""
    values = parse_qs(request.query).get("id", [])
    if len(values) != 1 or parse_link_id(values[0]) is None:
        raise MalformedRequest("id", "must be the id of a link")
    return values[0]


def _link_tapped(request: HttpRequest) -> str:
    """The link's id that the page's button sends."""
    return dict(request.form()).get("id", "")


def _texts(request: HttpRequest, settings: Settings) -> PageTexts:
    language = choose_page_language(request.header("accept-language") or "")
    return page_texts(language, settings.policy.app_name)


def _ok(answer: object) -> Response:
    return Response(200, to_json(answer), headers={"Cache-Control": "no-store"})


lambda_handler = make_handler(os.environ)
