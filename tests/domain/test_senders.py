"""Which address is answered by what came from which sender."""

import pytest

from otp_feedback.domain.senders import is_messaging_service, is_reached_at, is_whatsapp, takes_replies

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


@pytest.mark.parametrize("sender", ["+14155550100", "whatsapp:+14155550100", SERVICE])
def test_who_has_a_number_can_be_answered(sender: str):
    assert takes_replies(sender)


@pytest.mark.parametrize("sender", ["Acme", "MG2", f"{SERVICE}2", "rcs:brand_agent"])
def test_a_name_cannot(sender: str):
    assert not takes_replies(sender)


def test_senders_are_told_by_their_form():
    assert [is_messaging_service(each) for each in (SERVICE, "+14155550100", f"x{SERVICE}")] == [True, False, False]
    assert [is_whatsapp(each) for each in ("whatsapp:+14155550100", "+14155550100")] == [True, False]
