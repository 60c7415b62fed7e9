"""TwiML, with which Twilio is answered (https://www.twilio.com/docs/messaging/twiml)."""

from html import escape

from otp_feedback.adapters.web.problems import Response


def twiml_response(verbs: str = "") -> Response:
    """TwiML (https://www.twilio.com/docs/messaging/twiml) as a response."""
    return Response(
        200, f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>', "text/xml; charset=utf-8"
    )


def redirect_verb(url: str) -> str:
    """TwiML that hands an inbound message or call on."""
    return f'<Redirect method="POST">{escape(url)}</Redirect>'
