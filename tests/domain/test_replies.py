"""Replies: the keyword is found in what people type, and what says nothing or no is recognised."""
# ruff: noqa: RUF001 - letters and quotation marks of all languages are meant

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otp_feedback.domain import answers
from otp_feedback.domain.actions import Action
from otp_feedback.domain.replies import (
    holds_keyword,
    is_keyword,
    is_reaction,
    normalized,
    opts_out,
    refuses,
    why_no_answer,
)
from otp_feedback.domain.texts import languages
from tests.tables import for_each


def phrases(text: str) -> list[str]:
    """The phrases of a list of answers."""
    return [phrase.strip() for phrase in text.split(",")]


OPT_OUTS = ["stop", "unsubscribe", "end", "quit", "stopall", "stop all", "cancel", "revoke", "optout", "opt out"]
OTHERS = ["help", "info", "start", "unstop"]
"""What Twilio answers by itself, or takes for opting in."""


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        ("yes", "YES"),
        ("  Yes!  ", "yes"),
        ("oh yes", "YES"),
        ("yes please", "YES"),
        ("Yes, thank you!", "yes"),
        ("yes yes yes", "yes"),
        ("¡Sí, por favor!", "si"),
        ("“YES”", "yes"),
        ('Yes "Example: reply YES to confirm"', "yes"),
        ("> Example: reply YES to confirm\nyes", "yes"),
        ("Sí", "si"),
        ("SI", "sí"),
        ("GRÜSSE", "grüße"),
        ("Ja, gern", "JA"),
        ("да!", "ДА"),
        ("はい。", "はい"),
        ("I  AGREE\nhere", "i agree"),
        ("ｙｅｓ", "yes"),
        ("yes👍", "yes"),
        ("जी हाँ!", "हाँ"),
        ("ใช่ ครับ", "ใช่"),
    ],
)
def test_the_keyword_is_found_in_what_hurried_people_type(body: str, keyword: str):
    assert holds_keyword(body, keyword)


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        *[("", "yes"), ("no", "yes"), ("yesterday", "yes"), ("y e s", "yes"), ("agree I", "i agree"), ("हूँ", "हाँ")],
        *[
            ("I did not say yes", "yes"),
            ("who said yes", "yes"),
            ("oh yes, certainly", "yes"),
            ("Ja, das war ich", "JA"),
        ],
        *[("Loved “Example: reply YES to confirm”", "YES"), ('Reply "YES" to confirm', "YES")],
    ],
)
def test_part_of_a_word_is_not_the_keyword(body: str, keyword: str):
    assert not holds_keyword(body, keyword)


@pytest.mark.parametrize("word", ["yes", "YES1", "Sí", "Si\u0301", "はい", "हाँ", "ใช่", "نعم", "x" * 20])
def test_a_word_of_any_script_can_be_the_keyword_and_is_found_as_it_is(word: str):
    assert is_keyword(word)
    assert holds_keyword(f"- {word} -", word)


@pytest.mark.parametrize(
    "word", ["", " ", "\u0301", "👍", "yes!", "¿sí", "yes please", "a_b", "yes-please", "x" * 21, "Stop", "INFO"]
)
def test_what_is_no_word_or_is_for_twilio_cannot_be_the_keyword(word: str):
    assert not is_keyword(word)


@given(st.text(max_size=50))
def test_without_a_keyword_any_body_will_do(body: str):
    assert holds_keyword(body, None)


@for_each(product(OPT_OUTS + OTHERS, ["", " ", ".", "!", " . ", "\n"]))
def test_a_word_that_is_for_twilio_is_recognised_as_it_is_typed(word: str, around: str):
    for typed in (word, word.upper(), word.title()):
        assert opts_out(f"{around}{typed}{around}")


@pytest.mark.parametrize("body", ["", "yes", "please", "stop it", "nonstop", "endless", "started", "helpful"])
def test_other_texts_do_not_opt_out(body: str):
    assert not opts_out(body)


