"""The routes of inbound messages and calls."""

from collections.abc import Callable, Mapping

from otp_feedback.adapters.settings import Settings
from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.response import Response
from otp_feedback.adapters.web.twiml import REJECTED_CALL, redirect_verb, twiml_response
from otp_feedback.adapters.web.webhooks import (
    CALL,
    MESSAGE,
    Account,
    Field,
    Webhook,
    required,
    verified_webhook,
)
from otp_feedback.usecases.ports import Service
from otp_feedback.usecases.reply import InboundReply, confirm_by_reply


class InboundRoutes:
    """The routes of inbound messages and calls: those that confirm nothing go on to the user's own application.

    Parameters
    ----------
    settings
        Where messages and calls go on to.
    base_url
        Returns the stack's public address, which is signed.
    account
        Whose signature counts.
    service
        Returns what the use case needs.
    """

    def __init__(
        self,
        settings: Settings,
        base_url: Callable[[], str],
        account: Account,
        service: Callable[[], Service],
    ) -> None:
        self._fallback_message_url = settings.fallback_message_url
        self._fallback_call_url = settings.fallback_call_url
        self._base_url = base_url
        self._account = account
        self._service = service

    def message(self, request: HttpRequest) -> Response:
        """An inbound message."""
        webhook = self._verified(request, MESSAGE)
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
        if self._confirms(request, webhook, reply) or self._fallback_message_url is None:
            return twiml_response()
        return twiml_response(redirect_verb(self._fallback_message_url))

    def call(self, request: HttpRequest) -> Response:
        """An inbound call."""
        webhook = self._verified(request, CALL)
        fields = webhook.fields
        reply = InboundReply(required(fields, "CallSid"), fields.get("From", ""), required(fields, "To"))
        if self._confirms(request, webhook, reply) or self._fallback_call_url is None:
            return REJECTED_CALL
        return twiml_response(redirect_verb(self._fallback_call_url))

    def _verified(self, request: HttpRequest, known: Mapping[str, Field]) -> Webhook:
        return verified_webhook(request, self._base_url(), self._account, known)

    def _confirms(self, request: HttpRequest, webhook: Webhook, reply: InboundReply) -> bool:
        if webhook.ambiguous:
            request.journal.note(inbound=reply.sid, ignored="ambiguous")
            return False
        return confirm_by_reply(self._service(), reply, request.journal)
