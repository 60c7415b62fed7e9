"""Twilio's webhook signature.

https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hmac
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus, unquote_to_bytes

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<userinfo>[^/?#]*@)?(?P<host>\[[^\]/?#]*\]|[^:/?#@]+)(:(?P<port>[0-9]*))?(?P<rest>[/?].*|)",
    re.IGNORECASE | re.DOTALL,
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def sign(url: str, form: Sequence[tuple[str, str]], token: str) -> str:
    """The `X-Twilio-Signature` of a request.

    Parameters
    ----------
    url
        As requested, with its query still percent-encoded; a fragment is left out.
    form
        The decoded body, blank values and repeated names included; empty for a GET.
    token
        The account's primary auth token, never an API key's secret.
    """
    signed = (url.partition("#")[0] + joined(form)).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(token.encode(), signed, "sha1")).decode()


def joined(form: Sequence[tuple[str, str]]) -> str:
    """A form as it is signed: names and values in the order of the names, with nothing between them."""
    values: dict[str, set[str]] = {}
    for name, value in form:
        values.setdefault(name, set()).add(value)
    return "".join(name + value for name in sorted(values) for value in sorted(values[name]))


def signature_is_valid(url: str, form: Sequence[tuple[str, str]], signature: str, tokens: Sequence[str]) -> bool:
    """Whether Twilio signed a request with one of these tokens.

    Twilio does not always sign the same URL (https://www.twilio.com/docs/usage/webhooks/webhooks-security): the
    port may be there or not, user and password may be left out, and the query may be encoded anew. It was also seen to
    sign a URL as given and to request it with its query sorted (twilio-php #790, twilio-node #1079): the parameters of
    a query may stand the other way round. Each form is tried with each token, always all of them. An empty token signs
    nothing.

    Parameters
    ----------
    url
        The public URL as it was requested, its query still percent-encoded.
    form
        The decoded form; all of its fields, blank ones too.
    signature
        The header.
    tokens
        The auth tokens that count: during a rotation, two.
    """
    given = signature.encode("utf-8", "surrogatepass")
    valid = False
    for token in filter(None, tokens):
        for variant in _variants(url):
            valid |= hmac.compare_digest(sign(variant, form, token).encode(), given)
    return valid


def _variants(url: str) -> Iterator[str]:
    parts = _URL.fullmatch(url.partition("#")[0])
    if parts is None:
        yield url
        return
    scheme, host, rest = parts["scheme"], parts["host"], parts["rest"]
    port = parts["port"] or _DEFAULT_PORTS[scheme.lower()]
    for userinfo in {parts["userinfo"] or "", ""}:
        for authority in (f"{userinfo}{host}", f"{userinfo}{host}:{port}"):
            for path in {rest, _encoded_anew(rest)}:
                for order in {path, _turned_round(path)}:
                    yield f"{scheme}://{authority}{order}"


def _turned_round(rest: str) -> str:
    """A path and query with the parameters in the other order: as given, and sorted, if these differ."""
    path, mark, query = rest.partition("?")
    return path + mark + "&".join(reversed(query.split("&")))


def _encoded_anew(rest: str) -> str:
    """A path and query whose query is encoded as HTML forms are, which some of Twilio's products sign."""
    path, mark, query = rest.partition("?")
    return path + mark + re.sub(r"[^&=]+", _part_encoded_anew, query)


def _part_encoded_anew(part: re.Match[str]) -> str:
    return quote_plus(unquote_to_bytes(part[0].replace("+", " ").encode("utf-8", "surrogatepass")))
