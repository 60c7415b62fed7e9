"""Windows by their slots, and how limit keys are counted. The store's tests compare them with an oracle."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain.recipient import DAY_MS, HOUR_MS, Limits, Windows, canonical_limit_key, replied_to, send_holder


def test_each_slot_has_the_longest_window_that_it_stands_for():
    assert dict(Windows(30, 5, 10).by_slot()) == {0: 30_000, 4: HOUR_MS, 9: DAY_MS}
    assert dict(Windows(30, 1, 10).by_slot()) == {0: HOUR_MS, 9: DAY_MS}
    assert dict(Windows(30, 5, 5).by_slot()) == {0: 30_000, 4: DAY_MS}
    assert dict(Windows(0, 1, 1).by_slot()) == {0: DAY_MS}


def test_a_window_of_no_length_is_left_out():
    assert dict(Windows(0, 5, 10).by_slot()) == {4: HOUR_MS, 9: DAY_MS}
    assert Windows(0, 5, 10).wait_ms((100_000,), 100_000) == 0


@pytest.mark.parametrize(
    ("times", "now", "wait"),
    [
        ((), 0, 0),
        ((100_000,), 100_000, 30_000),
        ((100_000,), 129_999, 1),
        ((100_000,), 130_000, 0),
        ((500_000, 400_000, 300_000, 200_000, 100_000), 600_000, 100_000 + HOUR_MS - 600_000),
        ((500_000, 400_000, 300_000, 200_000), 600_000, 0),
    ],
)
def test_the_wait_is_until_the_last_window_opens(times: tuple[int, ...], now: int, wait: int):
    assert Windows(30, 5, 10).wait_ms(times, now) == wait


def test_the_failures_that_block_are_below_the_norms_ceiling_by_the_guesses_under_way():
    assert Limits().max_failures == 75
    assert Limits(recipient=Windows(30, 10, 10), max_attempts=5).max_failures == 50


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        (" 198.51.100.7 ", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("::FFFF:C633:6407", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("session-17", "session-17"),
        (" session ", "session"),
        ("198.51.100.007", "198.51.100.007"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("", ""),
        ("198.51.100.7:443", "198.51.100.7"),
        ("198.51.100.7:0", "198.51.100.7"),
        ("[2001:db8:1:2::9]:65535", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("[fe80::1%25eth0]:80", "fe80::/64"),
        ("::ffff:198.51.100.7:443", "198.51.100.7"),
        ("[::ffff:198.51.100.7]:443", "198.51.100.7"),
        ("64:ff9b::198.51.100.7", "198.51.100.7"),
        ("64:ff9b::c633:6407", "198.51.100.7"),
        ("::198.51.100.7", "198.51.100.7"),
        ("::ffff:0:198.51.100.7", "198.51.100.7"),
        ("2002:c633:6407:1::2", "198.51.100.7"),
        ("2001:0:4136:e378:8000:63bf:39cc:9bf8", "198.51.100.7"),
        ("64:ff9b:1::c633:6407", "64:ff9b:1::c633:6407"),
        ("64:FF9B:1:C633:64:700::", "64:ff9b:1:c633:64:700::"),
        ("198.51.100.7:", "198.51.100.7:"),
        ("198.51.100.7:123456", "198.51.100.7:123456"),
        ("198.51.100.7:a", "198.51.100.7:a"),
        ("session:443", "session:443"),
        ("[session]", "[session]"),
        ("user-17:", "user-17:"),
    ],
)
def test_an_address_counts_as_whom_it_belongs_to(text: str, counted: str):
    assert canonical_limit_key(text) == counted


CLOTHES = ("{}", "{}:443", "[{}]", "::ffff:{}", "[::ffff:{}]:443", "64:ff9b::{}", "::ffff:0:{}", "::{}")


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.sampled_from(CLOTHES))
def test_two_ipv4_addresses_never_share_a_key_not_even_in_ipv6_clothing(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address, clothes: str
):
    assert (canonical_limit_key(str(one)) == canonical_limit_key(clothes.format(other))) is (one == other)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 2**80 - 1))
def test_a_6to4_network_counts_as_the_ipv4_address_that_holds_it(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address, rest: int
):
    tunneled = ipaddress.IPv6Address((0x2002 << 112) + (int(other) << 80) + rest)
    assert (canonical_limit_key(str(one)) == canonical_limit_key(str(tunneled))) is (one == other)


@given(st.integers(0x2003 << 48, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_the_addresses_of_a_64_share_one_key(network: int, one: int, other: int):
    addresses = [ipaddress.IPv6Address((network << 64) + host) for host in (one, other)]
    assert len({canonical_limit_key(str(address)) for address in addresses}) == 1


def test_a_holder_names_the_message_and_whether_a_reply_is_awaited():
    assert send_holder("abc", 2, awaits_reply=False) == "abc#2"
    assert replied_to(send_holder("abc", 2, awaits_reply=False)) is None
    assert replied_to(send_holder("abc", 2, awaits_reply=True)) == "abc"