OURS = [
    "Example: to confirm, reply YES within 10 min.",
    'Example: reply "YES" to confirm',
    "Beispiel: Antworten Sie „JA“, um zu bestätigen.",
    "【例】確認のため、10分以内にこのメッセージにご返信ください。",
]
REACTIONS = [
    *("Liked “{}”", "Loved “{}”", "Disliked “{}”", "Laughed at “{}”", "Emphasized “{}”", "Questioned “{}”"),
    *("Liked “{}…”", "Liked “{}", "Liked '{}'", 'Disliked "{}"', "Emphasised “{}”", "Reacted 😂 to “{}”"),
    *("Reacted with a sticker to “{}”", "Removed a like from “{}”", "Removed an exclamation mark from “{}”"),
    *("👍 to “{}”", " 👎 to “ {} ” ", "\u200a\u200b👎\u200b to “\u200a{}\u200a”\u200a", "😂 a «{}»", "❤️ на «{}»"),
    *("Le gustó “{}”", "No le gustó “{}”", "Le dio risa “{}”", "Exclamó por “{}”", "Reaccionó con 😂 a “{}”"),
    *("A aimé « {} »", "A attribué la mention « J’aime » à « {} »", "A réagi avec 🔥 à « {} »"),
    *("Gefällt „{}“", "Hat mit 👍 auf „{}“ reagiert", "Gaf een hartje aan ‘{}’", "Vond “{}” leuk"),
    *("Ha aggiunto un cuoricino a “{}”", "Trova divertente “{}”", "Curtiu “{}”", "Não curtiu “{}”"),
    *("Понравилось «{}»", "Не понравилось «{}»", "Подобається «{}»", "Посмеялись над «{}»"),
    *("「{}」にいいねしました", "“{}”에 좋아요를 표시함", "对“{}”表示了喜欢", "喜歡「{}」", "Đã thích “{}”"),
    *("Beğenildi: “{}”", "أعجب(ت) بـ «{}»", "Menyukai “{}”", "Tykkäsi viestistä ”{}”", "Synes godt om »{}«"),
]


@for_each(product(REACTIONS, OURS))
def test_a_reaction_that_quotes_our_text_says_nothing(form: str, ours: str):
    body = form.format(ours)
    assert is_reaction(body)
    for keyword in (None, "YES", "JA"):
        assert why_no_answer(body, keyword) == "reaction"


@pytest.mark.parametrize(
    "body", ["Loved an image", "Liked a photo", "Laughed at a movie", "Reacted with 🎉 to an image"]
)
def test_a_reaction_to_a_picture_says_nothing(body: str):
    assert is_reaction(body)


@pytest.mark.parametrize(
    "body",
    [
        *("yes", "Loved it, yes", "I liked that", 'Yes "Example: to confirm, reply to this message"', "5' 10\""),
        *("My name is “Bob”", "“yes”", "It’s me", "rock 'n' roll", "Removed it from my list", "👍", "> ours\nok"),
    ],
)
def test_what_somebody_writes_is_no_reaction(body: str):
    assert not is_reaction(body)
    assert why_no_answer(body, None) is None


@pytest.mark.parametrize("body", ["", " ", "\u200b", ".", "?", "…", "“Example: to confirm, reply to this message.”"])
def test_silence_is_no_answer(body: str):
    assert why_no_answer(body, None) == "silence"


LATER = "I’ll see your message when I get where I’m going."
URGENT = "(I’m not receiving notifications. If this is urgent, reply “urgent” to send a notification through.)"


@pytest.mark.parametrize(
    "body",
    [
        f"I’m driving with Do Not Disturb While Driving turned on. {LATER}",
        f"I'm driving with Focus turned on. {LATER}\n\n{URGENT}",
        URGENT,
        "I'm driving right now.",
        "Auto-Reply: I am in a meeting",
        "Ich fahre gerade. Ich lese deine Nachricht, sobald ich angekommen bin.",
        "Je conduis avec l’option Ne pas déranger activée. Je verrai votre message à mon arrivée.",
        "Estoy conduciendo y veré tu mensaje cuando llegue.",
        "Sto guidando. Vedrò il tuo messaggio quando arrivo a destinazione.",
        "Estou dirigindo e verei sua mensagem quando chegar.",
        "Я за рулем. Увижу ваше сообщение, когда доеду.",
        "現在運転中です。到着したらメッセージを確認します。",
        "지금 운전 중입니다.",
        "我正在开车，到达后会查看您的信息。",
        "Şu anda araç kullanıyorum.",
    ],
)
def test_an_answer_that_a_phone_gives_by_itself_is_none(body: str):
    assert why_no_answer(body, None) == "automatic"


