"""Words that people and phones send back, in the languages of the texts, for `replies.py` to compare.

Phrases are parted by commas and stand as people write them: case and diacritics count for nothing. A `!` after a
refusal says that it asks to stop, in whichever language, where it is the whole of a text.
"""
# ruff: noqa: RUF001 - letters of other scripts are meant

REFUSALS = {
    "en": (
        "no, nope, nah, nay, not, never, don't, dont, didn't, didnt, wasn't, wasnt, isn't, isnt, won't, wont, can't, "
        "cant, cannot, doesn't, doesnt, haven't, havent, wrong, mistake, scam, scammer, fraud, spam, phishing, stop, "
        "cancel, decline, declined, refuse, reject, rejected, deny, denied, leave me alone"
    ),
    "af": "nee, nie, nooit, verkeerde, moenie",
    "ar": "لا, كلا, ليس, لست, لم, لن, ليست, مش, مو, غير صحيح, خطأ, أرفض, إلغاء!",
    "bg": "не, никога, грешка, грешен, отказвам, отказ, измама",
    "bs": "ne, nije, nisam, nisu, neću, necu, nemoj, nikad, pogrešan, greška, odbijam, prevara",
    "ca": "no, mai, cap, equivocat, error, frau, cancel·la, rebutjo",
    "cs": (
        "ne, nikdy, není, nejsem, nebyl, nebyla, nechci, nesouhlasím, nepotvrzuji, nežádal, nežádala, omyl, odmítám, "
        "zrušit!, podvod"
    ),
    "da": "nej, ikke, aldrig, forkert, afvis, afviser, annuller, svindel, fejl",
    "de": (
        "nein, ne, nee, nö, noe, nicht, nichts, kein, keine, keinen, niemals, nie, falsch, falsche, irrtum, betrug, "
        "abbrechen, ablehnen, abgelehnt, verweigere"
    ),
    "el": "όχι, δεν, δε, μη, μην, ποτέ, λάθος, απάτη, ακύρωση, αρνούμαι",
    "es": "no, nunca, jamás, tampoco, ni, equivocado, error, fraude, estafa, cancelar!, cancela!, rechazo, rechazar",
    "et": "ei, mitte, ära, kunagi, vale, pettus, tühista, keeldun",
    "fa": "نه, خیر, نخیر, نیست, نیستم, نبودم, نبود, نکردم, نمیخواهم, نمی‌خواهم, هرگز, اشتباه, لغو!, کلاهبرداری",
    "fi": "ei, en, et, emme, eivät, älä, ikinä, koskaan, väärä, väärin, huijaus, peru, peruuta!, kieltäydyn",
    "fil": "hindi, wala, huwag, ayaw, mali, dili",
    "fr": (
        "non, nan, ne, n'est, pas, jamais, aucun, aucune, erreur, faux, arnaque, fraude, annuler!, annulez, refuse, "
        "refuser"
    ),
    "he": "לא, אל, אין, לעולם, טעות, הונאה, בטל, ביטול, מסרב, מסרבת",
    "hi": "नहीं, नही, न, ना, मत, कभी, गलत, धोखा, रद्द, nahi, nahin, nai, mat, galat",
    "hr": "ne, nije, nisam, nisu, neću, necu, nemoj, nikad, pogrešan, greška, odbijam, prijevara",
    "hu": "nem, ne, soha, nincs, téves, tévedés, csalás, mégse, elutasítom, visszautasítom",
    "id": "tidak, tdk, bukan, jangan, nggak, enggak, ngga, gak, ga, ndak, belum, salah, penipuan, batal, tolak",
    "is": "nei, ekki, aldrei, rangt, hætta, svik, hafna",
    "it": "no, non, mai, nessuno, sbagliato, errore, truffa, frode, annulla!, rifiuto",
    "lt": "ne, nėra, nesu, nebuvau, nenoriu, niekada, klaida, apgavystė, atšaukti, atsisakau",
    "lv": "nē, ne, nav, neesmu, nebiju, negribu, nekad, kļūda, krāpšana, atcelt, atsakos",
    "ms": "tidak, tak, bukan, jangan, tiada, belum, salah, penipuan, batal, tolak",
    "nb": "nei, ikke, aldri, feil, avvis, avviser, avbryt, svindel",
    "nl": "nee, neen, niet, geen, nooit, niets, fout, verkeerd, verkeerde, fraude, annuleer, annuleren, weiger",
    "pl": "nie, nigdy, pomyłka, błąd, oszustwo, anuluj!, odmawiam, odrzucam",
    "pt": "não, nao, n, nunca, jamais, nem, errado, erro, engano, fraude, golpe, cancelar!, cancela!, recuso, recusar",
    "ro": "nu, niciodată, nimic, nicio, niciun, greșit, greșeală, eroare, fraudă, anulează, anulare, refuz",
    "ru": "нет, не, неа, никогда, ничего, ошибка, ошиблись, отказ, отказываюсь, отмена, мошенники, мошенничество",
    "sk": "nie, nikdy, nebol, nebola, nechcem, nesúhlasím, nepotvrdzujem, omyl, odmietam, zrušiť, podvod",
    "sl": "ne, ni, nisem, nikoli, nočem, napaka, zavračam, prekliči, prevara",
    "sr": (
        "не, није, нисам, нису, нећу, немој, никад, погрешан, грешка, одбијам, превара, ne, nije, nisam, nisu, neću, "
        "necu, nemoj, nikad, pogrešan, greška, odbijam, prevara"
    ),
    "sv": "nej, nä, inte, ej, aldrig, fel, bedrägeri, avböj, avböjer, avbryt, vägrar",
    "tr": (
        "hayır, hayir, yok, değil, degil, değilim, istemiyorum, asla, yanlış, yanlis, hata, iptal!, reddediyorum, "
        "dolandırıcılık, ben yapmadım, onaylamıyorum"
    ),
    "uk": "ні, не, нє, ніколи, нічого, помилка, відмова, відмовляюся, скасувати, шахраї, шахрайство",
    "vi": "không, khong, chưa, đừng, chẳng, sai, nhầm, lừa đảo, hủy!, huỷ, từ chối",
}
"""What makes a text a refusal where it stands among its words."""

