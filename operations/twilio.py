"""Twilio's account, numbers and Messaging Services: what connecting and checking a stack needs of them."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from operations.errors import OperationError
from operations.stack import DeployedStack
from operations.web import web_client
from otp_feedback.adapters.twilio.client import api_base_url

TIMEOUT_S = 15.0
TEST_CREDENTIALS = 20008
"""https://www.twilio.com/docs/api/errors/20008"""


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials of a Twilio account; none of them prints.

    Parameters
    ----------
    api_key_sid, api_key_secret
        Both or none.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    api_key_sid: str | None = None
    api_key_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where Twilio's two APIs are, without a slash at the end."""

    api: str
    messaging: str

    @classmethod
    def of(cls, stack: DeployedStack, override: str | None) -> "Addresses":
        """The addresses that a stack uses; `override` stands for both of them.

        https://www.twilio.com/docs/global-infrastructure/api-domain-names
        """
        override = override or stack.text("TwilioBaseUrl") or None
        if override is not None:
            return cls(override.rstrip("/"), override.rstrip("/"))
        region, edge = stack.text("TwilioRegion"), stack.text("TwilioEdge")
        messaging = f"https://messaging.{edge}.{region}.twilio.com" if region and edge else None
        return cls(api_base_url(region, edge, None), messaging or "https://messaging.twilio.com")


class TwilioRefused(OperationError):
    """Twilio answered with an error.

    Parameters
    ----------
    status
        The HTTP status.
    code
        Twilio's error code, where the answer held one.
    """

    def __init__(self, message: str, status: int, code: int | None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as Twilio shows it (`active`, `suspended` or `closed`; `Trial` or `Full`)."""

    status: str
    kind: str


class TwilioAccount:
    """A Twilio account's REST API, for one login. A context manager.

    Parameters
    ----------
    wall_clock
        Epoch seconds.
    """

    def __init__(self, login: Login, addresses: Addresses, wall_clock: Callable[[], float] = time.time) -> None:
        self._login = login
        self._addresses = addresses
        self._wall_clock = wall_clock
        self._http = web_client(TIMEOUT_S)
        self.clock_skew_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def state(self) -> AccountState:
        """What state the account is in; notes how far this machine's clock is ahead of Twilio's in `clock_skew_s`.

        https://www.twilio.com/docs/iam/api/account
        """
        document = self._get(self._api(".json"))
        return AccountState(str(document.get("status", "")), str(document.get("type", "")))

    def try_api_key(self) -> None:
        """Use the API key as the functions do. A standard key may not read the account itself, but its messages.

        https://www.twilio.com/docs/iam/api-keys
        """
        self._request(
            "GET",
            self._api("/Messages.json"),
            {"PageSize": "1"},
            auth=(self._login.api_key_sid or "", self._login.api_key_secret or ""),
        )

    def number(self, e164: str) -> Mapping[str, Any] | None:
        """The account's IncomingPhoneNumber of exactly this number; None where it has none.

        https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
        """
        # Twilio matches parts of numbers.
        found = self._numbers({"PhoneNumber": e164, "PageSize": "1000"})
        return next((number for number in found if number.get("phone_number") == e164), None)

    def numbers(self) -> Mapping[str, Mapping[str, Any]]:
        """All of the account's numbers by SID."""
        return {str(number["sid"]): number for number in self._numbers({"PageSize": "1000"})}

    def service(self, sid: str) -> Mapping[str, Any] | None:
        """A Messaging Service; None where the account has none of this SID.

        https://www.twilio.com/docs/messaging/api/service-resource
        """
        try:
            return self._get(self.service_url(sid))
        except TwilioRefused as refused:
            if refused.status == 404:
                return None
            raise

    def pool(self, service_sid: str) -> list[Mapping[str, Any]]:
        """The numbers of a Messaging Service's sender pool.

        https://www.twilio.com/docs/messaging/api/phonenumber-resource
        """
        return list(
            self._pages(
                f"{self.service_url(service_sid)}/PhoneNumbers",
                "phone_numbers",
                lambda document: (document.get("meta") or {}).get("next_page_url"),
                {"PageSize": "100"},
            )
        )

    def number_url(self, sid: str) -> str:
        """The address of an IncomingPhoneNumber."""
        return self._api(f"/IncomingPhoneNumbers/{sid}.json")

    def service_url(self, sid: str) -> str:
        """The address of a Messaging Service."""
        return f"{self._addresses.messaging}/v1/Services/{sid}"

    def update(self, url: str, fields: Mapping[str, str]) -> None:
        """Change a resource."""
        self._request("POST", url, form=fields)

    def _numbers(self, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        return self._pages(
            self._api("/IncomingPhoneNumbers.json"),
            "incoming_phone_numbers",
            lambda document: document.get("next_page_uri"),
            query,
        )

    def _pages(
        self, url: str, name: str, following: Callable[[Mapping[str, Any]], Any], query: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        document = self._get(url, query)
        yield from document.get(name) or ()
        while reference := following(document):
            # Only the path is followed, so that the credentials go nowhere else.
            document = self._get(urljoin(url, httpx.URL(str(reference)).raw_path.decode()))
            yield from document.get(name) or ()

    def _api(self, path: str) -> str:
        return f"{self._addresses.api}/2010-04-01/Accounts/{self._login.account_sid}{path}"

    def _get(self, url: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        return self._request("GET", url, query)

    def _request(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Mapping[str, Any]:
        login = auth or (self._login.account_sid, self._login.auth_token)
        try:
            response = self._http.request(method, url, params=query, data=form, auth=login)
        except httpx.TransportError as error:
            raise OperationError(f"Twilio cannot be reached ({type(error).__name__}): check the network.") from error
        self._note_skew(response)
        document = _document(response)
        if not response.is_success:
            raise _refusal(response.status_code, document)
        return document

    def _note_skew(self, response: httpx.Response) -> None:
        try:
            told = parsedate_to_datetime(response.headers.get("Date", ""))
        except ValueError:
            return
        self.clock_skew_s = self._wall_clock() - told.timestamp()


def _document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _refusal(status: int, document: Mapping[str, Any]) -> TwilioRefused:
    code = document.get("code")
    code = code if isinstance(code, int) else None
    if code == TEST_CREDENTIALS:
        words = "These are Twilio's test credentials, which can neither be called back nor report: use the live ones."
    elif status == 401:
        words = "Twilio does not accept these credentials: check the account SID, the token, and the Twilio region."
    elif status == 403:
        words = "Twilio does not let these credentials do this: an API key needs to create, read and update messages."
    elif status == 404:
        words = "Twilio has no such resource in this account."
    else:
        words = f"Twilio answered with status {status}: try again later."
    return TwilioRefused(words if code is None else f"{words} (Twilio error {code})", status, code)
