"""Confirms actions, whatever the way in: the caller's check or word, the public link, a reply."""

import os
import random
import secrets
from collections.abc import Callable, Mapping
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
from otp_feedback.adapters.dynamodb import DynamoDBStore
from otp_feedback.adapters.http import HttpFunction, HttpRequest, Route
from otp_feedback.adapters.invocation import Invocation
from otp_feedback.adapters.journal import make_logger
from otp_feedback.adapters.pages import asking_page, html_reply, redirect_verb, result_page, twiml_reply
from otp_feedback.adapters.problems import Reply, problem_reply
from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.twilio import TwilioClient, api_base_url
from otp_feedback.adapters.vault import SecretVault
from otp_feedback.adapters.webhook import required, verified_form
from otp_feedback.domain.breaker import CircuitBreaker
from otp_feedback.domain.errors import Problem, Unavailable, UnknownVerification
from otp_feedback.domain.secret import Secret
from otp_feedback.domain.texts import PageTexts, choose_page_language, page_texts
from otp_feedback.usecases.confirm import Inbound, cancel, check, confirm_by_caller, confirm_link
from otp_feedback.usecases.reply import Reply as InboundReply
from otp_feedback.usecases.reply import confirm_by_reply
from otp_feedback.usecases.report import Reporting

SERVICE = "confirm_action"
LINK_ID_LENGTH = 44
REJECT_CALL = '<Reject reason="busy"/>'


def make_handler(
    environ: Mapping[str, str], clock: Callable[[], int] = now_ms
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """The function's handler; `clock` tells epoch milliseconds."""
    logger = make_logger(SERVICE)
    settings = Settings.from_environ(environ)
    invocation = Invocation()
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
    routes = {
        **_caller_routes(inbound),
        **_public_routes(inbound, settings),
        **_webhook_routes(inbound, settings, vault),
    }
    return HttpFunction(SERVICE, logger, invocation, routes)


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
        values = parse_qs(request.query).get("id", [])
        link = values[0] if len(values) == 1 else ""
        if settings.link_confirms_on_get and request.method == "GET":
            return confirm(request, link)
        page = asking_page(_texts(request, settings), link if len(link) == LINK_ID_LENGTH else "")
        return html_reply(200, page, settings.success_url)

    def tap(request: HttpRequest) -> Reply:
        try:
            link = dict(request.form()).get("id", "")
        except Problem as problem:
            return failed(request, problem)
        return confirm(request, link)

    def confirm(request: HttpRequest, link: str) -> Reply:
        try:
            confirm_link(inbound, link, request.journal)
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


def _webhook_routes(inbound: Inbound, settings: Settings, vault: SecretVault) -> dict[tuple[str, str], Route]:
    base_url = BaseUrl(settings, lambda: aws.client("ssm"))

    def message(request: HttpRequest) -> Reply:
        fields = verified_form(request, base_url.of_request(request.domain_name), vault)
        reply = InboundReply(
            sid=required(fields, "MessageSid"),
            sender=fields.get("From", ""),
            receiver=required(fields, "To"),
            body=fields.get("Body", ""),
            original_sid=fields.get("OriginalRepliedMessageSid") or None,
            opted_out=bool(fields.get("OptOutType")),
            kind=fields.get("MessageType") or None,
        )
        if confirm_by_reply(inbound, reply, request.journal) or settings.fallback_message_url is None:
            return twiml_reply()
        return twiml_reply(redirect_verb(settings.fallback_message_url))

    def call(request: HttpRequest) -> Reply:
        fields = verified_form(request, base_url.of_request(request.domain_name), vault)
        reply = InboundReply(required(fields, "CallSid"), fields.get("From", ""), required(fields, "To"))
        if confirm_by_reply(inbound, reply, request.journal) or settings.fallback_call_url is None:
            return twiml_reply(REJECT_CALL)
        return twiml_reply(redirect_verb(settings.fallback_call_url))

    return {("POST", "/twilio/message"): message, ("POST", "/twilio/call"): call}


def _texts(request: HttpRequest, settings: Settings) -> PageTexts:
    language = choose_page_language(request.header("accept-language") or "")
    return page_texts(language, settings.policy.app_name)


def _ok(answer: object) -> Reply:
    return Reply(200, to_json(answer), headers={"Cache-Control": "no-store"})


lambda_handler = make_handler(os.environ)
