"""The keys from the stack's secret, and what they make: MACs and digests."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from otp_feedback.domain.errors import ConfigurationError
from otp_feedback.domain.ids import decode_id
from otp_feedback.domain.phone import subscriber
from otp_feedback.domain.secret import Secret

DERIVED_MAC_KEY_ID = "0"


_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)  # stored with each message, whose record must stay small


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
        Never rotates. For recipients, ids that follow from an Idempotency-Key, and fingerprints.
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
        """A keyed digest, by which something is found again without being stored: 32 bytes."""
        return _hmac(self.index_key, purpose, *parts)

    def recipient(self, e164: str) -> bytes:
        """The keyed digest under which a subscriber's budgets are kept, whichever form of the number is given."""
        return self.recipient_as_spelt(subscriber(e164))

    def recipient_as_spelt(self, e164: str) -> bytes:
        """The keyed digest of this one form of a number, under which an earlier version may have kept budgets."""
        return self.index("recipient", e164)

    def matching(self, verification_id: str, macs: Mapping[int, Mac], guess: Secret) -> frozenset[int]:
        """The messages whose secret is the guess.

        Every message is compared in constant time, expired ones too, so that timing tells a guesser nothing.
        A MAC under an unknown key matches nothing; see `unknown_key_ids`.
        """
        found = set()
        for number, mac in macs.items():
            key = self.mac_keys.get(mac.key_id, b"")
            equal = hmac.compare_digest(_secret_digest(key, verification_id, number, guess), mac.digest)
            if equal and key:
                found.add(number)
        return frozenset(found)

    def unknown_key_ids(self, macs: Iterable[Mac]) -> frozenset[str]:
        """The ids of those MACs' keys that are missing here."""
        return frozenset(mac.key_id for mac in macs) - self.mac_keys.keys()


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