ASKS_TO_STOP = {
    "en": (
        "unsubscribe, stop sms!, opt out, opt me out, optout, remove me, take me off, quit, revoke, stopall, "
        "who is this, who are you, fuck off"
    ),
    "af": "hou op, teken uit, staak",
    "ar": "توقف!, إيقاف!, قف!, أوقف, أوقفوا",
    "bg": "стоп!, спрете, спри, отписване",
    "bs": "prekini, prekinite, odjavi, odjava",
    "ca": "atura, atureu, baixa",
    "cs": "odhlásit!, odhlaste, zastavit, přestaňte",
    "da": "afmeld!, stands",
    "de": "stopp!, stoppen!, abmelden!, abbestellen!, beenden!, aufhören",
    "el": "διακοπή!, σταμάτα!, σταματήστε, διαγραφή",
    "es": "parar!, paren, basta!, baja!, darse de baja!, salir!, remover!, deja de, dejen de, dejad de",
    "et": "lõpeta, lõpetage, peata",
    "fa": "توقف!, بس کنید, قطع",
    "fi": "lopeta!, lopettakaa",
    "fil": "itigil, tigil, ihinto",
    "fr": "arrêter!, arrêtez!, arrête, désabonner!, désabonnez, désinscrire!, désinscrivez, stoppez, arrêt",
    "he": "עצור!, עצרו, הסר!, הסירו, הסרה!, הפסיקו",
    "hi": "बंद, रोको, रोकें, band karo",
    "hr": "prekini, prekinite, odjavi, odjava",
    "hu": "leiratkozás!, leiratkozom, állj",
    "id": "berhenti!, hentikan",
    "is": "hættu, hættið, afskrá",
    "it": "disiscrivi!, disiscrivetemi, cancella!, cancellami, basta!, smetti, smettete, smettetela",
    "lt": "sustabdyti, nutraukti, atsisakyti",
    "lv": "apturēt, pārtraukt, atteikties",
    "ms": "berhenti!, hentikan",
    "nb": "avslutt!, slutt, stopp!, stans, meld meg av",
    "nl": "afmelden!, uitschrijven!, stoppen!, schrijf me uit",
    "pl": "wypisz!, zatrzymaj!, przestańcie, wyrejestruj",
    "pt": "parar!, pare, parem, sair!, remover!, descadastrar!, deixe de, deixem de",
    "ro": "dezabonare!, dezabonați, opriți!, oprește!, încetați",
    "ru": "стоп!, отписаться!, отписка!, отпишите, отпиши, прекратите, прекрати, хватит",
    "sk": "odhlásiť, odhláste, zastaviť, prestaňte",
    "sl": "odjava, odjavi, prenehaj, prenehajte, ustavi",
    "sr": "прекини, прекините, одјави, одјава, prekini, prekinite, odjavi, odjava",
    "sv": "avsluta!, avregistrera!, sluta, stopp!, stoppa",
    "tr": "durdur, durdurun, aboneliği, listeden",
    "uk": "стоп!, зупинити!, зупиніть, відписатися!, відпишіть, припиніть",
    "vi": "dừng!, ngừng, hủy đăng ký",
    "zh": "td!",
}
"""The same, of what asks for no more messages."""

