"""Twilio's credentials: the stack's secret holds them, and Twilio's client uses them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TwilioCredentials:
    """What authorises requests to Twilio; its repr shows nothing.

    Parameters
    ----------
    account_sid
        The account, `AC…`; it stands in every path.
    username, password
        An API key's SID `SK…` and its secret, or the account's SID and its auth token.
    """

    account_sid: str = field(repr=False)
    username: str = field(repr=False)
    password: str = field(repr=False)
