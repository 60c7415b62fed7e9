"""The doctor's checks of the API, from the outside."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from operations.errors import OperationError
from operations.findings import Finding, failed, judged, noted, passed
from operations.stack import DeployedStack
from operations.twilio import Login
from operations.web import web_client
from otp_feedback.adapters.twilio.signature import sign
from otp_feedback.domain.ids import ID_BYTES, new_verification_id

TIMEOUT_S = 30.0
"""API Gateway's own, so that a cold start is waited for."""

UNKNOWN = "urn:otp-feedback:unknown-verification"
SEE_LOGS = "see what the function says: make logs"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs the command.

    Parameters
    ----------
    credentials
        botocore's.
    """

    credentials: Any = field(repr=False)
    region: str


def check_api(stack: DeployedStack, caller: Caller | None, login: Login | None) -> Iterator[Finding]:
    """That the API answers whom it should, and nobody else.

    Each request names a verification that does not exist, so that none can change anything.

    Parameters
    ----------
    caller
        None where callers bring tokens.
    login
        What Twilio's callbacks are signed with; None where the stack has none yet.
    """
    with web_client(TIMEOUT_S) as http:
        try:
            yield _check_page(http, stack.base_url)
            yield from _check_callers(http, stack.base_url, caller)
            if login is not None:
                yield from _check_callback(http, stack.base_url, login)
        except httpx.TransportError as error:
            raise OperationError(
                f"{stack.base_url} cannot be reached ({type(error).__name__}): check the domain's DNS and certificate."
            ) from error


def _check_page(http: httpx.Client, base_url: str) -> Finding:
    """Without a link's id the page says that nothing can be confirmed, whatever the stack chose."""
    response = http.get(f"{base_url}/confirm")
    return judged(
        response.status_code == 400 and response.headers.get("Content-Type", "").startswith("text/html"),
        "the public page is there",
        f"the public page answers with status {response.status_code}",
        SEE_LOGS,
    )


def _check_callers(http: httpx.Client, base_url: str, caller: Caller | None) -> Iterator[Finding]:
    url = f"{base_url}/verifications/{_nowhere()}"
    status = http.get(url).status_code
    yield judged(
        status in {401, 403},
        "callers' routes refuse the unsigned",
        f"callers' routes answer an unsigned request with status {status}",
        "the routes have lost their authorisation: docs/operations.md, 'Drift'",
    )
    if caller is None:
        yield noted("callers bring tokens, so yours is not tried")
        return
    response = http.get(url, headers=_signed("GET", url, caller))
    if response.status_code == 403:
        yield failed("your AWS role may not call the API", "allow it execute-api:Invoke on the API (output ApiId)")
    else:
        yield judged(
            response.status_code == 404 and _problem(response) == UNKNOWN,
            "your AWS role may call the API, and it reads the table",
            f"a signed request is answered with status {response.status_code}",
            SEE_LOGS,
        )


def _check_callback(http: httpx.Client, base_url: str, login: Login) -> Iterator[Finding]:
    url = f"{base_url}/twilio/status?{urlencode({'verification': _nowhere(), 'message': '1'})}"
    # No final status: where texts are redacted, one would have this message looked for at Twilio.
    form = {"AccountSid": login.account_sid, "MessageSid": f"SM{secrets.token_hex(16)}", "MessageStatus": "queued"}
    forged = http.post(url, data=form, headers={"X-Twilio-Signature": sign(url, [], "forged")})
    yield judged(
        forged.status_code == 403,
        "forged callbacks are refused",
        f"a forged callback is answered with status {forged.status_code}",
        SEE_LOGS,
    )
    signed = http.post(url, data=form, headers={"X-Twilio-Signature": sign(url, list(form.items()), login.auth_token)})
    if signed.is_success:
        yield passed("callbacks signed with the auth token are accepted")
    elif signed.status_code == 403:
        yield failed(
            "callbacks signed with the auth token are refused",
            "after connecting wait five minutes; else the public address is another one than the functions know: "
            "check PublicBaseUrl and CustomDomain",
        )
    else:
        yield failed(f"a signed callback is answered with status {signed.status_code}", SEE_LOGS)


def _nowhere() -> str:
    """The id of a verification that does not exist."""
    return new_verification_id(lambda _: secrets.token_bytes(ID_BYTES))


def _signed(method: str, url: str, caller: Caller) -> dict[str, str]:
    request = AWSRequest(method=method, url=url)
    SigV4Auth(caller.credentials, "execute-api", caller.region).add_auth(request)
    return dict(request.headers.items())


def _problem(response: httpx.Response) -> str:
    try:
        document = response.json()
    except ValueError:
        return ""
    return str(document.get("type", "")) if isinstance(document, dict) else ""
