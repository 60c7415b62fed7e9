"""One signature covers every cut of what was signed into names and values: none of them may mean something else.

Here the attacker holds one genuine webhook. He wrote its text, and the name in his profile; he cuts the signed row into
fields as he likes, as long as they sort into the same row again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.adapters.twilio.signature import joined
from otp_feedback.adapters.web.webhooks import CALL, MESSAGE, STATUS, Field, read, required
from otp_feedback.domain.errors import MalformedRequest

SID, OTHER_SID, ORIGINAL = "SM" + "a" * 32, "SM" + "b" * 32, "MM" + "c" * 32
CALL_SID = "CA" + "a" * 32
HIS, VICTIMS, OURS = "+4915112340290", "+4915112340210", "+14155550100"
ACCOUNT = "AC" + "0" * 32

SMS = {
    "AccountSid": ACCOUNT,
    "ApiVersion": "2010-04-01",
    "Body": "yes",
    "From": HIS,
    "FromCity": "BERLIN",
    "FromCountry": "DE",
    "MessageSid": SID,
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsMessageSid": SID,
    "SmsSid": SID,
    "SmsStatus": "received",
    "To": OURS,
    "ToCountry": "US",
}
WHATSAPP = {
    **{name: value for name, value in SMS.items() if name not in {"FromCity", "FromCountry", "ToCountry"}},
    "ButtonPayload": "yes",
    "ButtonText": "Yes",
    "ChannelMetadata": '{"type":"whatsapp","data":{"context":{"ButtonText":"Yes","Forwarded":"false",'
    '"ProfileName":"Ann","WaId":"4915112340290"}}}',
    "ExternalUserId": "whatsapp:DE.4566546130240823",
    "Forwarded": "false",
    "FrequentlyForwarded": "false",
    "From": f"whatsapp:{HIS}",
    "MessageType": "interactive",
    "OriginalRepliedMessageSender": f"whatsapp:{OURS}",
    "OriginalRepliedMessageSid": ORIGINAL,
    "ProfileName": "Ann",
    "ReferralNumMedia": "0",
    "To": f"whatsapp:{OURS}",
    "WaId": HIS[1:],
}
RCS = {**SMS, "From": f"rcs:{HIS}", "To": "rcs:acme_shop_agent", "MessageType": "text"}
PHONE = {
    "AccountSid": ACCOUNT,
    "CallSid": CALL_SID,
    "CallStatus": "ringing",
    "CallToken": '{"parentCallInfoToken":"{\\"callSid\\":\\"' + CALL_SID + '\\",\\"from\\":\\"' + HIS + '\\"}"}',
    "Called": OURS,
    "Caller": HIS,
    "Direction": "inbound",
    "From": HIS,
    "FromCity": "",
    "To": OURS,
    "ToCity": "",
}
CALLBACK = {
    "AccountSid": ACCOUNT,
    "ApiVersion": "2010-04-01",
    "ErrorCode": "30003",
    "From": OURS,
    "MessageSid": SID,
    "MessageStatus": "undelivered",
    "SmsSid": SID,
    "SmsStatus": "undelivered",
    "To": HIS,
}

type Cut = list[tuple[str, str]]


@dataclass(frozen=True)
class Meaning:
    """What a webhook that may confirm says."""

    sid: str
    sender: str
    receiver: str
    text: str = ""
    original: str | None = None
    kind: str | None = None


def understood(cut: Cut, known: Mapping[str, Field] = MESSAGE) -> Meaning | None:
    """What the product takes a form for; None where it confirms nothing."""
    try:
        webhook = read(cut, known)
        sid, receiver = required(webhook.fields, "CallSid" if known is CALL else "MessageSid"), webhook.fields["To"]
    except (MalformedRequest, KeyError):
        return None
    sender = webhook.fields.get("From")
    if webhook.ambiguous or webhook.opts_out or sender is None:
        return None
    original, kind = (webhook.fields.get(name) for name in ("OriginalRepliedMessageSid", "MessageType"))
    return Meaning(sid, sender, receiver, "" if known is CALL else webhook.text, original, kind)


def meant(genuine: Mapping[str, str]) -> Meaning | None:
    """What Twilio meant; None where it is nothing that confirms."""
    if genuine.get("OptOutType") or not re.fullmatch(r"([a-z]+:)?\+[1-9][0-9]{6,14}", genuine["From"]):
        return None
    sid = genuine.get("CallSid") or genuine["MessageSid"]
    optional = (genuine.get(name) for name in ("OriginalRepliedMessageSid", "MessageType"))
    return Meaning(sid, genuine["From"], genuine["To"], genuine.get("Body", ""), *optional)


def fields_in(signed: str, known: Mapping[str, Field]) -> list[tuple[int, str]]:
    """Where the row holds a name that is read, or that reading looks at."""
    names = {*known, "Body", "OptOutType", "ProfileName"}
    return sorted((found.start(), name) for name in names for found in re.finditer(f"(?={name})", signed))


def filled(gap: str, before: str, after: str) -> Cut | None:
    """A field that takes up a gap between two others, if any name of it sorts there."""
    names = (gap[:length] for length in range(1, min(len(gap), len(before) + 1) + 1))
    fitting = next((name for name in names if before < name < after), None)
    return [] if not gap else None if fitting is None else [(fitting, gap[len(fitting) :])]


def assembled(signed: str, chosen: list[tuple[int, str, int]]) -> Cut | None:
    """A cut with the chosen fields (start, name, end of the value); None where it would not sort into the row."""
    cut: Cut = [("", signed[: chosen[0][0]] if chosen else signed)]
    for index, (start, name, end) in enumerate(chosen):
        following, after = chosen[index + 1][:2] if index + 1 < len(chosen) else (len(signed), "\U0010ffff")
        gap = filled(signed[end:following], name, after)
        if gap is None or not name < after:
            return None
        cut += [(name, signed[start + len(name) : end]), *gap]
    return cut


def selections(found: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Every choice of names that stand in the row one after another and in order."""
    if not found:
        yield []
        return
    (start, name), rest = found[0], found[1:]
    yield from selections(rest)
    for others in selections([(at, other) for at, other in rest if at >= start + len(name) and other > name]):
        yield [(start, name), *others]


