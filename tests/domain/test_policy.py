"""What follows from a stack's choices."""

from otp_feedback.domain.policy import Policy

POLICY = Policy("Acme", "+14155550100")


def test_a_record_goes_a_week_after_it_was_written():
    assert POLICY.record_ttl(1_800_000_000_999) == 1_800_000_000 + 604_800


def test_a_stack_may_keep_its_records_for_another_time():
    assert Policy("Acme", "+14155550100", record_days=1).record_ttl(0) == 86_400


def test_the_default_sender_is_always_one_of_the_senders():
    assert POLICY.senders == {"+14155550100"}
    allowed = Policy("Acme", "+14155550100", allowed_senders=frozenset({"Acme"}))
    assert allowed.senders == {"+14155550100", "Acme"}