NOES = {
    "en": ["NO, that was not me", "no", "Nope!", "I didn't", "I didn’t ask for this", "wrong number", "n", "Yes 👎"],
    "af": ["Nee"],
    "ar": ["لا", "لست أنا"],
    "bg": ["Не"],
    "bs": ["Ne, nisam"],
    "ca": ["No soc jo"],
    "cs": ["Ne", "Nebyl jsem to já"],
    "da": ["Nej", "Det var ikke mig"],
    "de": ["Nein", "Das war ich nicht!", "nö"],
    "el": ["Όχι", "δεν ήμουν εγώ"],
    "es": ["No", "yo no fui"],
    "et": ["Ei"],
    "fa": ["نه", "خیر"],
    "fi": ["Ei", "en se ollut minä"],
    "fil": ["Hindi ako"],
    "fr": ["Non", "ce n’est pas moi"],
    "he": ["לא"],
    "hi": ["नहीं"],
    "hr": ["Ne"],
    "hu": ["Nem"],
    "id": ["Tidak", "bukan saya"],
    "is": ["Nei"],
    "it": ["No", "non sono stato io"],
    "ja": ["いいえ", "私ではありません"],
    "ko": ["아니요", "아니에요, 제가 안 했어요"],
    "lt": ["Ne"],
    "lv": ["Nē"],
    "ms": ["Tidak", "tak"],
    "nb": ["Nei", "det var ikke meg"],
    "nl": ["Nee", "dat was ik niet"],
    "pl": ["Nie", "to nie ja"],
    "pt-BR": ["Não", "nao fui eu"],
    "pt-PT": ["não"],
    "ro": ["Nu", "nu eu"],
    "ru": ["Нет", "это не я"],
    "sk": ["Nie"],
    "sl": ["Ne"],
    "sr": ["Не", "ne"],
    "sr-Latn": ["Ne"],
    "sv": ["Nej", "det var inte jag"],
    "th": ["ไม่ใช่"],
    "tr": ["Hayır", "HAYIR", "ben değilim"],
    "uk": ["Ні", "це не я"],
    "vi": ["Không", "không phải tôi"],
    "zh-Hans": ["不", "不是我"],
    "zh-Hant": ["不是", "沒有"],
}
YESES = {
    "en": ["yes", "Yes, that was me", "I know", "no problem", "ok", "👍", "confirmed", "anna noted it"],
    "cs": ["ano", "žádný problém"],
    "de": ["Ja, das war ich", "Kein Problem, ja", "gerne", "neu"],
    "es": ["sí, soy yo", "no hay problema"],
    "fr": ["oui c'est moi", "pas de souci"],
    "it": ["sì, sono io"],
    "ja": ["はい", "問題ありません", "すみません、はい"],
    "ko": ["네", "ne", "예"],
    "nl": ["ja, ik ben het"],
    "pl": ["tak, to ja"],
    "pt-BR": ["sim, fui eu"],
    "ru": ["да, это я"],
    "tr": ["evet benim"],
    "zh-Hans": ["是我", "没问题", "好"],
}
SPOKEN = [(language, body) for language, bodies in NOES.items() for body in bodies]
AGREED = [(language, body) for language, bodies in YESES.items() for body in bodies]


@for_each(SPOKEN)
def test_a_no_is_a_refusal_in_the_language_that_we_wrote_in(language: str, body: str):
    assert refuses(body, language)
    assert refuses(f"{body} “Yes, yes, yes, yes”", language)


