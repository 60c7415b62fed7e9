"""Secrets, their MACs, and the ids that carry them."""

import base64
import binascii
import hashlib
import hmac
import re
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import override

from otp_feedback.domain.errors import ConfigurationError

RandomBytes = Callable[[int], bytes]
"""A cryptographic source: so many random bytes (`secrets.token_bytes`)."""

ID_BYTES = 16
LINK_SECRET_BYTES = 16
DERIVED_MAC_KEY_ID = "0"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)  # stored with each message, whose record must stay small
_BASE62 = string.digits + string.ascii_lowercase + string.ascii_uppercase
_HALF_LINK_ID = 22
_LINK_NUMBERS = range(1, 4)
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"


class Secret:
    """A code, temporary password or link secret that must not be printed by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the plain text; for the message's body and for MACs alone."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Mac:
    """What is stored of a secret.

    Parameters
    ----------
    key_id
        The MAC key that made it.
    digest
        32 bytes of HMAC-SHA256.
    """

    key_id: str
    digest: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The keys that come from the stack's secret.

    Parameters
    ----------
    index_key
        Never rotates: recipients, ids derived from an Idempotency-Key, fingerprints.
    mac_keys
        By id; all of them are accepted.
    mac_key_id
        The one that makes new MACs.
    """

    index_key: bytes
    mac_keys: Mapping[str, bytes]
    mac_key_id: str

    @classmethod
    def derive(cls, root: str, mac_keys: Mapping[str, str] | None = None, mac_key_id: str | None = None) -> "Keys":
        """Make the keys of a stack.

        Parameters
        ----------
        root
            The random string that the stack's secret was made with.
        mac_keys
            Rotated MAC keys by id (1 to 16 characters), base64url of 32 bytes each; beside them the key `0`, derived
            from the root, stays.
        mac_key_id
            The one that makes new MACs; the derived one by default.

        Raises
        ------
        ConfigurationError
            The root is shorter than 32 characters, a key is malformed, or `mac_key_id` names none of them.
        """
        if len(root) < 32:
            raise ConfigurationError("root", "must have at least 32 characters")
        keys = {DERIVED_MAC_KEY_ID: _derive(root, b"mac")}
        for key_id, text in (mac_keys or {}).items():
            if not _KEY_ID.fullmatch(key_id):
                raise ConfigurationError("mac_keys", "each id must be 1 to 16 of A-Z a-z 0-9 _ -")
            keys[key_id] = _decode_key(text)
        current = mac_key_id or DERIVED_MAC_KEY_ID
        if current not in keys:
            raise ConfigurationError("mac_key_id", "names none of mac_keys")
        return cls(_derive(root, b"index"), MappingProxyType(keys), current)

    def mac(self, verification_id: str, number: int, secret: Secret) -> Mac:
        """The MAC of a message's secret under the current key."""
        return Mac(self.mac_key_id, _secret_digest(self.mac_keys[self.mac_key_id], verification_id, number, secret))

    def index(self, purpose: str, *parts: str) -> bytes:
        """A keyed digest that finds something again without storing it: 32 bytes."""
        return _hmac(self.index_key, purpose, *parts)

    def matching(self, verification_id: str, macs: Mapping[int, Mac], guess: Secret) -> frozenset[int]:
        """The messages whose secret is the guess.

        Every message is compared, in constant time, expired ones included, so that timing tells a guesser nothing.
        A MAC under a key that is not here matches nothing; see `unknown_key_ids`.
        """
        found = set()
        for number, mac in macs.items():
            key = self.mac_keys.get(mac.key_id, b"")
            equal = hmac.compare_digest(_secret_digest(key, verification_id, number, guess), mac.digest)
            if equal and key:
                found.add(number)
        return frozenset(found)

    def unknown_key_ids(self, macs: Iterable[Mac]) -> frozenset[str]:
        """Key ids among the MACs that these keys do not hold."""
        return frozenset(mac.key_id for mac in macs) - self.mac_keys.keys()


def generate_code(digits: int, random_bytes: RandomBytes) -> Secret:
    """A numeric code, uniform, leading zeros kept (NIST SP 800-63B-4 §3.1.3.2: at least six digits).

    Parameters
    ----------
    digits
        How many, 6 to 10.
    """
    return Secret(f"{_uniform(10**digits, random_bytes):0{digits}d}")


def generate_password(random_bytes: RandomBytes) -> Secret:
    """A temporary password: 13 symbols without look-alikes, 64 bits, in three groups."""
    return Secret(password_spelling("".join(READABLE[_uniform(len(READABLE), random_bytes)] for _ in range(13))))


