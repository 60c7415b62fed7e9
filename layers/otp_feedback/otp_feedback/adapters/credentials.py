"""What Twilio is called with: the stack's secret holds it, and Twilio's client uses it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TwilioCredentials:
    """What requests are authorised with; nothing of it prints.

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
