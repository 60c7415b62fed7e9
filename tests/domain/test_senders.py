"""Which address is answered by what came from which sender."""

import pytest

from otp_feedback.domain.senders import is_reached_at

SERVICE = "MG" + "2" * 32


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ("+14155550100", "+14155550100"),
        ("+14155550100", "rcs:+14155550100"),
        ("+14155550100", "whatsapp:+14155550100"),
        ("whatsapp:+14155550100", "whatsapp:+14155550100"),
        ("whatsapp:+525512345678", "whatsapp:+5215512345678"),
        ("whatsapp:+5215512345678", "whatsapp:+525512345678"),
        ("+541112345678", "+5491112345678"),
        ("rcs:brand_agent", "rcs:brand_agent"),
        ("RCS:+14155550100", "rcs:+14155550100"),
    ],
)
def test_a_sender_is_reached_at_its_number_in_either_form_and_by_its_channel(sender: str, address: str):
    assert is_reached_at(sender, address)


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ("+14155550100", "+14155550101"),
        ("+14155550100", "client:+14155550100"),
        ("+14155550100", "sip:+14155550100"),
        ("+14155550100", ""),
        ("whatsapp:+14155550100", "+14155550100"),
        ("whatsapp:+14155550100", "rcs:+14155550100"),
        ("rcs:brand_agent", "rcs:other_agent"),
        ("rcs:brand_agent", "+14155550100"),
        ("Acme", "+14155550100"),
        (SERVICE, "+14155550100"),
        ("", "Acme"),
    ],
)
def test_a_sender_is_reached_nowhere_else(sender: str, address: str):
    assert not is_reached_at(sender, address)
