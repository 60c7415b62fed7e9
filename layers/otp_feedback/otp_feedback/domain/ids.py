"""Ids of 128 bits and more, as text."""

import base64
import binascii
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]
"""A cryptographic source: so many random bytes (`secrets.token_bytes`)."""


ID_BYTES = 16


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


def is_verification_id(text: str) -> bool:
    """Whether the text has the form of a verification id."""
    raw = decode_id(text)
    return raw is not None and len(raw) == ID_BYTES
