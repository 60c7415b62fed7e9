"""The forms of numbers and of Twilio's SIDs, as regular expressions for whole texts; each stands here alone.

Twilio writes SIDs in lower case (https://www.twilio.com/docs/glossary/what-is-a-sid); where people enter them, capitals
are taken, too.
"""

from typing import Final

E164: Final = r"\+[1-9][0-9]{6,14}"
"""ITU-T E.164: `+`, no leading zero, 7 to 15 digits."""

MESSAGE_SID: Final = "(SM|MM)[0-9a-f]{32}"
CALL_SID: Final = "CA[0-9a-f]{32}"

ACCOUNT_SID: Final = "AC[0-9a-fA-F]{32}"
API_KEY_SID: Final = "SK[0-9a-fA-F]{32}"
MESSAGING_SERVICE_SID: Final = "MG[0-9a-fA-F]{32}"
CONTENT_SID: Final = "HX[0-9a-fA-F]{32}"