NEEDED = {"CallSid", "From", "MessageSid", "To"}
"""Without those of them that its kind of webhook has, a cut confirms nothing."""


def cuts(signed: str, known: Mapping[str, Field], needed: set[str] = NEEDED) -> Iterator[Cut]:
    """Every choice of fields, with each value whole up to the next one, in its form, and in turn ended anywhere.

    Of a run of one character, such as a SID's digits here, one place stands for all.
    """
    for selection in selections(fields_in(signed, known)):
        if not needed & known.keys() <= {name for _, name in selection}:
            continue
        bounds = [*[start for start, _ in selection[1:]], len(signed)][: len(selection)]
        whole = [(start, name, end) for (start, name), end in zip(selection, bounds, strict=True)]
        formed = [(start, name, _end_in_form(signed, known, start, name, end)) for start, name, end in whole]
        for variant in (whole, formed):
            if (cut := assembled(signed, variant)) is not None:
                yield cut
        for index, (start, name, end) in enumerate(whole):
            for earlier in (at for at in range(start + len(name), end) if signed[at - 1] != signed[at]):
                changed = [*formed[:index], (start, name, earlier), *formed[index + 1 :]]
                if (cut := assembled(signed, changed)) is not None:
                    yield cut


def _end_in_form(signed: str, known: Mapping[str, Field], start: int, name: str, end: int) -> int:
    if name not in known:
        return end
    ends = range(end, start + len(name), -1)
    return next((each for each in ends if known[name].form.fullmatch(signed, start + len(name), each)), end)


