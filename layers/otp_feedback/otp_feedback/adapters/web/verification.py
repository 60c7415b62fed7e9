"""The callers' routes of one verification."""

from otp_feedback.adapters.web.request import HttpRequest
from otp_feedback.adapters.web.response import Response, json_response
from otp_feedback.adapters.web.wire import (
    CancelBody,
    CanceledAnswer,
    CheckBody,
    ConfirmBody,
    ConfirmedAnswer,
    VerificationView,
)
from otp_feedback.usecases.confirm import cancel, check, confirm_by_caller
from otp_feedback.usecases.ports import Service
from otp_feedback.usecases.show import show


class VerificationRoutes:
    """What a caller can ask of a verification that it started."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def show(self, request: HttpRequest) -> Response:
        """Show it."""
        verification = show(self._service.verifications, request.verification_id)
        return json_response(200, VerificationView.of(verification, self._service.clock()))

    def check(self, request: HttpRequest) -> Response:
        """Confirm it by a secret."""
        verification_id, body = request.about_verification(CheckBody)
        guess, expect = body.guess(), body.expectation()
        confirmed = check(self._service, verification_id, guess, request.journal, expect=expect)
        return json_response(200, ConfirmedAnswer.of(confirmed))

    def confirm(self, request: HttpRequest) -> Response:
        """Confirm it by the caller's word."""
        verification_id, body = request.about_verification(ConfirmBody)
        confirmed = confirm_by_caller(self._service, verification_id, body.message, request.journal)
        return json_response(200, ConfirmedAnswer.of(confirmed))

    def cancel(self, request: HttpRequest) -> Response:
        """Cancel it."""
        verification_id, _ = request.about_verification(CancelBody)
        return json_response(
            200, CanceledAnswer(cancel(self._service, verification_id, request.journal).verification_id)
        )