REFUSALS_WITHIN = {
    "ja": (
        "いいえ, いえ, いや, 違い, ちがい, 違う, ちがう, ない, ません, しないで, やめ, 拒否, 間違い, 詐欺, "
        "キャンセル, ノー, 停止!, 配信停止!, 解除!, 止め"
    ),
    "ko": (
        "아니, 아뇨, 안 했, 안했, 안 해, 안해, 싫, 말아, 하지 마, 하지마, 잘못, 취소, 거절, 거부!, 수신거부!, 사기, "
        "노노, 중지!, 그만!"
    ),
    "th": "ไม่, มิใช่, อย่า, ผิด, ยกเลิก, ปฏิเสธ, หลอกลวง, หยุด, เลิก",
    "zh": "不, 没, 沒, 否, 别, 別, 未, 错, 錯, 取消!, 拒绝, 拒絕, 诈骗, 詐騙, 骗, 騙, 停止!, 退订!, 退訂!, 解除!",
}
"""The same for scripts that part no words: wherever it stands."""

NO_REFUSALS = (
    "no problem, no problems, no worries, no doubt, not a problem, not at all, why not, can't wait, not bad, "
    "not someone else, not anyone else, kein problem, nicht schlecht, keine sorge, no hay de qué, "
    "no hay problema, sin problema, pas de problème, pas de souci, nessun problema, non c'è problema, "
    "sem problema, sem problemas, não há problema, geen probleem, ingen fara, inga problem, ikke noe problem, "
    "intet problem, nie ma problemu, bez problemu, žádný problém, není problém, nincs probléma, nicio problemă, "
    "nu e nicio problemă, без проблем, нет проблем, нема проблем, sorun değil, sorun yok, tidak masalah, "
    "không sao, không có gì, không vấn đề gì, ei ongelmaa, ei hätää, κανένα πρόβλημα, אין בעיה, لا مشكلة, "
    "مشکلی نیست"
)
"""What holds such a word and agrees all the same."""

NO_REFUSALS_WITHIN = (
    "没问题, 沒問題, 不错, 不錯, 没错, 沒錯, 没关系, 沒關係, 不客气, 不客氣, 特别, 特別, 問題ない, 問題ありません, "
    "かまいません, 構いません, すみません, 間違いない, 間違いありません, ไม่เป็นไร, ไม่มีปัญหา"
)

YESES = (
    "yes, yeah, yep, yup, y, ok, okay, sure, confirm, confirmed, agreed, ja, jawohl, oui, sí, si, sim, da, да, так, "
    "tak, ano, áno, evet, hai, はい, 네, 예, 是, 好, 是的, 好的, 确认, 確認, ใช่, نعم, بله, כן, ναι, igen, jah, "
    "kyllä, joo, ya, vâng, có, jā, taip, já, oo, हाँ"
)
"""Begins a text that quotes ours and agrees, in whichever language."""

COURTESIES = (
    "please, pls, thanks, thank you, por favor, s'il vous plaît, s'il te plaît, svp, per favore, per piacere, "
    "alstublieft, alsjeblieft, aub, bedankt, dank je, bitte, vielen dank, danke, gracias, muchas gracias, merci, "
    "merci beaucoup, obrigado, obrigada, grazie, tack, takk, tak, kiitos, prosím, proszę, dziękuję, köszönöm, kérem, "
    "mulțumesc, vă rog, пожалуйста, спасибо, будь ласка, дякую, lütfen, teşekkürler, terima kasih, tolong, cảm ơn, "
    "ευχαριστώ, παρακαλώ, תודה, בבקשה, شكرا, من فضلك, لطفا, ممنون, お願いします, ありがとう, 谢谢, 謝謝, 감사합니다"
)
"""What may stand beside a keyword and counts as one word, however many it has."""

STOPS = ", ".join(
    phrase.removesuffix("!")
    for phrases in (*REFUSALS.values(), *ASKS_TO_STOP.values(), *REFUSALS_WITHIN.values())
    for phrase in phrases.split(", ")
    if phrase.endswith("!")
)
"""Requests to stop beside the words that Twilio acts on by itself: the whole of a text, courtesies aside."""