def password_spelling(symbols: str) -> str:
    """A temporary password as it is sent: 4, 4 and the other symbols, with hyphens between."""
    return f"{symbols[:4]}-{symbols[4:8]}-{symbols[8:]}"


def generate_link_secret(random_bytes: RandomBytes) -> Secret:
    """The secret of a link: 128 random bits, hex."""
    return Secret(random_bytes(LINK_SECRET_BYTES).hex())


def new_verification_id(random_bytes: RandomBytes) -> str:
    """128 random bits, base64url without padding: 22 characters."""
    return encode_id(random_bytes(ID_BYTES))


def encode_id(raw: bytes) -> str:
    """base64url (RFC 4648 §5) without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_id(text: str) -> bytes | None:
    """The bytes of a canonical unpadded base64url text; None for anything else."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if encode_id(raw) == text else None


def link_id(verification_id: str, number: int, secret: Secret) -> str:
    """The id in a link: base62 of the verification id, then of message number ‖ secret, 22 digits each.

    Phones' link finders drop a hyphen at the end, and some carriers mangle `_`: so nothing but letters and digits.

    Raises
    ------
    ValueError
        No link can carry them.
    """
    raw, value = decode_id(verification_id), bytes.fromhex(secret.reveal())
    if raw is None or len(raw) != ID_BYTES:
        raise ValueError("verification_id is not base64url of 16 bytes")
    if number not in _LINK_NUMBERS or len(value) != LINK_SECRET_BYTES:
        raise ValueError("a link carries a number from 1 to 3 and 16 bytes")
    return _base62(raw) + _base62(bytes([number]) + value)


def parse_link_id(text: str) -> tuple[str, Secret] | None:
    """The verification id and secret that a link's id carries; None where it is no such id.

    Links of before carry base64url(verification id ‖ message number ‖ secret). No text is both: at the 23rd character,
    which holds the number, those have `E` to `P`, and base62 has `7` to `v`.
    """
    for raw in (_parse_base62(text), decode_id(text)):
        if raw is not None and len(raw) == ID_BYTES + 1 + LINK_SECRET_BYTES and raw[ID_BYTES] in _LINK_NUMBERS:
            return encode_id(raw[:ID_BYTES]), Secret(raw[ID_BYTES + 1 :].hex())
    return None


def is_verification_id(text: str) -> bool:
    """Whether the text has the form of a verification id."""
    raw = decode_id(text)
    return raw is not None and len(raw) == ID_BYTES


def _base62(raw: bytes) -> str:
    """Half a link's id: 22 digits hold 16 bytes and a number up to 6."""
    digits, rest = "", int.from_bytes(raw)
    for _ in range(_HALF_LINK_ID):
        rest, digit = divmod(rest, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits


def _parse_base62(text: str) -> bytes | None:
    """Both halves' bytes; None where they are not what `_base62` makes."""
    if len(text) != 2 * _HALF_LINK_ID or not set(text) <= set(_BASE62):
        return None
    first, second = 0, 0
    for one, other in zip(text[:_HALF_LINK_ID], text[_HALF_LINK_ID:], strict=True):
        first = first * len(_BASE62) + _BASE62.index(one)
        second = second * len(_BASE62) + _BASE62.index(other)
    if first.bit_length() > 8 * ID_BYTES:
        return None
    return first.to_bytes(ID_BYTES) + second.to_bytes(1 + LINK_SECRET_BYTES)


def _uniform(bound: int, random_bytes: RandomBytes) -> int:
    """A number below `bound`, each as likely as the other: what would favour the low ones is drawn again."""
    limit = (1 << 64) - (1 << 64) % bound
    while (number := int.from_bytes(random_bytes(8))) >= limit:
        pass
    return number % bound


def _secret_digest(key: bytes, verification_id: str, number: int, secret: Secret) -> bytes:
    return _hmac(key, "secret", verification_id, str(number), secret.reveal())


def _hmac(key: bytes, *parts: str) -> bytes:
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        mac.update(len(raw).to_bytes(4))
        mac.update(raw)
    return mac.digest()


def _derive(root: str, purpose: bytes) -> bytes:
    return hmac.new(root.encode(), b"otp-feedback/" + purpose, hashlib.sha256).digest()


def _decode_key(text: str) -> bytes:
    raw = decode_id(text.rstrip("="))
    if raw is None or len(raw) != 32:
        raise ConfigurationError("mac_keys", "each must be base64url of 32 bytes")
    return raw
