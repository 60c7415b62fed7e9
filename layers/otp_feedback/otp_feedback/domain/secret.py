"""Secrets: what messages carry, and how they are made."""

from typing import override

from otp_feedback.domain.ids import RandomBytes

LINK_SECRET_BYTES = 16
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"


class Secret:
    """A code, temporary password or link secret that must not be printed by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the plain text, only for a message's body and for MACs."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


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


def _uniform(bound: int, random_bytes: RandomBytes) -> int:
    """A number below `bound`, all equally likely: draws that would favour low numbers are repeated."""
    limit = (1 << 64) - (1 << 64) % bound
    while (number := int.from_bytes(random_bytes(8))) >= limit:
        pass
    return number % bound
