"""TwiML, the form of answers to Twilio (https://www.twilio.com/docs/messaging/twiml)."""

from html import escape

from otp_feedback.adapters.web.response import Response


def twiml_response(verbs: str = "") -> Response:
    """Verbs as a response; without any, Twilio does nothing."""
    return Response(
        200, f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>', "text/xml; charset=utf-8"
    )


def redirect_verb(url: str) -> str:
    """TwiML that hands an inbound message or call on."""
    return f'<Redirect method="POST">{escape(url)}</Redirect>'


REJECTED_CALL = twiml_response('<Reject reason="busy"/>')
"""Ends a call unanswered, which is not billed (https://www.twilio.com/docs/voice/twiml/reject)."""
