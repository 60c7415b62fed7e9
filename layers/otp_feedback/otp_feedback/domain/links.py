"""The id in a link: it carries verification, message and secret."""

import string

from otp_feedback.domain.ids import ID_BYTES, decode_id, encode_id
from otp_feedback.domain.secret import LINK_SECRET_BYTES, Secret
from otp_feedback.domain.verification import MESSAGE_NUMBERS

_BASE62 = string.digits + string.ascii_lowercase + string.ascii_uppercase


_HALF_LINK_ID = 22


def link_id(verification_id: str, number: int, secret: Secret) -> str:
    """The id in a link: base62 of the verification id, then of message number ‖ secret, 22 digits each.

    It has only letters and digits: phones' link finders drop a hyphen at the end, and some carriers mangle `_`.

    Raises
    ------
    ValueError
        No link can carry them.
    """
    raw, value = decode_id(verification_id), bytes.fromhex(secret.reveal())
    if raw is None or len(raw) != ID_BYTES:
        raise ValueError("verification_id is not base64url of 16 bytes")
    if number not in MESSAGE_NUMBERS or len(value) != LINK_SECRET_BYTES:
        raise ValueError("a link carries a number from 1 to 3 and 16 bytes")
    return _base62(raw) + _base62(bytes([number]) + value)


def parse_link_id(text: str) -> tuple[str, Secret] | None:
    """The verification id and secret that a link's id carries; None if it is no such id.

    Earlier links carry base64url(verification id ‖ message number ‖ secret). No text is both: at the 23rd character,
    which holds the number, the earlier ones have `E` to `P`, base62 has `7` to `v`.
    """
    for raw in (_parse_base62(text), decode_id(text)):
        if raw is not None and len(raw) == ID_BYTES + 1 + LINK_SECRET_BYTES and raw[ID_BYTES] in MESSAGE_NUMBERS:
            return encode_id(raw[:ID_BYTES]), Secret(raw[ID_BYTES + 1 :].hex())
    return None


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