FORGED = f"yesFrom{VICTIMS}FromCity"
TEXTS = ["", "no", "DENY", "yes, Cancel", "Body", "noBodyyes", "Forwarded", 'From "x"', f"From{HIS}", FORGED]
WRITTEN = {
    **{f"SMS {text!r}": SMS | {"Body": text} for text in TEXTS},
    "a sender that is no number": SMS | {"From": "40404", "Body": f"yesFrom{VICTIMS}"},
    "a sender without a name": SMS | {"From": "", "Body": f"yesFrom{VICTIMS}"},
    "a word as sender": SMS | {"From": "Acme", "Body": f"yesFrom{VICTIMS}"},
    "a user's id as sender": SMS | {"From": "whatsapp:DE.4566", "Body": f"yesFrom{VICTIMS}"},
    "another SID": SMS | {"Body": f"yesMessageSid{OTHER_SID}"},
    "another receiver": SMS | {"Body": f"yesTo{HIS}"},
    "a receiver of a new kind": SMS | {"Body": f"yesTo{OURS}", "To": "kik:Acme"},
    "a stop": SMS | {"Body": "ok", "OptOutType": "STOP"},
    "a later stop": SMS | {"Body": "ok", "OptOutType": "Quit"},
    "RCS": RCS,
    "a reaction": RCS | {"MessageType": "reaction"},
    "a missing text": {name: value for name, value in SMS.items() if name != "Body"},
    "an answer named in the text": RCS | {"Body": f"yesOriginalRepliedMessageSid{ORIGINAL}"},
    "an answer named in the profile": RCS | {"ProfileName": f"xOriginalRepliedMessageSid{ORIGINAL}"},
    "and the profile twice": RCS | {"ProfileName": f"xOriginalRepliedMessageSid{ORIGINAL}ProfileName"},
    "a SID in the profile": RCS | {"ProfileName": f"xSmsMessageSid{OTHER_SID}"},
}


@pytest.mark.parametrize("genuine", [pytest.param(form, id=name) for name, form in WRITTEN.items()])
def test_no_cut_of_a_message_means_something_else(genuine: dict[str, str]):
    signed = joined(list(genuine.items()))
    expected, count = meant(genuine), 0
    for cut in cuts(signed, MESSAGE):
        assert joined(cut) == signed
        meaning = understood(cut)
        assert meaning is None or meaning == expected, cut
        count += 1
    assert count > 100


@pytest.mark.parametrize(
    "genuine",
    [SMS, SMS | {"Body": "YES, Definitely From Berlin. Today To go"}, WHATSAPP, RCS],
    ids=["SMS", "capitals", "WhatsApp", "RCS"],
)
def test_an_ordinary_message_means_what_it_says(genuine: dict[str, str]):
    meaning = understood(list(genuine.items()))
    assert meaning is not None
    assert meaning == meant(genuine)


def test_an_address_that_holds_a_name_is_text_however_it_is_cut():
    located = SMS | {"Address": "Bodyyes", "Body": ""}
    expected = meant(SMS | {"Body": "yesApiVersion2010-04-01Body"})
    assert {understood(cut) for cut in cuts(joined(list(located.items())), MESSAGE)} == {None, expected}


@pytest.mark.parametrize("body", ["No", "Stop", "yes"])
@pytest.mark.parametrize(
    "more",
    [{"Consent": "1"}, {"ErrorCode": "11200"}, {"AddOns": '{"caller": "The Body Shop"}'}],
    ids=["new", "new digits", "in JSON"],
)
def test_a_text_that_a_name_not_known_here_stands_in_is_taken_for_nothing(more: dict[str, str], body: str):
    assert understood(list({**SMS, "Body": body, **more}.items())) is None


@pytest.mark.parametrize(
    "more",
    [
        {"Aardvark": "1", "Zebra": "2"},
        # What a fallback URL gets besides: https://www.twilio.com/docs/usage/security/availability-reliability
        {"ErrorCode": "11200", "ErrorUrl": "https://example.com/sms"},
        {"ChannelMetadata": r'{"data": "{\"From\": \"x\", \"ProfileName\" : \"y\"}"}'},
    ],
    ids=["elsewhere", "fallback", "JSON"],
)
def test_other_names_change_nothing(more: dict[str, str]):
    assert understood(list({**SMS, **more}.items())) == meant(SMS)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"ForwardedFrom": VICTIMS},
        {"CallerName": f"xFrom{VICTIMS}"},
        {"CallerName": f"xForwardedFrom{VICTIMS}"},
        {"CallerName": f"xCallSidCA{'b' * 32}"},
        {"From": "anonymous", "CallerName": f"xFrom{VICTIMS}"},
        {"From": "sip:ann@example.com"},
        {"To": "sip:support@example.com"},
    ],
    ids=lambda more: " ".join(more.values()) or "direct",
)
def test_no_cut_of_a_call_means_something_else(more: dict[str, str]):
    genuine = PHONE | more
    signed = joined(list(genuine.items()))
    for cut in cuts(signed, CALL):
        meaning = understood(cut, CALL)
        assert meaning is None or meaning == meant(genuine), cut