@for_each(AGREED)
def test_a_yes_is_none(language: str, body: str):
    assert not refuses(body, language)
    assert why_no_answer(body, None) is None


def test_there_are_refusals_in_every_language_of_a_text():
    assert {language for action in list(Action) for language in languages(action)} == NOES.keys()


@pytest.mark.parametrize(
    ("body", "language"),
    [("ne", "ko"), ("nein", "fr"), ("не", "de"), ("en", "sv"), ("pas", "en"), ("mere end gerne", "da")],
)
def test_a_word_of_another_language_is_no_refusal(body: str, language: str):
    assert not refuses(body, language)


def test_what_we_quoted_is_not_what_they_say():
    assert not refuses("Yes “Example: if this was not you, do nothing”", "en")


def test_the_keyword_is_no_refusal_whatever_it_means():
    assert not refuses("No, please", "en", "NO")
    assert refuses("not NO", "en", "no")
    assert why_no_answer("Basta!", "basta") is None
    assert why_no_answer("Basta, grazie", "basta") is None
    assert why_no_answer("Basta!", "yes") == "opt-out"


@pytest.mark.parametrize(
    "body", ["Abmelden", "BAJA", "désabonner", "退订", "“STOP”", "STOP “Example: reply YES”", "Отписаться"]
)
def test_a_request_to_stop_is_recognised_in_our_languages(body: str):
    assert opts_out(body)
    assert why_no_answer(body, "YES") == "opt-out"


@pytest.mark.parametrize(
    ("language", "body"),
    [
        *(("de", body) for body in ("Bitte abmelden", "stopp bitte", "Bitte keine SMS mehr")),
        *(("fr", body) for body in ("arrêtez svp", "arrêtez de m'écrire", "désabonnez-moi")),
        *(("es", body) for body in ("baja por favor", "quiero darme de baja", "deja de enviarme mensajes")),
        *(("pt", "sair por favor"), ("nl", "afmelden aub"), ("sv", "avsluta tack"), ("it", "cancellami grazie")),
        *(
            ("ru", "стоп пожалуйста"),
            ("ru", "отпишите меня"),
            ("uk", "зупиніть будь ласка"),
            ("pl", "proszę wypisz mnie"),
        ),
        *(
            ("zh-Hans", "退订谢谢"),
            ("zh-Hans", "请退订"),
            ("ja", "配信停止してください"),
            ("ko", "수신거부 해주세요"),
            ("th", "หยุดส่งค่ะ"),
        ),
        *(("de", body) for body in ("Please unsubscribe", "unsubscribe me", "opt me out", "Remove me")),
        *(("en", body) for body in ("take me off your list", "Who is this?", "please stop texting me")),
    ],
)
def test_who_asks_to_stop_says_no_yes_however_the_request_is_worded(language: str, body: str):
    assert why_no_answer(body, None) is not None or refuses(body, language)


@for_each((courtesy,) for courtesy in phrases(answers.COURTESIES))
def test_a_request_to_stop_is_one_however_politely(courtesy: str):
    for asked in ("STOP", "opt out", *phrases(answers.STOPS)):
        for body in (f"{asked}, {courtesy}!", f"{courtesy} {asked} {courtesy}"):
            assert opts_out(body)
            assert why_no_answer(body, "yes") == "opt-out"


@for_each((asked,) for asked in phrases(answers.STOPS))
def test_a_request_to_stop_is_no_yes_within_other_words_of_its_language(asked: str):
    known = answers.REFUSALS.keys() | answers.REFUSALS_WITHIN.keys() | answers.ASKS_TO_STOP.keys()
    assert any(refuses(f"Zzz {asked} zzz", language) for language in known)


def test_each_language_of_a_text_has_words_to_stop():
    told = answers.ASKS_TO_STOP.keys() | answers.REFUSALS_WITHIN.keys()
    assert {tag.partition("-")[0] for action in list(Action) for tag in languages(action)} <= told


@given(st.text(max_size=50))
def test_normalising_twice_changes_nothing_more(text: str):
    once = normalized(text)
    assert normalized(once) == once
