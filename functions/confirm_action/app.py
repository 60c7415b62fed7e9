"""Confirms actions, whatever the way in: the caller's check or word, the public link, a reply."""

import os
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from time import perf_counter, sleep
from typing import Any
from urllib.parse import parse_qs

from otp_feedback.adapters import aws
from otp_feedback.adapters.api import (
    CancelBody,
    CanceledAnswer,
    CheckBody,
    ConfirmBody,
    ConfirmedAnswer,
    VerificationView,
    to_json,
)
from otp_feedback.adapters.base_url import BaseUrl
from otp_feedback.adapters.clock import now_ms
from otp_feedback.adapters.dynamodb import LONGEST_TRY_S, ONE_TRY_CONFIG, DynamoDBStore
from otp_feedback.adapters.http import HttpFunction, HttpRequest, Route
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.journal import make_logger
from otp_feedback.adapters.pages import asking_page, html_reply, redirect_verb, result_page, twiml_reply
from otp_feedback.adapters.patience import Sleep, patient
from otp_feedback.adapters.problems import Reply, problem_reply
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.twilio import TwilioClient, api_base_url
from otp_feedback.adapters.vault import SecretVault
from otp_feedback.adapters.webhook import CALL, MESSAGE, Webhook, required, verified_webhook
from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.errors import MalformedRequest, Problem, Unavailable, UnknownVerification
from otp_feedback.domain.secret import Secret, parse_link_id
from otp_feedback.domain.texts import PageTexts, choose_page_language, page_texts
from otp_feedback.usecases.confirm import Inbound, cancel, check, confirm_by_caller, confirm_link
from otp_feedback.usecases.reply import Reply as InboundReply
from otp_feedback.usecases.reply import confirm_by_reply
from otp_feedback.usecases.report import Reporting

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
    vault = SecretVault(
        aws.client("secretsmanager"),
        settings.secret_arn,
        emulated=settings.twilio_is_emulated,
        time_left=invocation.time_left_s,
    )
    store = DynamoDBStore(aws.client("dynamodb"), settings.table, invocation.time_left_s)
    twilio = TwilioClient(
        vault.credentials,
        api_base_url(settings.twilio_region, settings.twilio_edge, settings.twilio_base_url),
        time_left=invocation.time_left_s,
    )
    reporting = Reporting(
        store, twilio, clock, random.random, settings.policy, CircuitBreaker(), spent_s=invocation.spent_s
    )
    inbound = Inbound(reporting, vault, secrets.token_bytes)
    base_url = BaseUrl(settings, lambda: aws.client("ssm"), invocation.time_left_s)
    webhooks = _webhook_routes(inbound, settings, vault, base_url, invocation)
    return HttpFunction(
        SERVICE,
        logger,
        invocation,
        callers=_caller_routes(inbound),
        public={
            **_public_routes(inbound, settings),
            **{route: patient(webhook, invocation, sleep) for route, webhook in webhooks.items()},
        },
        failing={("POST", "/twilio/call"): twiml_reply(REJECT_CALL)},
        unsigned_callers=settings.unsigned_callers,
    )


def _caller_routes(inbound: Inbound) -> dict[tuple[str, str], Route]:
    def show(request: HttpRequest) -> Reply:
        verification = inbound.reporting.store.read(request.verification_id)
        if verification is None:
            raise UnknownVerification
        return _ok(VerificationView.of(verification, inbound.reporting.clock()))

    def check_secret(request: HttpRequest) -> Reply:
        verification_id = request.verification_id
        body = request.json(CheckBody)
        secret, expect = Secret(body.secret), body.expectation()
        return _ok(ConfirmedAnswer.of(check(inbound, verification_id, secret, request.journal, expect=expect)))

    def take_callers_word(request: HttpRequest) -> Reply:
        verification_id = request.verification_id
        body = request.json(ConfirmBody)
        return _ok(ConfirmedAnswer.of(confirm_by_caller(inbound, verification_id, body.message, request.journal)))

    def cancel_verification(request: HttpRequest) -> Reply:
        verification_id = request.verification_id
        request.json(CancelBody)
        return _ok(CanceledAnswer(cancel(inbound, verification_id, request.journal).verification_id))

    base = "/verifications/{verification_id}"
    return {
        ("GET", base): show,
        ("POST", f"{base}/check"): check_secret,
        ("POST", f"{base}/confirm"): take_callers_word,
        ("POST", f"{base}/cancel"): cancel_verification,
    }


def _public_routes(inbound: Inbound, settings: Settings) -> dict[tuple[str, str], Route]:
    def ask(request: HttpRequest) -> Reply:
        if settings.link_confirms_on_get and request.method == "GET":
            return confirm(request, _link_opened)
        try:
            page = asking_page(_texts(request, settings), _link_opened(request))
        except MalformedRequest as problem:
            return failed(request, problem)
        return html_reply(200, page, settings.success_url)

    def tap(request: HttpRequest) -> Reply:
        return confirm(request, _link_tapped)

    def confirm(request: HttpRequest, link_of: Callable[[HttpRequest], str]) -> Reply:
        try:
            confirm_link(inbound, link_of(request), request.journal)
        except Problem as problem:
            return failed(request, problem)
        page = result_page(_texts(request, settings), confirmed=True)
        if settings.success_url is None:
            return html_reply(200, page, None)
        return html_reply(303, page, settings.success_url, {"Location": settings.success_url})

    def failed(request: HttpRequest, problem: Problem) -> Reply:
        """One page for every failure; only the status tells a passing one, which names no verification."""
        request.journal.note(outcome=problem.name)
        page = result_page(_texts(request, settings), confirmed=False)
        if isinstance(problem, Unavailable):
            return html_reply(503, page, settings.success_url, problem_reply(problem).headers)
        return html_reply(400, page, settings.success_url)

    return {("GET", "/confirm"): ask, ("HEAD", "/confirm"): ask, ("POST", "/confirm"): tap}


def _webhook_routes(
    inbound: Inbound, settings: Settings, vault: SecretVault, base_url: BaseUrl, invocation: Invocation
) -> dict[tuple[str, str], Route]:
    @cache
    def trying_once() -> Inbound:
        """The whole request is tried again, so no call of it is: the last one may then begin later."""
        client = aws.client("dynamodb", ONE_TRY_CONFIG)
        store = DynamoDBStore(client, settings.table, invocation.time_left_s, LONGEST_TRY_S)
        return replace(inbound, reporting=replace(inbound.reporting, store=store))

    def confirms(request: HttpRequest, webhook: Webhook, reply: InboundReply) -> bool:
        if webhook.ambiguous:
            request.journal.note(inbound=reply.sid, ignored="ambiguous")
            return False
        return confirm_by_reply(trying_once(), reply, request.journal)

    def message(request: HttpRequest) -> Reply:
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
            return twiml_reply()
        return twiml_reply(redirect_verb(settings.fallback_message_url))

    def call(request: HttpRequest) -> Reply:
        webhook = verified_webhook(request, base_url.of_stack(), vault, CALL)
        fields = webhook.fields
        reply = InboundReply(required(fields, "CallSid"), fields.get("From", ""), required(fields, "To"))
        if confirms(request, webhook, reply) or settings.fallback_call_url is None:
            return twiml_reply(REJECT_CALL)
        return twiml_reply(redirect_verb(settings.fallback_call_url))

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


def _ok(answer: object) -> Reply:
    return Reply(200, to_json(answer), headers={"Cache-Control": "no-store"})


lambda_handler = make_handler(os.environ)