@pytest.mark.parametrize("genuine", [PHONE, PHONE | {"ForwardedFrom": VICTIMS}], ids=["direct", "forwarded"])
def test_an_ordinary_call_means_what_it_says(genuine: dict[str, str]):
    assert understood(list(genuine.items()), CALL) == meant(genuine) is not None


@pytest.mark.parametrize("sender", [OURS, "whatsapp:+14155550100", "40404", "Acme Help", "MessageFrom", "", "From"])
@pytest.mark.parametrize("code", ["30003", "Unknown", None])
def test_no_cut_of_a_status_callback_names_another_message_or_state(sender: str, code: str | None):
    genuine = {name: value for name, value in CALLBACK.items() if name != "ErrorCode"} | {"From": sender}
    if code is not None:
        genuine["ErrorCode"] = code
    told = read(list(genuine.items()), STATUS).certain
    assert (told["MessageSid"], told["MessageStatus"]) == (SID, "undelivered")
    assert (told.get("From", ""), told.get("ErrorCode")) == (sender, code if code == "30003" else None)
    signed = joined(list(genuine.items()))
    for cut in cuts(signed, STATUS, {"MessageSid"}):
        certain = read(cut, STATUS).certain
        assert certain.get("MessageSid") in (None, SID)
        assert certain.get("MessageStatus") in (None, "undelivered")
        assert certain.get("From", "") in ("", sender)
        assert certain.get("ErrorCode") in (None, code)


PIECES = ("yes", "no", "B", "D", "F", " ", "+49", "Fr", "To", "whatsapp:", '":', HIS, VICTIMS, OURS, SID, OTHER_SID)
NAMES = ("Body", "FromCity", "OptOutType", "SmsMessageSid", "ButtonText", "Forwardedtrue", "ChannelMetadata{", *MESSAGE)
written = st.lists(st.sampled_from(PIECES) | st.sampled_from(NAMES), max_size=6).map("".join)
senders = st.sampled_from([HIS, f"whatsapp:{HIS}", f"rcs:{HIS}", "40404", "Acme", "anonymous", "", "whatsapp:DE.1"])


@given(data=st.data(), text=written, sender=senders, profile=st.none() | written, channel=st.sampled_from([SMS, RCS]))
def test_no_cut_of_any_text_means_something_else(
    data: st.DataObject, text: str, sender: str, profile: str | None, channel: dict[str, str]
):
    """Where a text holds a name that Twilio gives to a field, it ends there, whoever cuts it."""
    genuine = channel | {"Body": text, "From": sender} | ({} if profile is None else {"ProfileName": profile})
    signed = joined(list(genuine.items()))
    plain, expected = understood(list(genuine.items())), meant(genuine)
    chosen: list[tuple[int, str, int]] = []
    for start, name in fields_in(signed, MESSAGE):
        if data.draw(st.booleans()) and (not chosen or (start >= chosen[-1][2] and name > chosen[-1][1])):
            ends = range(start + len(name), min(len(signed), start + 60) + 1)
            formed = _end_in_form(signed, MESSAGE, start, name, ends[-1])
            chosen.append((start, name, data.draw(st.just(formed) | st.sampled_from(ends))))
    for cut in filter(None, (assembled(signed, chosen), list(genuine.items()))):
        assert joined(cut) == signed
        meaning = understood(cut)
        if meaning is not None:
            assert expected is not None
            ours = (expected.sid, expected.sender, expected.receiver, expected.original, expected.kind)
            assert (meaning.sid, meaning.sender, meaning.receiver, meaning.original, meaning.kind) == ours
            assert plain is None or meaning.text == plain.text
            assert meaning.text == text or any(name in text for name in ("ButtonText", "Forwarded", "Channel"))