REACTIONS = (
    "liked, loved, disliked, laughed at, emphasized, emphasised, questioned, reacted, removed, le gustó, "
    "no le gustó, le encantó, le dio risa, exclamó por, dudó sobre, le gusta, no le gusta, le encanta, "
    "le hace gracia, le sorprende, reaccionó, se ha reaccionado, se ha añadido, eliminó, se quitó, ha eliminado, "
    "ya no le, dejó de, a aimé, n'a pas aimé, a adoré, a ajouté, a attribué la mention, a réagi, a retiré, a ri de, "
    "a souligné, ha aggiunto, ha reagito, ha rimosso, ha messo, trova divertente, curtiu, não curtiu, gostou de, "
    "adorou, riu de, enfatizou, questionou, reagiu, removeu, gefällt, gefällt nicht, hat mit, hat reagiert, "
    "reagierte, reagiert, mag, hat ein herz, entfernte, reageerde, gaf een hartje aan, vond, verwijderde, reagerade, "
    "gillade, älskade, ogillade, skrattade åt, reagerede, føjede et hjerte til, synes godt om, reagerte, likte, "
    "elsket, понравилось, не понравилось, отмечено, посмеялись над, отреагировал, отреагировала, выделено, "
    "подобається, не подобається, додано реакцію, піддає сумніву, zareagował, zareagowała, polubiono, zareagoval, "
    "zareagovala, reagira, reakce, αντέδρασε, beğenildi, beğenilmedi, kalp eklendi, gülme işareti eklendi, "
    "soru işareti eklendi, tepki verdi, أحب, أعجب, تفاعل, ضحك, تساءل, أكد, bereaksi, menyukai, đã thích, "
    "đã yêu thích, đã không thích, đã cười, đã nhấn mạnh, đã nghi vấn, đã tương tác, đã xóa, đã thả, ชอบ, ตั้งคําถาม, "
    "喜欢, 喜歡, 不喜欢, 不喜歡, 惊叹, 驚嘆"
)
"""How phones begin a message that tells of a reaction to the one it quotes (iOS in the phone's own language)."""

DRIVING = (
    "i am driving, i'm driving, im driving, currently driving, driving right now, while driving, driving focus, "
    "driving can't text, ich fahre gerade, ich fahre auto, am steuer, beim fahren, fahre gerade, je conduis, "
    "au volant, en conduisant, je suis en voiture, estoy conduciendo, estoy manejando, al conducir, al volante, "
    "manejando no puedo, estou dirigindo, estou conduzindo, estou a conduzir, ao dirigir, ao conduzir, ao volante, "
    "sto guidando, alla guida, sono al volante, estic conduint, ik rijd, ik ben aan het rijden, aan het rijden, "
    "achter het stuur, tijdens het rijden, tijdens autorijden, kör bil, under bilkörning, jeg kører bil, "
    "jeg kører lige nu, under kørsel, jeg kjører bil, under kjøring, ajan parhaillaan, ajan autoa, olen ajamassa, "
    "ajaessa, ma sõidan, prowadzę, za kierownicą, kieruję samochodem, podczas jazdy, řídím, za volantem, při řízení, "
    "šoférujem, vozim, vezetek, vezetés közben, conduc acum, conduc mașina, sunt la volan, în timpul condusului, "
    "я за рулем, за рулём, веду машину, я за кермом, керую автомобілем, во время вождения, οδηγώ, "
    "araba kullanıyorum, araç kullanıyorum, araba sürüyorum, sürüş sırasında, sedang mengemudi, sedang menyetir, "
    "sedang memandu, đang lái xe"
)
"""How a phone begins, or goes on, when it answers by itself while its owner drives."""

DRIVING_WITHIN = (
    "אני נוהג, בנהיגה, أقود, أثناء القيادة, رانندگی, 運転中, 운전 중, 운전중, กำลังขับรถ, 正在开车, 正在開車, 开车, "
    "開車, 驾驶, 駕駛, गाड़ी चला"
)

AUTOMATIC = (
    "not receiving notifications, automatic reply, auto reply, autoreply, automated reply, automated message, "
    "automatic response, out of office, out of the office, do not disturb, automatische antwort, abwesenheitsnotiz, "
    "abwesend, nicht stören, réponse automatique, absent du bureau, ne pas déranger, respuesta automática, "
    "fuera de la oficina, no molestar, resposta automática, fora do escritório, não perturbe, risposta automatica, "
    "fuori sede, non disturbare, automatisch antwoord, niet storen, automatiskt svar, stör ej, automatisk svar, "
    "forstyr ikke, ikke forstyrr, automaattinen vastaus, älä häiritse, odpowiedź automatyczna, nie przeszkadzać, "
    "automatická odpověď, nerušit, automatikus válasz, ne zavarjanak, răspuns automat, nu deranja, автоответ, "
    "автоматический ответ, не беспокоить, автоматична відповідь, не турбувати, αυτόματη απάντηση, μην ενοχλείτε, "
    "otomatik yanıt, rahatsız etmeyin, balasan otomatis, jangan ganggu, trả lời tự động, không làm phiền"
)
"""Other answers that phones and mail servers give by themselves."""

AUTOMATIC_WITHIN = (
    "自動応答, 自動返信, 자동 응답, 자동응답, 自动回复, 自動回覆, ตอบกลับอัตโนมัติ, رد تلقائي, الرد التلقائي, "
    "پاسخ خودکار, מענה אוטומטי"
)
